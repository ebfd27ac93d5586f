package rules_test

import (
	"strings"
	"testing"

	"ghapp-proxy/rules"

	"github.com/google/go-cmp/cmp"
)

func TestSetBody(t *testing.T) {
	const fork, transfer, generate, pull, analysis, advisory = "POST api.github.com/repos/acme/widgets/forks", "POST api.github.com/repos/acme/widgets/transfer",
		"POST api.github.com/repos/acme/widgets/generate", "POST api.github.com/repos/acme/widgets/pulls",
		"POST api.github.com/repos/acme/widgets/code-scanning/codeql/variant-analyses", "POST api.github.com/repos/acme/widgets/security-advisories"
	globex := []rules.Subject{{Owner: "globex"}}
	type result struct {
		others  []rules.Subject
		unclear bool
		also    string
	}
	for _, test := range []struct {
		request, body string
		want          result
	}{
		{fork, `{"organization":"globex","name":"x"}`, result{others: globex}},
		{fork, `{"default_branch_only":true}`, result{}},
		{fork, `{"organization":null}`, result{}},
		{transfer, `{"new_owner":"globex"}`, result{others: globex}},
		{transfer, `{"new_\u006fwner":"gl\u006fbex"}`, result{others: globex}},
		{transfer, `{"new_owner":["globex"]}`, result{others: globex}},
		{transfer, `{"new_owner":5}`, result{unclear: true}},
		{transfer, `{"New_Owner":"globex"}`, result{unclear: true}},
		{transfer, `{"new_owner":"acme","new_owner":"globex"}`, result{unclear: true}},
		{transfer, `{"new_owner":"a/b"}`, result{unclear: true}},
		{transfer, ``, result{unclear: true}},
		{transfer, `[]`, result{unclear: true}},
		{transfer, `new_owner=globex`, result{unclear: true}},
		{transfer, `{"new_owner":"acme"} {"new_owner":"globex"}`, result{unclear: true}},
		{transfer, `{"x":"` + strings.Repeat("x", rules.MaxBodyNames) + `","new_owner":"globex"}`, result{unclear: true}},
		{generate, `{"owner":"globex","name":"x"}`, result{others: globex}},
		{pull, `{"head":"feature","base":"main"}`, result{}},
		{pull, `{"head":"ACME:feature","base":"main"}`, result{}},
		{pull, `{"head":"globex:feature","base":"main"}`, result{unclear: true}},
		{pull, `{"head":"x","head_repo":"rockets"}`, result{unclear: true}},
		{analysis, `{"repositories":["globex/tools","acme/widgets"]}`, result{others: []rules.Subject{{Owner: "globex", Repo: "tools"}, {Owner: "acme", Repo: "widgets"}}}},
		{analysis, `{"repository_owners":["globex"]}`, result{others: globex}},
		{analysis, `{"repository_lists":["x"]}`, result{unclear: true}},
		{advisory, `{"summary":"x"}`, result{}},
		{advisory, `{"start_private_fork":false}`, result{}},
		{advisory, `{"start_private_fork":true}`, result{also: "security-advisories/create-fork"}},
		{advisory, `{"start_private_fork":"true"}`, result{also: "security-advisories/create-fork"}},
		{advisory, `not JSON`, result{also: "security-advisories/create-fork"}},
		{advisory + "/reports", `{"start_private_fork":true}`, result{also: "security-advisories/create-fork"}},
	} {
		route, err := rules.Classify(request(t, test.request))
		if err != nil || !route.NamesInBody() {
			t.Fatalf("%s: %v, NamesInBody = %v", test.request, err, route.NamesInBody())
		}
		route.SetBody([]byte(test.body))
		got := result{route.Others, route.Unclear, route.Also}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s %.100s (-want +got):\n%s", test.request, test.body, diff)
		}
	}
}
