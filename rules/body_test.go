package rules_test

import (
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"

	"github.com/google/go-cmp/cmp"
)

func TestSetBody(t *testing.T) {
	const fork, transfer, generate, pull, analysis, advisory = "POST api.github.com/repos/acme/widgets/forks", "POST api.github.com/repos/acme/widgets/transfer",
		"POST api.github.com/repos/acme/widgets/generate", "POST api.github.com/repos/acme/widgets/pulls",
		"POST api.github.com/repos/acme/widgets/code-scanning/codeql/variant-analyses", "POST api.github.com/repos/acme/widgets/security-advisories"
	const values, secret = "PATCH api.github.com/orgs/acme/properties/values", "PUT api.github.com/orgs/acme/actions/secrets/X/repositories"
	globex, rockets, byID := []github.Account{{Login: "globex"}}, []github.Account{{Login: "acme", Repo: "rockets"}}, []github.Account{{RepositoryID: 9002}}
	type result struct {
		others  []github.Account
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
		{analysis, `{"repositories":["globex/tools","acme/widgets"]}`, result{others: []github.Account{{Login: "globex", Repo: "tools"}}}},
		{pull, `{"head":"acme:rockets:main","base":"main"}`, result{others: rockets}},
		{pull, `{"head":"acme:widgets:main","base":"main"}`, result{}},
		{pull, `{"head":"globex:tools:main"}`, result{others: []github.Account{{Login: "globex", Repo: "tools"}}}},
		{pull, `{"head":"acme:rockets:main:x"}`, result{unclear: true}},
		{pull, `{"head":"acme::main"}`, result{unclear: true}},
		{values, `{"repository_names":["rockets","acme/rockets"],"properties":[]}`, result{others: rockets}},
		{values, `{"repository_names":["ro/ck/ets"]}`, result{unclear: true}},
		{values, `{"properties":[]}`, result{}},
		{"POST api.github.com/orgs/acme/migrations", `{"repositories":["acme/rockets"]}`, result{others: rockets}},
		{"POST api.github.com/orgs/acme/teams", `{"name":"x","repo_names":["acme/rockets"]}`, result{others: rockets}},
		{"POST api.github.com/orgs/acme/artifacts/metadata/storage-record", `{"github_repository":"rockets"}`, result{others: rockets}},
		{"PUT api.github.com/orgs/acme/actions/secrets/X", `{"visibility":"selected","selected_repository_ids":[9002,9001]}`, result{others: []github.Account{{RepositoryID: 9002}, {RepositoryID: 9001}}}},
		{secret, `{"selected_repository_ids":["9002"]}`, result{others: byID}},
		{secret, `{"x":{"selected_repository_ids":[9002]}}`, result{others: byID}},
		{secret, `{"selected_repository_ids":{"0":9002}}`, result{unclear: true}},
		{secret, `{"selected_repository_ids":[9002.0]}`, result{unclear: true}},
		{secret, `{"Selected_Repository_IDs":[9002]}`, result{unclear: true}},
		{secret, `[9002]`, result{unclear: true}},
		{"POST api.github.com/orgs/acme/rulesets", `{"conditions":{"repository_id":{"repository_ids":[9002]},"ref_name":{}}}`, result{others: byID}},
		{"POST api.github.com/repos/acme/widgets/rulesets", `{"rules":[{"type":"workflows","parameters":{"workflows":[{"path":"x","repository_id":9002}]}}]}`, result{others: byID}},
		{"POST api.github.com/repos/acme/widgets/issues/1/sub_issues", `{"sub_issue_id":5}`, result{unclear: true}},
		{"POST api.github.com/repos/acme/widgets/issues/1/dependencies/blocked_by", `{"issue_id":5}`, result{unclear: true}},
		{"POST api.github.com/markdown", `{"text":"#1","mode":"gfm","context":"acme/rockets"}`, result{others: rockets}},
		{"PUT api.github.com/enterprises/mega/actions/permissions/organizations", `{"selected_organization_ids":[5001]}`, result{others: []github.Account{{AccountID: 5001}}}},
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

// TestNamesInBodies: whatever of a body may name a repository or an account is
// looked at, or is known not to.
func TestNamesInBodies(t *testing.T) {
	// Patterns, settings and texts of whom the path names.
	harmless := set("repository_name", "repository_property", "organization_name", "organization_property", "repository_selection", "organization_selection_type",
		"sync_to_organizations", "default_for_new_repos", "default_repository_permission", "enabled_repositories", "enabled_organizations", "enforced_repositories",
		"members_allowed_repository_creation_type", "max_repo_cache_size_limit_in_gb", "repo_cache_size_limit_in_gb", "private_vulnerability_reporting",
		"report_type", "domain_owner", "head_sha", "expected_head_sha", "duplicate_issue_id", "repo")
	all := descriptions()
	looked := 0
	for i := range all {
		op := &all[i]
		for _, field := range op.body {
			switch kind := rules.BodyField(op.id, field); {
			case op.id == "apps/create-installation-access-token", op.id == "apps/scope-token":
			case kind == harmless[field]:
				t.Errorf("%s of %s is looked at: %v", field, op.id, kind)
			case kind:
				looked++
			}
		}
	}
	if looked < 120 {
		t.Errorf("%d fields are looked at", looked)
	}
}

// TestNamesInPaths: a path may name more than one.
func TestNamesInPaths(t *testing.T) {
	rockets := []github.Account{{Login: "acme", Repo: "rockets"}}
	for in, want := range map[string][]github.Account{
		"PUT api.github.com/orgs/acme/teams/x/repos/acme/rockets":                                          rockets,
		"PUT ghe.example.com/api/v3/orgs/acme/teams/x/repos/acme/rockets":                                  rockets,
		"DELETE api.github.com/teams/7/repos/acme/%72ockets":                                               rockets,
		"PUT api.github.com/orgs/acme/actions/permissions/repositories/9002":                               {{RepositoryID: 9002}},
		"DELETE api.github.com/orgs/acme/actions/secrets/X/repositories/9002":                              {{RepositoryID: 9002}},
		"DELETE api.github.com/orgs/acme/migrations/1/repos/rockets/lock":                                  rockets,
		"GET api.github.com/repos/acme/widgets/code-scanning/codeql/variant-analyses/1/repos/acme/rockets": rockets,
		"GET api.github.com/enterprises/mega/apps/organizations/acme/installations/1/repositories":         {{Login: "acme"}},
		"PUT api.github.com/orgs/acme/actions/permissions/repositories/9002x":                              nil,
		"PUT api.github.com/organizations/5001/teams/x/repos/acme/rockets":                                 nil,
		"PUT api.github.com/orgs/acme/teams/x//repos/acme/rockets":                                         nil,
		"PUT api.github.com/orgs/acme/teams/x/repos/acme/rockets.json":                                     {{Login: "acme", Repo: "rockets.json"}},
		"PUT api.github.com/orgs/acme/teams/x/repos/acme/ro%2Fckets":                                       nil,
	} {
		route, err := rules.Classify(request(t, in))
		if err != nil || route.Operation == "api" || route.Unclear != (want == nil) {
			t.Errorf("%s: %s, unclear %v, %v", in, route.Operation, route.Unclear, err)
		}
		if diff := cmp.Diff(want, route.Others); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}
