package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

const twoApps = minimal + "[app.ghes-bot]\nid = 2\nprivate_key_file = \"app.pem\"\nhost = \"ghe.example.com\"\n"

func TestRules(t *testing.T) {
	cfg, errText := load(t, "default_owner = \"Acme\"\n"+twoApps+`
[[rule]]
name = "no merges"
hosts = ["API.github.com.", "ghe.example.com"]
methods = ["PUT"]
paths = ["/repos/{owner}/{repo}/pulls/*/merge"]
operations = ["pulls/merge"]
owners = ["acme", "enterprises/*"]
deny = "a person merges"
[[rule]]
repositories = ["acme/*"]
auth = "installation"
app = "bot"
installation = 111
token.repositories = ["docs"]
token.permissions = { contents = "read", issues = "write" }
[[rule]]
auth = "jwt"
app = "ghes-bot"
[[rule]]
hosts = ["ghe.example.com"]
auth = "installation"
installation = 7
[rule.token]
repository_ids = [1, 2]
[[rule]]
auth = "keep"
`, nil)
	if errText != "" {
		t.Fatal(errText)
	}
	dotcom := []string{"github.com", "api.github.com", "uploads.github.com", "raw.githubusercontent.com", "codeload.github.com"}
	merge, err := rules.ParsePattern("/repos/{owner}/{repo}/pulls/*/merge")
	if err != nil {
		t.Fatal(err)
	}
	want := []rules.Rule{
		{Name: "no merges", Hosts: []string{"api.github.com", "ghe.example.com"}, Methods: []string{"PUT"}, Paths: []rules.Pattern{merge},
			Operations: []string{"pulls/merge"}, Owners: []rules.Glob{"acme", "enterprises/*"}, Deny: "a person merges"},
		{Hosts: dotcom, Repositories: []rules.Glob{"acme/*"}, Auth: rules.Installation, App: "bot", InstallationID: 111,
			Narrow: narrowed(t, []string{"docs"}, nil, map[string]string{"contents": "read", "issues": "write"})},
		{Hosts: []string{"ghe.example.com"}, Auth: rules.JWT, App: "ghes-bot"},
		{Hosts: []string{"ghe.example.com"}, Auth: rules.Installation, App: "ghes-bot", InstallationID: 7,
			Narrow: narrowed(t, nil, []int64{1, 2}, nil)},
		{Auth: rules.Keep},
	}
	samePattern := cmp.Comparer(func(a, b rules.Pattern) bool { return a.String() == b.String() })
	sameNarrowing := cmp.Comparer(func(a, b *github.Narrowing) bool { return a.String() == b.String() })
	if diff := cmp.Diff(want, cfg.Rules, samePattern, sameNarrowing); diff != "" {
		t.Errorf("Rules (-want +got):\n%s", diff)
	}
	if cfg.DefaultOwner != "Acme" {
		t.Errorf("DefaultOwner = %q, want Acme", cfg.DefaultOwner)
	}
	// The fourth rule is shadowed by the third.
	if len(cfg.Warnings) != 1 || !strings.HasSuffix(cfg.Warnings[0], `config.toml:28: rule[4]: the rule never decides anything: rule[3] comes first and matches all that this one does
	hint: rules are tried in the order of the file`) {
		t.Errorf("Warnings = %q", cfg.Warnings)
	}
}

