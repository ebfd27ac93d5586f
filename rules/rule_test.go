package rules_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// rule reads "ACTION CONDITION…". Conditions are METHOD, /path, host:NAME,
// op:OPERATION, owner:GLOB, repo:GLOB, client:NAME; app:NAME, installation:ID
// contents:LEVEL and only:REPOSITORY, which narrow the token, belong to the action.
func rule(t testing.TB, s string) rules.Rule {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatalf("rule %q: %v", s, err)
		}
	}
	words := strings.Fields(s)
	var r rules.Rule
	if words[0] == "deny" {
		r.Deny = "no"
	} else {
		auth, err := rules.ParseCredential(words[0])
		must(err)
		r.Auth = auth
	}
	for _, word := range words[1:] {
		kind, value, _ := strings.Cut(word, ":")
		switch {
		case word[0] == '/':
			p, err := rules.ParsePattern(word)
			must(err)
			r.Paths = append(r.Paths, p)
		case kind == "host":
			r.Hosts = append(r.Hosts, value)
		case kind == "op":
			r.Operations = append(r.Operations, value)
		case kind == "owner":
			g, err := rules.ParseOwnerGlob(value)
			must(err)
			r.Owners = append(r.Owners, g)
		case kind == "repo":
			g, err := rules.ParseRepositoryGlob(value)
			must(err)
			r.Repositories = append(r.Repositories, g)
		case kind == "client":
			r.Clients = append(r.Clients, value)
		case kind == "app":
			r.App = value
		case kind == "installation":
			id, err := strconv.ParseInt(value, 10, 64)
			must(err)
			r.InstallationID = github.InstallationID(id)
		case kind == "contents":
			var err error
			r.Narrow, err = github.NewNarrowing(nil, nil, map[string]string{"contents": value})
			must(err)
		case kind == "only":
			var err error
			r.Narrow, err = github.NewNarrowing([]string{value}, nil, nil)
			must(err)
		default:
			r.Methods = append(r.Methods, word)
		}
	}
	return r
}

func ruleSet(t testing.TB, lines ...string) (set rules.Set) {
	t.Helper()
	for _, line := range lines {
		set.Rules = append(set.Rules, rule(t, line))
	}
	return set
}

// decision is what a route says in one line: "jwt 2" is a JWT by rule 2.
func decision(route rules.Route) string {
	switch {
	case route.Refused == rules.RefusedHandsOut:
		return "hands out"
	case route.Refused == rules.RefusedJWTWrite:
		return "jwt write"
	case route.Refused == rules.RefusedRevoke:
		return "revoke"
	case route.Refused == rules.RefusedTrace:
		return "trace"
	case route.Refused == rules.Refusal(fmt.Sprintf("rule[%d] denies this: no", route.Rule)):
		return fmt.Sprintf("denied %d", route.Rule)
	case strings.Contains(string(route.Refused), "does not say so that it can be told"):
		return "unclear"
	case strings.Contains(string(route.Refused), "that it does not name"), strings.Contains(string(route.Refused), "that the request does not name"):
		return "leads away"
	case route.Refused != "":
		return string(route.Refused)
	}
	s := route.Credential.String()
	if route.Rule > 0 {
		s += fmt.Sprintf(" %d", route.Rule)
	}
	if route.App != "" {
		s += " app:" + route.App
	}
	if route.ForcedInstallation != 0 {
		s += fmt.Sprintf(" installation:%d", route.ForcedInstallation)
	}
	if level := route.Narrow.Permissions()["contents"]; level != "" {
		s += " contents:" + level
	}
	if names := route.Narrow.Repositories(); names != nil {
		s += " only:" + strings.Join(names, ",")
	}
	return s
}

type decisions map[string]string // "METHOD host/path" → decision

