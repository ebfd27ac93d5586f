package config

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

const someHash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestClients(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app.pem"), testPEM())
	write(t, filepath.Join(dir, "config.toml"), "default_owner = \"acme\"\n"+minimal+`
[client.agent]
secret_hash = "`+someHash+`"
networks = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]
listen = "unix:agent.sock"
repositories = ["acme/widgets"]
permissions = { contents = "write" }
apps = ["bot"]
hosts = ["API.github.com"]
allow = ["graphql", "issues/create", "GET /repos/{owner}/{repo}/**"]
deny = ["admin", "credentials"]
graphql = "write"
mutations = ["addComment"]
push = ["refs/heads/agent/**"]
deny_push = ["refs/heads/agent/main"]
delete_refs = ["refs/heads/agent/tmp-*"]
max_connections = 1
max_requests = 2
requests_per_minute = 3
max_body = "10MiB"
max_connection_age = "1h30m"
lookups_per_minute = 4
[client.ci]
listen = "127.0.0.1:8081"
owners = ["octo"]
read_only = true
jwt = true
max_body = 4096
[[rule]]
clients = ["ci", "agent"]
auth = "keep"
`)
	cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), HomeDir: dir})
	if errText != "" {
		t.Fatal(errText)
	}
	hash, err := policy.ParseSecretHash(someHash)
	if err != nil {
		t.Fatal(err)
	}
	want := []*policy.Client{
		{
			Name: "agent", Secret: hash, Listen: "unix:" + filepath.Join(dir, "agent.sock"),
			Networks:     []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")},
			Repositories: []rules.Glob{"acme/widgets"}, DefaultOwner: "acme", Permissions: map[string]string{"contents": "write"},
			Apps: []string{"bot"}, Hosts: []string{"api.github.com"},
			Allow: must(t, policy.ParseOperation, "graphql", "issues/create", "GET /repos/{owner}/{repo}/**"), Deny: must(t, policy.ParseOperation, "admin", "credentials"),
			GraphQL: policy.GraphQLWrite, Mutations: []string{"addComment"},
			Push: must(t, policy.ParseRefPattern, "refs/heads/agent/**"), DenyPush: must(t, policy.ParseRefPattern, "refs/heads/agent/main"),
			DeleteRefs: must(t, policy.ParseRefPattern, "refs/heads/agent/tmp-*"),
			Limits: policy.Limits{
				MaxConnections: 1, MaxRequests: 2, RequestsPerMinute: 3, MaxBody: 10 << 20, MaxConnectionAge: 90 * time.Minute, LookupsPerMinute: 4,
			},
		},
		{Name: "ci", Listen: "127.0.0.1:8081", Owners: []rules.Glob{"octo"}, DefaultOwner: "octo", ReadOnly: true, JWT: true, Limits: policy.Limits{MaxBody: 4096}},
	}
	diff := cmp.Diff(want, cfg.Clients.All(), cmpopts.IgnoreUnexported(policy.Client{}), cmpopts.EquateComparable(netip.Prefix{}),
		cmp.Comparer(func(a, b policy.Operation) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b policy.RefPattern) bool { return a.String() == b.String() }))
	if diff != "" {
		t.Errorf("Clients (-want +got):\n%s", diff)
	}
	if c, ok := cfg.Clients.ByName("ci"); !ok || c.Scope() == nil || len(cfg.Warnings) > 0 {
		t.Errorf("ByName(ci) = %+v, %v; warnings %q", c, ok, cfg.Warnings)
	}
	if got := cfg.Rules[0].Clients; !cmp.Equal(got, []string{"ci", "agent"}) {
		t.Errorf("Rules[0].Clients = %q", got)
	}
}

func must[T any](t *testing.T, parse func(string) (T, error), texts ...string) (list []T) {
	t.Helper()
	for _, text := range texts {
		value, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, value)
	}
	return list
}

func TestClientWithoutIdentity(t *testing.T) {
	if cfg, errText := load(t, minimal+"[client.x]\ngrants = true\n", nil); errText != "" || len(cfg.Warnings) != 0 || cfg.Clients.All()[0].NoGrants {
		t.Errorf("with grants: Load = %q, warnings %q", errText, cfg.Warnings)
	}
	if cfg, _ := load(t, minimal+"[client.x]\ngrants = false\n", nil); len(cfg.Warnings) != 1 || !cfg.Clients.All()[0].NoGrants {
		t.Errorf("without grants: warnings %q", cfg.Warnings)
	}
	cfg, errText := load(t, minimal+"[client.x]\nread_only = true\n", nil)
	if errText != "" || len(cfg.Warnings) != 1 || !strings.HasSuffix(cfg.Warnings[0], "config.toml:4: client.x: nobody can be this client\n\thint: give it secret_hash, networks, listen, certificate or oidc, or say grants = true if grants of it are all that there is") {
		t.Errorf("Load = %q, warnings %q", errText, cfg.Warnings)
	}
}

