package rules_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// conditions are what rules are made of in the tests below: things that several rules
// share, in several spellings, with stars and without.
var conditions = []string{"GET", "HEAD", "POST", "PUT",
	"/repos/**", "/repos/*/*", "/Repos/acme/{r}/**", "/repos/acme/w", "/repos/*/*/issues", "/repos/*/w/**", "/graphql", "/**", "/", "/orgs/**", "/users/*/repos",
	"/repos/acme/W/x/y", "/repos/*/*/ſtate", "/repos/*/*/\u212Aeys", "/repos/%61cme/w",
	"owner:acme", "owner:ACME", "owner:octo", "owner:*", "owner:a*", "owner:enterprises/acme", "owner:enterprises/*",
	"repo:acme/*", "repo:*/w", "repo:acme/w", "repo:Acme/W", "repo:acme/x", "repo:octo/w", "repo:octo/a*",
	"host:api.github.com", "host:github.com", "op:graphql", "op:graphql/viewer", "op:graphql/repository", "op:repos/get", "op:issues/list-for-repo", "op:git-upload-pack",
	"client:a", "client:b"}

var actions = []string{"deny ", "deny ", "keep ", "installation ", "installation contents:read ", "installation only:w "}

// requests are what the tests below decide about.
func indexRequests(t testing.TB) (reqs []rules.Request, routes []rules.Route) {
	add := func(req rules.Request, change func(*rules.Route)) {
		route, err := rules.Classify(req)
		if err != nil {
			t.Fatal(err)
		}
		change(&route)
		reqs, routes = append(reqs, req), append(routes, route)
	}
	plain := func(*rules.Route) {}
	for _, in := range []string{"GET api.github.com/repos/acme/w", "HEAD api.github.com/repos/ACME/w/x", "POST api.github.com/repos/acme/w/x%2fy",
		"GET api.github.com/repos/apex/w//x", "GET api.github.com/repos/acme/w;x/issues.json", "GET api.github.com/repos/acme/w%2egit/issues",
		"GET api.github.com/repos/acme/w/issues", "GET api.github.com/repos/acme/w/issues/", "GET api.github.com/repos/octo/w/state", "GET api.github.com/repos/octo/w/%E2%84%AAeys", "GET api.github.com/repos/octo/w/KEYS",
		"GET api.github.com/orgs/acme/repos", "GET api.github.com/orgs/octo/repos", "GET api.github.com/enterprises/acme/x", "GET api.github.com/users/acme/repos", "GET api.github.com/user/repos",
		"GET api.github.com/", "PUT api.github.com/repos/acme/%77", "GET api.github.com/repos/acme/%ff", "POST github.com/acme/w.git/git-upload-pack", "GET github.com/acme/w.git/info/refs?service=git-upload-pack",
		"GET api.github.com/search/issues?q=repo:acme/w", "GET api.github.com/search/issues?q=x", "GET api.github.com/search/code?q=org:acme+user:octo",
		"GET api.github.com/repos/acme/w/compare/main...octo:w:main",
		"GET api.github.com/repositories/1", "GET api.github.com/repositories/1/issues", "GET api.github.com/organizations/1/repos", "GET api.github.com/user/1/repos"} {
		add(request(t, in), plain)
	}
	byID := request(t, "GET api.github.com/repositories/1/issues")
	add(byID, func(r *rules.Route) { r.Subject.Login, r.Subject.Repo = "acme", "w" })
	add(byID, func(r *rules.Route) { r.Subject = github.Account{Login: "acme"} })
	graphql := request(t, "POST api.github.com/graphql")
	for _, reach := range []github.Reach{github.ReachNamed, github.ReachOwners, github.ReachAny} {
		for _, subjects := range [][]github.Account{nil, {{Login: "acme", Repo: "w"}}, {{Login: "acme", Repo: "w"}, {Login: "octo", Repo: "w"}}, {{Login: "octo"}, {Login: "acme "}, {Login: "a%63me", Repo: "w"}},
			{{Login: "acme", Enterprise: true}}, {{AccountID: 7}}, {{Login: "x", Repo: "y"}, {AccountID: 7}}} {
			for _, fields := range [][]string{nil, {"viewer"}, {"repository", "viewer"}, {"node"}} {
				add(graphql, func(r *rules.Route) {
					r.Reach, r.Fields = reach, fields
					if len(subjects) > 0 {
						r.Subject, r.Others = subjects[0], subjects[1:]
					}
				})
			}
		}
	}
	add(graphql, func(r *rules.Route) { r.Unclear = true })
	return reqs, routes
}

// differ decides about each request by a set and by the same set compiled.
func differ(t *testing.T, lines []string, reqs []rules.Request, routes []rules.Route) (decided int) {
	t.Helper()
	scanned := ruleSet(t, lines...)
	indexed := scanned.Compiled()
	if a, b := scanned.LookAtSubjects(), indexed.LookAtSubjects(); a != b {
		t.Fatalf("LookAtSubjects is %v with %q, and %v compiled", a, lines, b)
	}
	for i := range reqs {
		for _, client := range []string{"", "a", "c"} {
			req, want, got := reqs[i], routes[i], routes[i]
			req.Client = client
			scanned.Decide(req, &want)
			indexed.Decide(req, &got)
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("%+v, %+v by %q:\n%+v, compiled:\n%+v", req, routes[i], lines, want, got)
			}
			if want.Rule != 0 {
				decided++
			}
		}
	}
	return decided
}

