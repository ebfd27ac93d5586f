package rules_test

import (
	"strings"
	"testing"

	"ghapp-proxy/rules"
)

func TestParsePatternErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "a path begins with a slash",
		"repos/**":                   "a path begins with a slash",
		"https://api.github.com/x":   "a path begins with a slash",
		"/repos?page=1":              "a path ends before the ? or #",
		"/repos//x":                  "an empty segment (//)",
		"//repos":                    "an empty segment (//) at the start of the path",
		"/repos/../x":                `a dot segment ("..") in the path: send the path it leads to`,
		"/repos/a b":                 "a control character or space in the path",
		"/repos/**/issues":           "** can only stand at the end",
		"/repos/**/**":               "** can only stand at the end",
		"/repos/acme-*":              `"acme-*" is no whole segment: a segment is a word, *, {name} or **`,
		"/repos/{owner":              `"{owner" is no whole segment: a segment is a word, *, {name} or **`,
		"/repos/{}":                  `"{}" is no whole segment: a segment is a word, *, {name} or **`,
		"/repos/{owner}.git":         `"{owner}.git" is no whole segment: a segment is a word, *, {name} or **`,
		"/repos/***":                 `"***" is no whole segment: a segment is a word, *, {name} or **`,
		"/repos/:owner":              "write {owner} for any segment",
		"/api/v3/repos/**":           "patterns are for the path after /api/v3, /api/uploads or /api: leave that out",
		"/api/graphql":               "patterns are for the path after /api/v3, /api/uploads or /api: leave that out",
		"/":                          "",
		"/**":                        "",
		"/repos/{owner}/*/issues/**": "",
		"/repos/{owner}/*/issues/":   "",
	} {
		p, err := rules.ParsePattern(in)
		if got := errText(err); got != want {
			t.Errorf("ParsePattern(%q): %q, want %q", in, got, want)
		}
		if err == nil && p.String() != in {
			t.Errorf("ParsePattern(%q) = %q", in, p)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestParseGlobs(t *testing.T) {
	for in, want := range map[string][2]bool{ // owner, repository
		"acme":             {true, false},
		"acme-*":           {true, false},
		"*":                {true, false},
		"acme/*":           {false, true},
		"*/docs.js":        {false, true},
		"enterprises/acme": {true, true},
		"enterprises/":     {false, false},
		"acme/":            {false, false},
		"/x":               {false, false},
		"a/b/c":            {false, false},
		"a.b":              {false, false},
		"a.b/c":            {false, false},
		"ac?e":             {false, false},
		"":                 {false, false},
	} {
		_, ownerErr := rules.ParseOwnerGlob(in)
		_, repoErr := rules.ParseRepositoryGlob(in)
		if got := [2]bool{ownerErr == nil, repoErr == nil}; got != want {
			t.Errorf("%q is an owner, a repository: %v, want %v (%v, %v)", in, got, want, ownerErr, repoErr)
		}
	}
}

func TestGlobsMatch(t *testing.T) {
	for _, test := range []struct {
		glob, name string
		want       bool
	}{
		{"acme", "ACME", true},
		{"acme", "acmes", false},
		{"*", "acme", true},
		{"a*e", "ae", true},
		{"a*e", "acme", true},
		{"a*e", "acmes", false},
		{"*-*-x", "a-b-c-x", true},
		{"*-*-x", "a-x", false},
		{"**a", "bba", true},
		{strings.Repeat("*a", 40) + "b", strings.Repeat("a", 99), false}, // and quickly
	} {
		req := request(t, "GET api.github.com/users/"+test.name)
		route, err := ruleSet(t, "keep owner:"+test.glob).Route(req)
		if got := route.Rule == 1; err != nil || got != test.want {
			t.Errorf("%q matches %q = %v, %v, want %v", test.glob, test.name, got, err, test.want)
		}
	}
}

// FuzzPattern: no panic; and a path that is a pattern's own text, with
// something in place of its variables, matches it.
func FuzzPattern(f *testing.F) {
	f.Add("/repos/{owner}/{repo}/issues/**", "/repos/acme/widgets/issues/1")
	f.Add("/repos/*/*/git/refs/heads/main", "/repos/a/b/git/refs//heads%2Fmain")
	f.Add("/acme/widgets.git/info/refs", "/acme/widgets%2Egit/info/refs/")
	f.Add("/", "/%2F%5c%")
	hostNames := []string{"api.github.com", "github.com", "ghe.example.com"}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := rules.ParsePattern(pattern)
		if err != nil {
			return
		}
		set := rules.Set{Rules: []rules.Rule{{Paths: []rules.Pattern{p}, Auth: rules.Keep}}}
		for _, name := range hostNames {
			route, err := set.Route(rules.Request{Method: "GET", Host: hosts[name], Path: path})
			if err == nil && route.Rule != 0 && route.Credential != rules.Keep && route.Refused == "" {
				t.Errorf("%q matches %q, which is sent with %v", pattern, path, route.Credential)
			}
		}
		route, err := set.Route(rules.Request{Method: "GET", Host: hosts["api.github.com"], Path: sample(pattern)})
		if err == nil && route.Rule == 0 && !strings.Contains(pattern, ".git") && route.Refused == "" {
			t.Errorf("%q does not match %q", pattern, sample(pattern))
		}
		if faults := (rules.Set{Rules: append(set.Rules, set.Rules...)}).Check(nil); len(faults) != 1 {
			t.Errorf("%q does not cover itself: %+v", pattern, faults)
		}
	})
}

// sample puts a word in place of a pattern's variables.
func sample(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if strings.ContainsAny(s, "{*") {
			segments[i] = "x"
		}
	}
	return strings.Join(segments, "/")
}