func TestClientFaults(t *testing.T) {
	client := func(lines string) string {
		return minimal + "[client.x]\nsecret_hash = \"" + someHash + "\"\n" + lines + "\n"
	}
	testFaults(t, []faultTest{
		{name: "names", text: minimal + "[client.\"a b\"]\nlisten = \"127.0.0.1:1\"\n[client.x.y]\n", want: []string{
			`config.toml:4: client."a b": not a name for a client`,
			"	hint: up to 64 letters, digits, - and _ are allowed",
			"config.toml:6: client.x.y: unknown key",
		}},
		{name: "no table", text: "client = 1\n" + minimal, want: []string{
			"config.toml:1: client: must be a table, not an integer",
			"	hint: every client has a name of your choice: [client.NAME]",
		}},
		{name: "identity", text: "listen = \"127.0.0.1:8080\"\n" + minimal + `[client.a]
secret_hash = "` + canary + `"
networks = ["10.0.0.1/8", "::ffff:10.0.0.0/104", "home", "fe80::1%eth0"]
listen = "localhost:8080"
[client.b]
networks = ["10.0.0.0/8"]
listen = "unix:"
[client.c]
networks = ["10.0.0.0/8"]
listen = "127.0.0.1:9"
[client.d]
listen = "0.0.0.0:9"
`, want: []string{
			"config.toml:6: client.a.secret_hash: not sha256: and 64 hexadecimal digits",
			"	hint: `ghapp-proxy client add NAME` makes a secret and prints its hash; the secret itself does not belong here",
			`config.toml:7: client.a.networks: "10.0.0.1/8": has more bits than the network, which is 10.0.0.0/8`,
			"	hint: write the network's own address",
			`config.toml:7: client.a.networks: "::ffff:10.0.0.0/104": write the IPv4 network`,
			`	hint: for example "10.1.0.0/16", "2001:db8::/32" or "192.0.2.7"`,
			`config.toml:7: client.a.networks: "home": not a network`,
			`	hint: for example "10.1.0.0/16", "2001:db8::/32" or "192.0.2.7"`,
			`config.toml:7: client.a.networks: "fe80::1%eth0": not a network`,
			`	hint: for example "10.1.0.0/16", "2001:db8::/32" or "192.0.2.7"`,
			"config.toml:8: client.a.listen: the proxy itself listens there",
			"	hint: give the client a port of its own",
			"config.toml:11: client.b.listen: the path is missing",
			`	hint: for example "unix:/run/ghapp-proxy/agent.sock"`,
			"config.toml:13: client.c.networks: [client.b] has 10.0.0.0/8 as well",
			"	hint: a network is of one client; of networks within each other, the smallest counts",
			"config.toml:16: client.d.listen: is not a loopback address, so that everybody who reaches it would be the client",
			"	hint: list the networks that it is for",
			"config.toml:16: client.d.listen: [client.c] listens there",
			"	hint: give each client a port or a path of its own",
		}},
		{name: "grants", text: client(`owners = ["acme"]
repositories = ["acme"]
permissions = { contents = "all" }
apps = ["bto"]
hosts = ["example.com"]
default_owner = "octo"
read_only = true
graphql = "write"
mutations = ["add comment"]
push = ["main"]
readonly = true`), want: []string{
			`config.toml:7: client.x.repositories: "acme": "acme" is not owner/repository`,
			`	hint: for example "acme/widgets", "acme/*" or "*/docs"`,
			"config.toml:7: client.x.repositories: owners is given as well: a client has one of them",
			`	hint: for all of an owner's repositories write repositories = ["acme/*"]`,
			`config.toml:8: client.x.permissions.contents: must be "read", "write" or "admin"`,
			"	hint: a permission that is not listed is not given",
			`config.toml:9: client.x.apps: no app named "bto"`,
			"	hint: apps defined here: bot",
			`config.toml:10: client.x.hosts: "example.com" is not served`,
			"	hint: the hosts of the Apps here: api.github.com, codeload.github.com, github.com, raw.githubusercontent.com, uploads.github.com",
			"config.toml:11: client.x.default_owner: not among the client's owners or repositories",
			"	hint: add it there, or choose one that is",
			"config.toml:13: client.x.graphql: read_only is given as well",
			"	hint: leave one of them out",
			`config.toml:14: client.x.mutations: "add comment": not the name of a mutation`,
			`	hint: for example "addComment", "createPullRequest"`,
			`config.toml:15: client.x.push: "main": a ref begins with refs/: a branch is "refs/heads/NAME", a tag is "refs/tags/NAME"`,
			`	hint: for example "refs/heads/agent/*", "refs/heads/**" or "refs/tags/v*"`,
			"config.toml:15: client.x.push: read_only is given as well",
			"	hint: leave one of them out",
			"config.toml:16: client.x.readonly: unknown key",
			`	hint: did you mean "read_only"?`,
		}},
		{name: "operations", text: client("allow = [\"issues/creat\", \"get /x\"]\ndeny = [\"no-such-thing\"]\ngraphql = \"none\"\n[client.y]\nlisten = \"127.0.0.1:1\"\ngraphql = \"read\"\nmutations = [\"x\"]"), want: []string{
			`config.toml:6: client.x.allow: "issues/creat": GitHub has no such operation`,
			`	hint: did you mean "issues/create"?`,
			`config.toml:6: client.x.allow: "get /x": a path comes after one method in capitals, or after *`,
			`	hint: for example "issues/create", "GET /repos/{owner}/{repo}/pulls/**", "credentials" or "admin"`,
			`config.toml:7: client.x.deny: "no-such-thing": GitHub has no such operation`,
			"	hint: GitHub's REST reference and `explain` know them, for example \"issues/create\"",
			`config.toml:8: client.x.graphql: "none" is none of deny, read, write`,
			"config.toml:12: client.y.mutations: the client may run no mutation at all",
			"	hint: leave mutations out",
		}},
		{name: "limits", text: client("max_connections = 0\nmax_requests = 10000000000\nrequests_per_minute = \"many\"\nmax_body = \"10MB\"\nmax_connection_age = \"1 day\"\n[client.y]\nlisten = \"127.0.0.1:1\"\nmax_body = \"99999999999GiB\"\nmax_connection_age = \"-1s\"\n[client.z]\nlisten = \"127.0.0.1:2\"\nmax_body = -1\n[client.w]\nlisten = \"127.0.0.1:3\"\nmax_body = 1.5"), want: []string{
			"config.toml:6: client.x.max_connections: must be positive",
			"config.toml:7: client.x.max_requests: must be 1000000000 at most",
			"	hint: leave the key out for the default",
			"config.toml:8: client.x.requests_per_minute: must be an integer, not a string",
			"	hint: write it without quotes",
			"config.toml:9: client.x.max_body: not a size",
			`	hint: a number of bytes, or text such as "512KiB", "10MiB" or "1GiB"`,
			"config.toml:10: client.x.max_connection_age: not a duration",
			`	hint: for example "90s", "30m" or "8h"`,
			"config.toml:13: client.y.max_body: not a size",
			`	hint: a number of bytes, or text such as "512KiB", "10MiB" or "1GiB"`,
			"config.toml:14: client.y.max_connection_age: not a duration",
			`	hint: for example "90s", "30m" or "8h"`,
			"config.toml:17: client.z.max_body: must be positive",
			"config.toml:20: client.w.max_body: must be an integer or a string, not a number with a fraction",
			`	hint: a number of bytes, or text such as "512KiB", "10MiB" or "1GiB"`,
		}},
		{name: "rule", text: client("[[rule]]\nclients = [\"x\", \"y\"]\nauth = \"none\""), want: []string{
			`config.toml:7: rule[1].clients: no client named "y"`,
			"	hint: clients defined here: x",
		}},
	})
}