// TestCompiledDecidesAlike: which rule is the first that matches does not depend on how
// it is found.
func TestCompiledDecidesAlike(t *testing.T) {
	reqs, routes := indexRequests(t)
	random := rand.New(rand.NewPCG(1, 2))
	decided, rounds := 0, 1500
	if testing.Short() {
		rounds = 200
	}
	for range rounds {
		var lines []string
		for range 1 + random.IntN(40) {
			line := actions[random.IntN(len(actions))]
			for range random.IntN(4) {
				line += " " + conditions[random.IntN(len(conditions))]
			}
			lines = append(lines, line)
		}
		decided += differ(t, lines, reqs, routes)
	}
	if decided < 1000*rounds/10 {
		t.Errorf("rules decided about %d requests only", decided)
	}
}

// TestCompiledDecidesAlikeAlone has each rule of two conditions alone, so that no other
// hides it.
func TestCompiledDecidesAlikeAlone(t *testing.T) {
	reqs, routes := indexRequests(t)
	for i, first := range conditions {
		for _, second := range conditions[i:] {
			for _, action := range []string{"deny ", "keep "} {
				differ(t, []string{action + first + " " + second}, reqs, routes)
			}
		}
	}
}

// FuzzCompiled is TestCompiledDecidesAlike with rules and paths of the fuzzer's.
func FuzzCompiled(f *testing.F) {
	f.Add("deny /repos/acme/**\nkeep /repos/{o}/{r}", "/repos/acme/w", "acme", "w", false)
	f.Add("deny repo:acme/w\ninstallation owner:acme", "/repos/a%63me/W", "ACME", "w", true)
	f.Fuzz(func(t *testing.T, text, path, login, repo string, reaches bool) {
		var set rules.Set
		for line := range strings.Lines(text) {
			r, ok := parseRule(line)
			if !ok {
				return
			}
			set.Rules = append(set.Rules, r)
		}
		for _, host := range []string{"GET api.github.com/", "GET github.com/"} {
			req := request(t, host)
			req.Path = path
			want, err := rules.Classify(req)
			if err != nil {
				return
			}
			if login != "" {
				want.Others = []github.Account{{Login: login, Repo: repo}}
			}
			if reaches {
				want.Reach = github.ReachOwners
			}
			got := want
			set.Decide(req, &want)
			set.Compiled().Decide(req, &got)
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("%+v, compiled %+v", want, got)
			}
		}
	})
}

// parseRule reads a rule of the fuzzer's: a word, and patterns and globs.
func parseRule(line string) (r rules.Rule, ok bool) {
	for _, word := range strings.Fields(line) {
		kind, value, _ := strings.Cut(word, ":")
		var err error
		switch {
		case word[0] == '/':
			var p rules.Pattern
			p, err = rules.ParsePattern(word)
			r.Paths = append(r.Paths, p)
		case kind == "owner":
			var g rules.Glob
			g, err = rules.ParseOwnerGlob(value)
			r.Owners = append(r.Owners, g)
		case kind == "repo":
			var g rules.Glob
			g, err = rules.ParseRepositoryGlob(value)
			r.Repositories = append(r.Repositories, g)
		case word == "deny":
			r.Deny = "no"
		}
		if err != nil {
			return r, false
		}
	}
	return r, true
}

// TestCompiledOfOthers: a set whose rules were replaced is not decided by those before.
func TestCompiledOfOthers(t *testing.T) {
	set := ruleSet(t, "deny /orgs/**").Compiled()
	set.Rules = ruleSet(t, "deny /repos/**").Rules
	if route, err := set.Route(request(t, "GET api.github.com/repos/acme/w")); err != nil || route.Rule != 1 {
		t.Errorf("rule %d, %v, want 1", route.Rule, err)
	}
}

// manyRules are sets of a thousand rules that differ in one thing each.
func manyRules(t testing.TB) map[string]rules.Set {
	sets := make(map[string]rules.Set)
	for name, line := range map[string]string{
		"paths":        "deny PUT /repos/{owner}/{repo}/pulls/%d/merge",
		"methods too":  "deny GET POST /repos/{owner}/{repo}/pulls/%d/merge",
		"owners":       "installation contents:read owner:owner-%d",
		"repositories": "deny repo:acme/widgets-%d",
		"clients":      "deny client:c%d /repos/**",
		"operations":   "deny op:graphql/field%d",
	} {
		var lines []string
		for i := range 1000 {
			lines = append(lines, fmt.Sprintf(line, i))
		}
		sets[name] = ruleSet(t, lines...).Compiled()
	}
	return sets
}

// TestManyRulesAllocateNothing.
func TestManyRulesAllocateNothing(t *testing.T) {
	req := request(t, "GET api.github.com/repos/Acme/widgets/pulls/1/files")
	for name, set := range manyRules(t) {
		allocs := testing.AllocsPerRun(100, func() {
			if route, err := set.Route(req); err != nil || route.Rule != 0 {
				t.Errorf("%s: rule %d, %v", name, route.Rule, err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func BenchmarkManyRules(b *testing.B) {
	req := request(b, "GET api.github.com/repos/Acme/widgets/pulls/1/files")
	route, err := rules.Classify(req)
	if err != nil {
		b.Fatal(err)
	}
	for name, set := range manyRules(b) {
		for _, compiled := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/compiled=%v", name, compiled), func(b *testing.B) {
				decided := set
				if !compiled {
					decided = rules.Set{Rules: set.Rules}
				}
				b.ReportAllocs()
				for b.Loop() {
					route := route
					decided.Decide(req, &route)
				}
			})
		}
	}
}