func TestDecide(t *testing.T) {
	for _, test := range []struct {
		rules []string
		want  decisions
	}{
		{[]string{}, decisions{
			"GET api.github.com/repos/acme/w":                       "installation",
			"GET api.github.com/app":                                "jwt",
			"PATCH api.github.com/app/hook/config":                  "jwt write",
			"POST api.github.com/app/installations/1/access_tokens": "hands out",
		}},
		{[]string{"deny POST /repos/acme/*/issues"}, decisions{
			"POST api.github.com/repos/acme/w/issues":            "denied 1",
			"POST api.github.com/repos/ACME/w/Issues/":           "denied 1",
			"POST api.github.com/repos/%61cme/w/%69ssues":        "denied 1",
			"POST api.github.com/repos/acme/w//issues":           "denied 1",
			"POST api.github.com/repos/acme/w/%2Fissues":         "denied 1",
			"POST ghe.example.com/api/v3/repos/acme/w/issues":    "denied 1",
			"POST api.octo.ghe.com/repos/acme/w/issues":          "denied 1",
			"GET api.github.com/repos/acme/w/issues":             "installation",
			"POST api.github.com/repos/acme/w/issues/1/comments": "installation",
			"POST api.github.com/repos/acme/w":                   "installation",
			"POST api.github.com/repos/octo/w/issues":            "installation",
		}},
		{[]string{"deny GET /repos/{owner}/{repo}/issues/**"}, decisions{
			"GET api.github.com/repos/acme/w/issues":      "denied 1",
			"HEAD api.github.com/repos/acme/w/issues":     "denied 1",
			"GET api.github.com/repos/acme/w/issues/1/x":  "denied 1",
			"POST api.github.com/repos/acme/w/issues":     "installation",
			"GET api.github.com/repos/acme/w/issues-team": "installation",
		}},
		{[]string{"deny HEAD"}, decisions{
			"HEAD api.github.com/repos/acme/w": "denied 1",
			"GET api.github.com/repos/acme/w":  "installation",
		}},
		{[]string{"deny /repos/*/*/git/refs/heads/main"}, decisions{
			"PATCH api.github.com/repos/acme/w/git/refs/heads/main":       "denied 1",
			"PATCH api.github.com/repos/acme/w/git/refs/heads%2fmain":     "denied 1",
			"PATCH api.github.com/repos/acme/w/git/refs/heads%2Fm%61in/":  "denied 1",
			"PATCH api.github.com/repos/acme/w/git/refs/heads%252Fmain":   "denied 1", // unescaped twice
			"PATCH api.github.com/repos/acme/w/git/refs/heads/main/other": "installation",
		}},
		{[]string{"deny /*/secret/git-receive-pack"}, decisions{
			"POST github.com/acme/secret/git-receive-pack":          "denied 1",
			"POST github.com/acme/secret.git/git-receive-pack":      "denied 1",
			"POST github.com/acme/Secret%2egit/git-receive-pack":    "denied 1",
			"POST github.com/acme/secret.wiki.git/git-receive-pack": "denied 1",
			"POST ghe.example.com/acme/secret.git/git-receive-pack": "denied 1",
			"POST github.com/acme/secret.git/git-upload-pack":       "installation",
		}},
		{[]string{"deny /*/secret.git/git-receive-pack"}, decisions{
			"POST github.com/acme/secret/git-receive-pack":     "denied 1",
			"POST github.com/acme/secret.git/git-receive-pack": "denied 1",
		}},
		{[]string{"deny owner:acme-*"}, decisions{
			"GET api.github.com/repos/acme-x/w":                        "denied 1",
			"GET api.github.com/orgs/ACME-/repos":                      "denied 1",
			"GET api.github.com/repos/acme/w":                          "installation",
			"GET api.github.com/repositories/1":                        "unclear", // whose, is not known here
			"GET api.github.com/enterprises/acme-x/teams":              "installation",
			"GET api.github.com/enterprises/acme-x/audit-log":          "leads away", // whose organizations are not known here
			"POST github.com/acme-x/w.git/git-upload-pack":             "denied 1",
			"GET raw.githubusercontent.com/acme-x/w/main/x":            "denied 1",
			"POST uploads.github.com/repos/acme-x/w/releases/1/assets": "denied 1",
		}},
		{[]string{"installation owner:enterprises/mega* installation:5", "installation repo:acme/* app:b contents:read"}, decisions{
			"GET api.github.com/enterprises/megacorp/events": "installation 1 installation:5",
			"GET api.github.com/orgs/megacorp/repos":         "installation",
			"GET api.github.com/repos/Acme/w/pulls":          "installation 2 app:b contents:read",
			"GET api.github.com/orgs/acme/repos":             "installation",
			"GET api.github.com/rate_limit":                  "installation",
			"TRACE api.github.com/repos/acme/w":              "trace",
		}},
		{[]string{"none GET host:api.github.com /repos/octo/**", "keep owner:octo", "deny owner:octo"}, decisions{
			"GET api.github.com/repos/octo/w":             "none 1",
			"GET ghe.example.com/api/v3/repos/octo/w":     "keep 2",
			"POST github.com/octo/w.git/git-receive-pack": "keep 2",
		}},
		{[]string{"jwt /app/** app:a"}, decisions{
			"GET api.github.com/app/hook/config":                    "jwt 1 app:a",
			"PATCH api.github.com/app/hook/config":                  "jwt write",
			"POST api.github.com/app/installations/1/access_tokens": "hands out",
		}},
		{[]string{"jwt PATCH /app/hook/config", "jwt /app/**"}, decisions{
			"PATCH api.github.com/app/hook/config":               "jwt 1",
			"GET api.github.com/app/hook/config":                 "jwt 2",
			"POST api.github.com/app/hook/deliveries/1/attempts": "jwt write",
		}},
		{[]string{"jwt POST /app/**"}, decisions{
			"POST api.github.com/app/hook/deliveries/1/attempts":    "jwt 1",
			"POST api.github.com/app/installations/1/access_tokens": "hands out",
		}},
		{[]string{"jwt op:apps/create-installation-access-token", "keep"}, decisions{
			"POST api.github.com/app/installations/1/access_tokens":         "jwt 1",
			"POST api.github.com/applications/Iv1.abc/token":                "hands out",
			"DELETE api.github.com/installation/token":                      "revoke",
			"TRACE api.github.com/app":                                      "trace",
			"GET api.github.com/repos/acme/w":                               "keep 2",
			"POST api.github.com/repos/acme/w/actions/runners/remove-token": "hands out",
		}},
		{[]string{"installation op:apps/revoke-installation-access-token"}, decisions{
			"DELETE api.github.com/installation/token": "revoke",
		}},
		{[]string{"installation /repos/**", "installation op:actions/create-registration-token-for-repo"}, decisions{
			"POST api.github.com/repos/acme/w/actions/runners/registration-token":   "hands out",
			"POST api.github.com/repositories/7/actions/runners/registration-token": "installation 2",
		}},
		{[]string{"deny client:ci client:"}, decisions{
			"GET api.github.com/repos/acme/w":    "denied 1",
			"GET api.github.com/repos/acme/w@ci": "denied 1",
			"GET api.github.com/repos/acme/w@me": "installation",
		}},
	} {
		set := ruleSet(t, test.rules...)
		for in, want := range test.want {
			in, client, _ := strings.Cut(in, "@")
			req := request(t, in)
			req.Client = client
			route, err := set.Route(req)
			if got := decision(route); err != nil || got != want {
				t.Errorf("%q: Route(%q) is %q, %v, want %q", test.rules, in, got, err, want)
			}
		}
	}
}

