package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

func TestCheckShadowed(t *testing.T) {
	for _, test := range []struct {
		first, second string
		want          bool
	}{
		{"deny", "deny GET", true},
		{"deny GET", "deny", false},
		{"deny", "deny", true},
		{"keep GET", "deny HEAD", true},
		{"keep HEAD", "deny GET", false},
		{"keep GET POST", "deny POST", true},
		{"keep GET", "deny GET POST", false},
		{"keep host:github.com", "deny host:github.com", true},
		{"keep host:github.com", "deny", false},
		{"keep op:repos/get", "deny op:repos/get GET", true},
		{"keep op:repos/get", "deny op:repos/update", false},
		{"keep client:a client:b", "deny client:b", true},
		{"keep client:a", "deny client:b", false},
		{"keep app:a", "keep app:b", true},

		{"keep /repos/**", "deny POST /repos/*/*/issues", true},
		{"keep /repos/**", "deny /repos", true},
		{"keep /Repos/{o}/{r}/**", "deny /repos/*/*/issues/**", true},
		{"keep /repos/*/*/issues/**", "deny /repos/*/*/issues", true},
		{"keep /repos/*/*/issues", "deny /repos/*/*/issues/**", false},
		{"keep /repos/*/*/issues", "deny /repos/*/*/*", false},
		{"keep /repos/*/*/*", "deny /repos/*/*/issues", true},
		{"keep /repos/*/*/*", "deny /repos/acme/**", false},
		{"keep /a /b", "deny /b", true},
		{"keep /a", "deny /a /b", false},
		{"keep /**", "deny", false}, // true, but it is not seen

		{"keep owner:acme-*", "keep owner:ACME-x", true},
		{"keep owner:acme-*", "keep owner:acme-*-x", true},
		{"keep owner:acme-*-x", "keep owner:acme-*", false},
		{"keep owner:*", "keep owner:acme owner:octo", true},
		{"keep owner:*", "keep", false},
		{"keep owner:*", "keep owner:enterprises/acme", false},
		{"keep owner:enterprises/*", "keep owner:enterprises/acme", true},
		{"keep owner:acme", "keep repo:acme/*", true},
		{"keep owner:acme", "keep repo:acme*/x", false},
		{"keep repo:acme/*", "keep owner:acme", false},
		{"keep repo:acme/*", "keep repo:acme/w", true},
		{"keep repo:acme/w", "keep repo:acme/*", false},

		// A request may be for acme and others: only the second one matches then.
		{"keep owner:acme", "deny owner:acme", false},
		{"keep owner:acme", "deny owner:acme op:search/code", false},
		{"keep owner:acme", "deny owner:acme /*/issues", false},
		{"keep owner:acme", "deny owner:acme /repos/**", true},
		{"keep owner:acme", "deny owner:acme op:issues/create", true},
		{"deny owner:acme", "deny owner:acme", true},
		{"deny owner:acme", "keep owner:acme", true},
	} {
		faults := ruleSet(t, "deny host:codeload.github.com", test.first, test.second).Check(nil)
		var want []rules.RuleFault
		if test.want {
			want = []rules.RuleFault{{Rule: 3, Problem: "rule[2] comes first and matches all that this one does"}}
		}
		if !slices.Equal(faults, want) {
			t.Errorf("%q, %q: Check = %+v, want %+v", test.first, test.second, faults, want)
		}
	}
}

func TestCheckFutile(t *testing.T) {
	known := func(op string) bool { return strings.HasPrefix(op, "repos/") || strings.HasPrefix(op, "apps/") }
	for in, want := range map[string]string{
		"deny op:repos/get op:git-receive-pack":                       "",
		"deny op:repos/get op:isues/create":                           `isues/create: GitHub has no operation "isues/create"`,
		"deny TRACE":                                                  ": TRACE is refused whatever the rules say",
		"deny TRACE GET":                                              "",
		"jwt op:apps/revoke-installation-access-token":                ": apps/revoke-installation-access-token is refused whatever the rules say",
		"deny op:repos/get host:github.com host:codeload.github.com":  ": none of its hosts has one of its operations",
		"deny op:repos/get host:github.com host:api.github.com":       "",
		"deny op:repos/get host:octo.ghe.com":                         ": none of its hosts has one of its operations",
		"deny op:repos/get host:api.octo.ghe.com":                     "",
		"deny op:repos/get host:ghe.example.com":                      "",
		"deny op:raw host:api.github.com":                             ": none of its hosts has one of its operations",
		"deny op:raw host:ghe.example.com":                            "",
		"deny op:archive host:codeload.github.com":                    "",
		"deny op:graphql host:uploads.github.com host:api.github.com": "",
	} {
		var got []string
		for _, f := range ruleSet(t, in).Check(known) {
			got = append(got, fmt.Sprintf("%s: %s", f.Operation, f.Problem))
		}
		if got := strings.Join(got, "; "); got != want {
			t.Errorf("%q: Check = %q, want %q", in, got, want)
		}
	}
}

