package rules_test

import (
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

func TestPaths(t *testing.T) {
	widgets := &github.Account{Login: "acme", Repo: "widgets"}
	acme := &github.Account{Login: "acme"}
	for _, test := range []struct {
		path, pattern      string
		named              *github.Account // as the caller found it
		any, all, nameless bool
	}{
		{path: "/repos/acme/widgets/hooks", pattern: "/repos/*/*/hooks", any: true, all: true},
		{path: "/repos/acme/widgets/hooks", pattern: "/repos/acme/docs/**"},
		{path: "/repos/acme/widgets/hooks%2F1", pattern: "/repos/*/*/hooks/*", any: true},
		{path: "/repos/acme/widgets/hooks%2F1", pattern: "/repos/*/*/*", any: true},
		{path: "/repos/acme/widgets/hooks%2F1", pattern: "/repos/*/*/**", any: true, all: true},
		{path: "/repos/acme/widgets/hooks.json", pattern: "/repos/*/*/hooks", any: true},
		{path: "/repos/acme/widgets/%2568ooks", pattern: "/repos/*/*/hooks", any: true},
		{path: "/repositories/7/hooks", pattern: "/repos/*/*/hooks", nameless: true},
		{path: "/repositories/7/hooks", pattern: "/repositories/*/hooks", any: true, all: true},
		{path: "/repositories/7/issues", pattern: "/repos/acme/widgets/hooks"},
		{path: "/repositories/7/hooks", pattern: "/repos/*/*/**", nameless: true},
		{path: "/repositories/7/hooks", pattern: "/**", nameless: true, any: true, all: true},
		{path: "/repositories/7/hooks.json", pattern: "/repos/acme/widgets/hooks", nameless: true},
		{path: "/repositories/7/hooks.json", pattern: "/repos/acme/widgets/hooks", named: widgets, any: true},
		{path: "/repositories/7/%2568ooks", pattern: "/repos/acme/widgets/hooks", named: widgets, any: true},
		{path: "/repositories/7/hooks;x", pattern: "/repos/acme/widgets/hooks", named: widgets, any: true},
		{path: "/repositories/7;x/hooks", pattern: "/repos/acme/widgets/hooks", nameless: true},
		{path: "/repos/acme/widgets/hooks;x=1/", pattern: "/repos/acme/widgets/hooks", any: true},
		{path: "/repositories/7/hooks", pattern: "/repos/acme/widgets/hooks", named: widgets, any: true, all: true},
		{path: "/repositories/7", pattern: "/repos/acme/widgets", named: widgets, any: true, all: true},
		{path: "/organizations/7/hooks", pattern: "/orgs/acme/hooks", named: acme, any: true, all: true},
		{path: "/user/7/repos", pattern: "/users/acme/repos", named: acme, any: true, all: true},
		{path: "/user/7/repos", pattern: "/users/acme/repos", nameless: true},
		{path: "/user/repos", pattern: "/user/repos", any: true, all: true},
		{path: "/teams/7/members", pattern: "/teams/*/members", any: true, all: true},
	} {
		req := rules.Request{Method: "GET", Host: github.GitHubCom.Hosts()[1], Path: test.path}
		route, err := rules.Classify(req)
		if err != nil {
			t.Fatalf("Classify(%q) = %v", test.path, err)
		}
		if test.named != nil {
			route.Subject = *test.named
		}
		pattern, err := rules.ParsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths := rules.PathsOf(req, &route)
		if any, all := paths.Any(pattern), paths.All(pattern); any != test.any || all != test.all || paths.Undecidable(pattern) != test.nameless {
			t.Errorf("PathsOf(%q): Any(%q) = %v, All = %v, Nameless = %v, want %v, %v, %v",
				test.path, test.pattern, any, all, paths.Undecidable(pattern), test.any, test.all, test.nameless)
		}
	}
	// On the web host the owner may be called "user" and the repository be a number.
	req := rules.Request{Method: "GET", Host: github.GitHubCom.Hosts()[0], Path: "/user/7.git/info/refs", Query: "service=git-upload-pack"}
	route, err := rules.Classify(req)
	if err != nil {
		t.Fatal(err)
	}
	any, err := rules.ParsePattern("/**")
	if err != nil {
		t.Fatal(err)
	}
	if paths := rules.PathsOf(req, &route); paths.Undecidable(any) {
		t.Errorf("PathsOf(%q).Nameless() = true", req.Path)
	}
}

func TestGlobMatch(t *testing.T) {
	widgets := &github.Account{Login: "Acme", Repo: "widgets"}
	enterprise := &github.Account{Login: "acme", Enterprise: true}
	for _, test := range []struct {
		what      string
		got, want bool
	}{
		{"acme owner of Acme/widgets", rules.Glob("acme").MatchOwner(widgets), true},
		{"acme owner of the enterprise", rules.Glob("acme").MatchOwner(enterprise), false},
		{"enterprises/acme", rules.Glob("enterprises/acme").MatchOwner(enterprise), true},
		{"acme/* repository", rules.Glob("acme/*").MatchRepository(widgets), true},
		{"acme/docs repository", rules.Glob("acme/docs").MatchRepository(widgets), false},
		{"acme/docs owner part", rules.Glob("acme/docs").MatchOwnerPart(widgets), true},
		{"*/docs owner part", rules.Glob("*/docs").MatchOwnerPart(widgets), true},
		{"octo/docs owner part", rules.Glob("octo/docs").MatchOwnerPart(widgets), false},
		{"acme/docs owner part of the enterprise", rules.Glob("acme/docs").MatchOwnerPart(enterprise), false},
		{"nobody", rules.Glob("*/*").MatchOwnerPart(&github.Account{RepositoryID: 1}), false},
	} {
		if test.got != test.want {
			t.Errorf("%s = %v, want %v", test.what, test.got, test.want)
		}
	}
}