// TestDecideSubjects decides about requests for several owners: a search or a
// GraphQL document.
func TestDecideSubjects(t *testing.T) {
	acme, octo := github.Account{Login: "acme", Repo: "w"}, github.Account{Login: "octo"}
	byID, nobody := github.Account{RepositoryID: 7}, github.Account{}
	for _, test := range []struct {
		rule     string
		subjects []github.Account
		want     bool
	}{
		{"deny owner:acme", []github.Account{acme}, true},
		{"deny owner:acme", []github.Account{octo, acme}, true},
		{"deny owner:acme", []github.Account{nobody, byID, acme}, true},
		{"deny owner:acme", []github.Account{octo, octo}, false},
		{"deny owner:acme", []github.Account{byID}, true}, // whose, is not known here
		{"deny owner:*", []github.Account{nobody}, false},
		{"deny repo:*/w", []github.Account{octo, acme}, true},
		{"deny repo:octo/*", []github.Account{octo, acme}, false},
		{"installation owner:acme", []github.Account{acme, acme}, true},
		{"installation owner:acme", []github.Account{acme, octo}, false},
		{"installation owner:acme", []github.Account{octo, acme}, false},
		{"installation owner:acme", []github.Account{acme, byID}, true}, // and refused, for the same reason
		{"installation owner:*", []github.Account{nobody, acme}, false},
		{"installation owner:acme owner:octo", []github.Account{acme, octo}, true},
		{"installation repo:acme/w", []github.Account{acme, octo}, false},
	} {
		req := request(t, "POST api.github.com/graphql")
		route, err := rules.Classify(req)
		if err != nil {
			t.Fatal(err)
		}
		route.Subject, route.Others = test.subjects[0], test.subjects[1:]
		ruleSet(t, test.rule).Decide(req, &route)
		if got := route.Rule == 1; got != test.want {
			t.Errorf("%q matches %+v = %v, want %v", test.rule, test.subjects, got, test.want)
		}
	}
}