// TestCheckIsSound decides about many requests with pairs of rules: where Check
// calls the second one shadowed, it must never be the one that decides.
func TestCheckIsSound(t *testing.T) {
	conditions := []string{"", "GET", "HEAD", "GET POST", "/repos/**", "/repos/*/*", "/repos/acme/{r}/**", "/graphql", "/**",
		"owner:acme", "owner:*", "owner:a*", "owner:enterprises/acme", "repo:acme/*", "repo:*/w", "repo:acme/w",
		"host:api.github.com", "host:github.com", "op:graphql", "client:a"}
	var routes []rules.Route
	var reqs []rules.Request
	add := func(req rules.Request, subjects ...github.Account) {
		route, err := rules.Classify(req)
		if err != nil {
			t.Fatal(err)
		}
		if len(subjects) > 0 {
			route.Subject, route.Others = subjects[0], subjects[1:]
		}
		reqs, routes = append(reqs, req), append(routes, route)
	}
	for _, in := range []string{"GET api.github.com/repos/acme/w", "HEAD api.github.com/repos/acme/w/x", "POST api.github.com/repos/acme/w/x%2fy",
		"GET api.github.com/repos/apex/w//x", "GET api.github.com/orgs/acme/repos", "GET api.github.com/enterprises/acme/x",
		"GET api.github.com/", "POST github.com/acme/w.git/git-upload-pack", "GET api.github.com/repositories/1"} {
		add(request(t, in))
	}
	graphql := request(t, "POST api.github.com/graphql")
	add(graphql)
	add(graphql, github.Account{Login: "acme", Repo: "w"}, github.Account{Login: "octo", Repo: "w"})
	add(graphql, github.Account{Login: "acme", Repo: "w"}, github.Account{Login: "acme"})

	shadowed := 0
	for _, pair := range pairs(t, conditions) {
		isSecond := func(f rules.RuleFault) bool { return f.Rule == 2 }
		if !slices.ContainsFunc(pair.Check(nil), isSecond) {
			continue
		}
		shadowed++
		for i, route := range routes {
			if second := pair.Rules[1]; second.Deny != "" && len(second.Paths) > 0 && reqs[i].Path == "/repositories/1" {
				continue // only a rule that denies goes by the name behind the number
			}
			for _, client := range []string{"", "a"} {
				reqs[i].Client = client
				route := route
				if pair.Decide(reqs[i], &route); route.Rule == 2 {
					t.Errorf("%+v decides about %+v, but Check calls it shadowed by %+v", pair.Rules[1], reqs[i], pair.Rules[0])
				}
			}
		}
	}
	if shadowed < 1000 {
		t.Errorf("Check calls %d rules shadowed, want thousands", shadowed)
	}
}

// pairs makes every pair of rules with two of the conditions each, for a few
// combinations of actions.
func pairs(t *testing.T, conditions []string) []rules.Set {
	var twofold []string
	for i, a := range conditions {
		for _, b := range conditions[i:] {
			twofold = append(twofold, a+" "+b)
		}
	}
	var sets []rules.Set
	for _, a := range twofold {
		for _, b := range twofold {
			for _, actions := range [][2]string{{"deny ", "deny "}, {"keep ", "deny "}, {"deny ", "keep "}, {"keep ", "keep "}} {
				sets = append(sets, ruleSet(t, actions[0]+a, actions[1]+b))
			}
		}
	}
	return sets
}

// TestStructuralOperations: every operation that is not GitHub's and that a
// rule may name is one that Classify finds.
func TestStructuralOperations(t *testing.T) {
	for op, in := range map[string]string{
		"web":              "GET github.com/acme",
		"info/refs":        "GET github.com/acme/w/info/refs",
		"git-upload-pack":  "POST github.com/acme/w/git-upload-pack",
		"git-receive-pack": "POST github.com/acme/w/git-receive-pack",
		"lfs":              "POST github.com/acme/w.git/info/lfs/objects/batch",
		"archive":          "GET codeload.github.com/acme/w/zip/main",
		"raw":              "GET raw.githubusercontent.com/acme/w/main/x",
		"uploads":          "GET uploads.github.com/x",
		"graphql":          "POST api.github.com/graphql",
		"app":              "GET api.github.com/app/something/new",
		"api":              "GET api.github.com/something/new",
	} {
		set := ruleSet(t, "deny op:"+op)
		if faults := set.Check(func(string) bool { return false }); faults != nil {
			t.Errorf("%q: Check = %+v", op, faults)
		}
		if route, err := set.Route(request(t, in)); err != nil || route.Rule != 1 {
			t.Errorf("Route(%q) has operation %q, %v, want %q", in, route.Operation, err, op)
		}
	}
}