func narrowed(t *testing.T, names []string, ids []int64, permissions map[string]string) *github.Narrowing {
	t.Helper()
	n, err := github.NewNarrowing(names, ids, permissions)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInlineRules(t *testing.T) {
	cfg, errText := load(t, "rule = [ { deny = \"a\", methods = [\"GET\"] },\n { auth = \"none\" } ]\n"+minimal, nil)
	if errText != "" || len(cfg.Rules) != 2 || cfg.Rules[0].Deny != "a" || !slices.Equal(cfg.Rules[0].Methods, []string{"GET"}) {
		t.Errorf("Load = %+v, %s", cfg, errText)
	}
}

func TestRuleConditionFaults(t *testing.T) {
	rule := func(lines string) string { return twoApps + "[[rule]]\ndeny = \"no\"\n" + lines + "\n" }
	testFaults(t, []faultTest{
		{name: "hosts", text: rule("hosts = [\"example.com\", \"github.com:443\"]"), want: []string{
			`config.toml:10: rule[1].hosts: "example.com" is not served`,
			"	hint: the hosts of the Apps here: api.github.com, codeload.github.com, ghe.example.com, github.com, raw.githubusercontent.com, uploads.github.com",
			`config.toml:10: rule[1].hosts: "github.com:443" is not served`,
			"	hint: the hosts of the Apps here: api.github.com, codeload.github.com, ghe.example.com, github.com, raw.githubusercontent.com, uploads.github.com",
		}},
		{name: "methods and paths", text: rule("methods = [\"get\"]\npaths = [\"/x\", \"repos/**\", \"/api/v3/x\"]"), want: []string{
			`config.toml:10: rule[1].methods: "get": methods are written in capitals`,
			`	hint: for example ["POST", "PATCH"]; GET includes HEAD`,
			`config.toml:11: rule[1].paths: "repos/**": a path begins with a slash`,
			`	hint: for example "/repos/{owner}/{repo}/issues/**"`,
			`config.toml:11: rule[1].paths: "/api/v3/x": patterns are for the path after /api/v3, /api/uploads or /api: leave that out`,
			`	hint: for example "/repos/{owner}/{repo}/issues/**"`,
		}},
		{name: "operations", text: rule("operations = [\"issues/creat\", \"nothing/like-that-at-all\", \"lfs\"]"), want: []string{
			`config.toml:10: rule[1].operations: GitHub has no operation "issues/creat"`,
			`	hint: did you mean "issues/create"?`,
			`config.toml:10: rule[1].operations: GitHub has no operation "nothing/like-that-at-all"`,
			"	hint: GitHub's REST reference and `explain` know them, for example \"issues/create\"",
		}},
		{name: "owners", text: rule("owners = [\"a/b\"]\nrepositories = [\"a\", \"a/b/c\"]"), want: []string{
			`config.toml:10: rule[1].owners: "a/b": an owner has no slash`,
			`	hint: for example "acme", "acme-*" or "enterprises/megacorp"`,
			`config.toml:11: rule[1].repositories: "a": "a" is not owner/repository`,
			`	hint: for example "acme/widgets", "acme/*" or "*/docs"`,
			`config.toml:11: rule[1].repositories: "a/b/c": "a/b/c" is not owner/repository`,
			`	hint: for example "acme/widgets", "acme/*" or "*/docs"`,
			"config.toml:11: rule[1].repositories: owners is given as well: a rule has one of them",
			`	hint: for all of an owner's repositories write repositories = ["acme/*"]`,
		}},
		{name: "clients", text: rule("clients = [\"ci\"]"), want: []string{
			`config.toml:10: rule[1].clients: no client named "ci"`,
			"	hint: no client is defined: leave clients out, the rule is for everybody then",
		}},
		{name: "lists", text: rule("hosts = []\nmethods = \"GET\"\npaths = [1]\noperations = [\"\"]\nowners = [\"ghp_" + canary + "0123456789\"]"), want: []string{
			"config.toml:10: rule[1].hosts: must not be empty",
			"	hint: leave the key out if it is not needed",
			"config.toml:11: rule[1].methods: must be an array of strings, not a string",
			`	hint: methods = ["…", "…"]`,
			"config.toml:12: rule[1].paths: element 1 must be a string, not an integer",
			`	hint: paths = ["…", "…"]`,
			"config.toml:13: rule[1].operations: element 1 is empty, or a secret",
			`	hint: operations = ["…", "…"]`,
			"config.toml:14: rule[1].owners: element 1 is empty, or a secret",
			`	hint: owners = ["…", "…"]`,
		}},
		{name: "unknown key", text: rule("hots = [\"github.com\"]\ntoken.x = 1"), want: []string{
			"config.toml:10: rule[1].hots: unknown key",
			`	hint: did you mean "hosts"?`,
			`config.toml:11: rule[1].token: goes with auth = "installation" only`,
			"	hint: leave it out",
			"config.toml:11: rule[1].token.x: unknown key",
		}},
		{name: "no tables", text: "rule = { deny = \"x\" }\n" + minimal, want: []string{
			"config.toml:1: rule: must be an array of tables, not a table",
			"	hint: every rule has a table of its own: [[rule]]",
		}},
		{name: "default owner", text: "default_owner = \"acme/widgets\"\n" + minimal, want: []string{
			"config.toml:1: default_owner: not the login of an owner",
			"	hint: letters, digits, - and _ are allowed: a user or an organization, not a repository",
		}},
	})
}

func TestRuleActionFaults(t *testing.T) {
	rule := func(lines string) string { return twoApps + "[[rule]]\n" + lines + "\n" }
	testFaults(t, []faultTest{
		{name: "both", text: rule("auth = \"none\"\ndeny = \"no\""), want: []string{
			"config.toml:10: rule[1].deny: auth is given as well: a rule allows or denies",
			"	hint: keep one of them",
		}},
		{name: "kind", text: rule("auth = \"deny\""), want: []string{
			`config.toml:9: rule[1].auth: "deny" is none of installation, jwt, basic, none, keep`,
			"	hint: keep: the client's own Authorization passes; to refuse requests, give deny",
		}},
		{name: "reason", text: rule("deny = \"a\\tb\""), want: []string{
			"config.toml:9: rule[1].deny: must be one line of plain text",
			"	hint: clients get to read it",
		}},
		{name: "keep", text: rule("auth = \"keep\"\napp = \"bot\"\ninstallation = 1\ntoken = { repositories = [\"w\"] }"), want: []string{
			`config.toml:10: rule[1].app: goes with auth = "installation", "jwt" or "basic" only`,
			"	hint: leave it out",
			`config.toml:11: rule[1].installation: goes with auth = "installation" only`,
			"	hint: leave it out",
			`config.toml:12: rule[1].token: goes with auth = "installation" only`,
			"	hint: leave it out",
		}},
		{name: "app", text: rule("auth = \"jwt\"\napp = \"relase-bot\""), want: []string{
			`config.toml:10: rule[1].app: no app named "relase-bot"`,
			"	hint: apps defined here: bot, ghes-bot",
		}},
		{name: "app elsewhere", text: rule("auth = \"jwt\"\napp = \"bot\"\nhosts = [\"api.github.com\", \"ghe.example.com\"]"), want: []string{
			"config.toml:10: rule[1].app: [app.bot] is on github.com, which ghe.example.com is no part of",
			"	hint: leave ghe.example.com out, or take another App",
		}},
		{name: "client secret", text: rule("auth = \"basic\"\napp = \"bot\""), want: []string{
			"config.toml:10: rule[1].app: [app.bot] has no client secret",
			"	hint: give the App its client_id and client_secret_file",
		}},
		{name: "installation", text: rule("auth = \"installation\"\ninstallation = 0\n[[rule]]\nauth = \"installation\"\ninstallation = 1"), want: []string{
			"config.toml:10: rule[1].installation: must be positive",
			"config.toml:13: rule[2].installation: app is missing: there are several, and an installation is of one App",
			"	hint: apps defined here: bot, ghes-bot",
		}},
		{name: "token", text: rule("auth = \"installation\"\ntoken = {}\n[[rule]]\nauth = \"installation\"\ntoken = { repositories = [], permissions = {} }\n[[rule]]\nauth = \"installation\"\n" +
			"token.repositories = [\"acme/w\", \"..\", \"w*\"]\ntoken.repository_ids = [0]\ntoken.permissions = { contents = \"all\", Issues = \"read\", x = 1 }"), want: []string{
			"config.toml:10: rule[1].token: is empty: the token would not be limited",
			"	hint: give repositories, repository_ids or permissions, or leave token out",
			"config.toml:13: rule[2].token.repositories: must not be empty",
			"	hint: leave the key out if it is not needed",
			"config.toml:13: rule[2].token.permissions: is empty: the token would not be limited",
			`	hint: permissions = { contents = "read", pull_requests = "write" }`,
			`config.toml:16: rule[3].token.repositories: "acme/w" is not the bare name of a repository`,
			"	hint: leave the owner out (it is that of the installation), and give every name in full",
			`config.toml:16: rule[3].token.repositories: ".." is not the bare name of a repository`,
			"	hint: leave the owner out (it is that of the installation), and give every name in full",
			`config.toml:16: rule[3].token.repositories: "w*" is not the bare name of a repository`,
			"	hint: leave the owner out (it is that of the installation), and give every name in full",
			"config.toml:17: rule[3].token.repository_ids: element 1 must be a positive integer",
			"	hint: repository_ids = [1296269]",
			"config.toml:17: rule[3].token.repository_ids: repositories is given as well",
			"	hint: keep one of them",
			`config.toml:18: rule[3].token.permissions.contents: must be "read", "write" or "admin"`,
			"	hint: a permission that is not listed is not given",
			"config.toml:18: rule[3].token.permissions.Issues: not the name of a permission",
			"	hint: as in GitHub's REST reference, for example pull_requests",
			"config.toml:18: rule[3].token.permissions.x: must be a string, not an integer",
			"	hint: put it in quotes",
		}},
		{name: "many repositories", text: rule("auth = \"installation\"\ntoken.repositories = [" + strings.Repeat(`"w", `, 501) + "]"), want: []string{
			"config.toml:10: rule[1].token.repositories: GitHub limits a token to 500 repositories at most, not 501",
			"	hint: have an App that is installed on these only",
		}},
	})
}