// The address from the command line is the one that clients must not have.
func TestClientListenOverridden(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app.pem"), testPEM())
	write(t, filepath.Join(dir, "config.toml"), minimal+"[client.x]\nlisten = \"127.0.0.1:9999\"\n")
	_, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), Listen: "127.0.0.1:9999"})
	if !strings.Contains(errText, "client.x.listen: the proxy itself listens there") {
		t.Errorf("Load = %q", errText)
	}
}

// TestClientDefaultOwner: whoever is granted one owner only means that one.
func TestClientDefaultOwner(t *testing.T) {
	for granted, want := range map[string]string{
		`owners = ["Octo"]`:                             "octo",
		`repositories = ["octo/a", "Octo/b-*"]`:         "octo",
		`repositories = ["octo/a", "acme/b"]`:           "acme", // the proxy's
		`repositories = ["octo/a", "mega/b"]`:           "",
		`repositories = ["octo-*/a"]`:                   "",
		`owners = ["enterprises/mega"]`:                 "",
		`owners = ["enterprises/mega", "octo"]`:         "",
		`read_only = true`:                              "acme",
		"owners = [\"octo\"]\ndefault_owner = \"octo\"": "octo",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "app.pem"), testPEM())
		path := filepath.Join(dir, "config.toml")
		write(t, path, "default_owner = \"acme\"\n"+minimal+"\n[client.c]\nsecret_hash = \""+someHash+"\"\n"+granted+"\n")
		cfg, errText := loadIn(t, dir, Source{Path: path, HomeDir: dir})
		if errText != "" {
			t.Fatal(errText)
		}
		if got := cfg.Clients.All()[0].DefaultOwner; got != want {
			t.Errorf("%s: the default owner is %q, want %q", granted, got, want)
		}
	}
}