func TestDecideScheme(t *testing.T) {
	for in, want := range map[string]rules.Scheme{
		"installation GET api.github.com/app":                              rules.Bearer,
		"installation DELETE api.github.com/applications/Iv1/token":        rules.Bearer,
		"jwt GET api.github.com/applications/Iv1/grant":                    rules.Bearer,
		"basic GET api.github.com/rate_limit":                              rules.Basic,
		"installation GET github.com/acme/w/releases":                      rules.Basic,
		"installation GET github.com/acme/w/info/refs":                     rules.Basic,
		"installation GET codeload.github.com/acme/w/zip/main":             rules.Token,
		"installation GET raw.githubusercontent.com/robots.txt":            rules.Token,
		"installation POST uploads.github.com/repos/a/w/releases/1/assets": rules.Bearer,
		"installation GET uploads.github.com/elsewhere":                    rules.Bearer,
		"installation GET ghe.example.com/api/v3/app":                      rules.Bearer,
		"installation GET ghe.example.com/acme/w/archive/refs/tags/v1.zip": rules.Token,
	} {
		auth, in, _ := strings.Cut(in, " ")
		route, err := ruleSet(t, auth).Route(request(t, in))
		if err != nil || route.Credential.String() != auth || route.Scheme != want {
			t.Errorf("%s: Route(%q) = %v, scheme %d, %v, want scheme %d", auth, in, route.Credential, route.Scheme, err, want)
		}
	}
}

// TestKeepLetsGitAsk: without GitHub's 401 git would not send its password.
func TestKeepLetsGitAsk(t *testing.T) {
	req := request(t, "GET github.com/acme/w/info/refs?service=git-upload-pack")
	for auth, want := range map[string]bool{"keep": false, "none": true, "installation": true} {
		if route, err := ruleSet(t, auth).Route(req); err != nil || route.GitAuth != want || !route.Read {
			t.Errorf("%s: GitAuth = %v, Read = %v, %v, want %v", auth, route.GitAuth, route.Read, err, want)
		}
	}
}

func TestDenyNamesTheRule(t *testing.T) {
	set := rules.Set{Rules: []rules.Rule{{Name: "freeze", Deny: "until Monday"}}}
	route, err := set.Route(request(t, "GET api.github.com/app"))
	if want := rules.Refusal("rule[1] (freeze) denies this: until Monday"); err != nil || route.Refused != want {
		t.Errorf("Refused = %q, %v, want %q", route.Refused, err, want)
	}
}

// BenchmarkDecide has rules that all fail to match as late as possible.
func BenchmarkDecide(b *testing.B) {
	req := request(b, "GET api.github.com/repos/acme/widgets/pulls/1")
	for _, n := range []int{0, 20} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var set rules.Set
			for range n {
				set.Rules = append(set.Rules, rule(b, "deny GET POST host:github.com host:api.github.com repo:acme/* repo:octo/* /repos/*/*/pulls/*/merge"))
			}
			route, err := rules.Classify(req)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				set.Decide(req, &route)
			}
			if route.Rule != 0 {
				b.Fatalf("rule %d matches", route.Rule)
			}
		})
	}
}

func TestDecideAllocatesNothing(t *testing.T) {
	req := request(t, "GET api.github.com/repos/acme/widgets/pulls/1")
	set := ruleSet(t, "deny repo:octo/*", "deny /orgs/**", "installation repo:acme/* /repos/*/*/pulls/** contents:read")
	allocs := testing.AllocsPerRun(100, func() {
		if route, err := set.Route(req); err != nil || route.Rule != 3 {
			t.Errorf("rule %d, %v", route.Rule, err)
		}
	})
	if allocs != 0 {
		t.Errorf("Route allocates %v times, want 0", allocs)
	}
}
