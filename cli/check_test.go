package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// world is a fake GitHub, and a directory with a configuration that reaches it.
type world struct {
	*githubtest.Server
	dir string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	fake, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{fake, t.TempDir()}
	t.Cleanup(func() { fake.Close() })
	w.write(t, "ci-bot.pem", fake.App("ci-bot").PrivateKeyPEM())
	w.write(t, "release-bot.pem", fake.App("release-bot").PrivateKeyPEM())
	w.write(t, "github-ca.pem", fake.CAPEM())
	return w
}

func (w *world) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// configure writes the configuration: top goes above the first table, app into
// ci-bot's, more to the end.
func (w *world) configure(t *testing.T, top, app, more string) string {
	t.Helper()
	var to []string
	for from, address := range w.ConnectTo() {
		to = append(to, fmt.Sprintf("%q = %q", from, address))
	}
	if !strings.Contains(top, "listen") {
		top += "\nlisten = \"127.0.0.1:0\""
	}
	if !strings.Contains(app, "private_key_file") {
		app = "private_key_file = \"ci-bot.pem\"\n" + app
	}
	w.write(t, "config.toml", fmt.Appendf(nil, "state_dir = \"state\"\n%s\n[upstream]\nca_file = \"github-ca.pem\"\nconnect_to = { %s }\n[app.ci-bot]\nid = 12345\n%s\n%s\n",
		top, strings.Join(to, ", "), app, more))
	return filepath.Join(w.dir, "config.toml")
}

// examined runs `check` and returns what it found.
func (w *world) examined(t *testing.T, path string, args ...string) findings {
	t.Helper()
	var out, errOut bytes.Buffer
	status := Run(t.Context(), append([]string{"check", "--json", "-c", path}, args...), &out, &errOut)
	var got findings
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s%s", err, &out, &errOut)
	}
	if got.Status != status {
		t.Errorf("exit status %d, in the JSON %d", status, got.Status)
	}
	checkSchema(t, out.Bytes())
	if leaks := w.Leaks(append(out.Bytes(), errOut.Bytes()...)); len(leaks) > 0 {
		t.Errorf("%d secrets in %s", len(leaks), &out)
	}
	return got
}

// checkSchema sees that it is as check.schema.json says.
func checkSchema(t *testing.T, text []byte) {
	t.Helper()
	c := jsonschema.NewCompiler()
	schema, err := c.Compile("check.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

// lines are the findings, one a line, as "failed client.a.owners: text; remedy".
func (f findings) lines() string {
	var b strings.Builder
	for _, one := range f.Findings {
		fmt.Fprintf(&b, "%s %s: %s; %s\n", one.State, one.Subject, one.Text, one.Remedy)
	}
	return b.String()
}

const secretHash = "secret_hash = \"sha256:2192e8955d5e1ad1651f2f0c637e6f1ac82855747a5f42f978db28669595dc21\"\n"

// TestCheck changes the world, or what the configuration says of it, and looks at what
// is said about that.
func TestCheck(t *testing.T) {
	client := func(limits string) string { return "[client.a]\n" + secretHash + limits }
	rule := func(token string) string { return "[[rule]]\nowners = [\"acme\"]\nauth = \"installation\"\n" + token }
	for _, test := range []struct {
		name           string
		change         func(t *testing.T, w *world)
		top, app, more string
		want           []string // lines, or what is in them; of a failed one status 1 follows
		none           bool     // nothing but ok
	}{
		{name: "in order", app: "client_id = \"" + githubtest.CIBotClientID + "\"\ninstallations = { acme = 111, Initech = 333 }", change: func(t *testing.T, w *world) { w.Uninstall(444) }, want: []string{
			"ok api.github.com: reached at 127.0.0.1:", "ok clock: agrees with that of api.github.com", "ok : key: SHA256:",
			"ok : GitHub calls it ci-bot: id 12345", "ok installation 111: on acme, every repository: actions write,",
			"ok app.ci-bot.installations.acme: 111 is on acme", "ok app.ci-bot.installations.initech: 333 is on initech", "ok listen: 127.0.0.1:0 is free", "ok ca: none yet",
		}, none: true},
		{name: "the clock", change: func(_ *testing.T, w *world) { w.SetClockSkew(-150 * time.Minute) },
			want: []string{"warning clock: that of api.github.com is 2h", " behind this machine's, which is made up for; set the clock", "GitHub accepts it"}},
		{name: "a clock that is far off", change: func(_ *testing.T, w *world) { w.SetClockSkew(48 * time.Hour) },
			want: []string{"failed clock: that of api.github.com is 4", "ahead of this machine's: GitHub refuses", "failed : key: SHA256:", "set the clock of the machine"}},
		{name: "another App's key", app: `private_key_file = "release-bot.pem"`,
			want: []string{"failed : key: SHA256:", "GitHub answered 401", "check that the private key belongs to the App"}},
		{name: "a key that GitHub knows, and one that it does not", app: `private_key_file = ["release-bot.pem", "ci-bot.pem"]`,
			want: []string{"release-bot.pem: GitHub does not accept it, but another", "ci-bot.pem: GitHub accepts it"}},
		{name: "another App's client id", app: `client_id = "Iv23liOther"`,
			want: []string{`failed app.ci-bot.client_id: "Iv23liOther" is another App's: ci-bot has "` + githubtest.CIBotClientID + `"`}},
		{name: "no such App", change: func(_ *testing.T, w *world) {
			w.Handle("api.github.com", "/app", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.WriteHeader(404)
				io.WriteString(rw, `{"message":"Integration not found"}`)
			}))
		}, want: []string{"failed : key: SHA256:", "check id or client_id, and host: github.com has no such App"}},
		{name: "another account's installation", app: "installations = { acme = 333 }",
			want: []string{"failed : app.ci-bot.installations.acme = 333 is an installation on initech, not on acme; set it to 111"}},
		{name: "another App's installation", app: "installations = { globex = 222 }", more: "[app.release-bot]\nid = 67890\nprivate_key_file = \"release-bot.pem\"",
			want: []string{"failed app.ci-bot.installations.globex: 222 is no installation of the App ci-bot; move it to [app.release-bot]"}},
		{name: "no such installation", app: "installations = { acme = 99 }\ndefault_installation = 98", want: []string{
			"failed app.ci-bot.installations.acme: 99 is no installation of the App ci-bot; set it to 111, which is the installation on acme",
			"failed app.ci-bot.default_installation: 98 is no installation of the App ci-bot; leave it out",
		}},
		{name: "suspended", app: "installations = { umbrella = 444 }",
			want: []string{"warning installations: suspended on umbrella", "failed app.ci-bot.installations.umbrella: 444, on umbrella, is suspended; unsuspend"}},
		{name: "installed nowhere", change: func(_ *testing.T, w *world) { w.Uninstall(111); w.Uninstall(333); w.Uninstall(444) },
			want: []string{"warning installations: the App is installed nowhere"}},
		{name: "permissions that nobody has accepted", change: func(_ *testing.T, w *world) { w.Grant(333, "contents", "read") },
			want: []string{"warning installations: not all permissions that the App asks for were accepted on initech"}},
		{name: "a client's limits that are there", more: client(`repositories = ["acme/widgets", "acme/rock*", "initech/*"]` + "\n" + `permissions = { contents = "write" }`),
			want: []string{"ok : what it is limited to is there"}},
		{name: "a client's repositories", more: client(`repositories = ["acme/wadgets", "acme/docs-*", "globex/tools"]`), want: []string{
			`failed client.a.repositories: "acme/wadgets" is not among the repositories of an installation`,
			`warning client.a.repositories: "acme/docs-*" matches nothing`,
			`warning client.a.repositories: "globex/tools": no App that may be used is installed there`,
		}},
		{name: "a client's owners", more: client(`owners = ["acme", "umbrella", "evil-*"]` + "\n" + `default_owner = "umbrella"`), want: []string{
			`warning client.a.owners: "umbrella": no App`, `warning client.a.owners: "evil-*": no App`, `warning client.a.default_owner: "umbrella"`,
		}},
		{name: "a client's permissions", change: func(_ *testing.T, w *world) { w.Grant(333, "contents", "read"); w.Grant(333, "checks", "") },
			more: client(`permissions = { secrets = "read", contents = "write", checks = "read" }`), want: []string{
				`failed client.a.permissions.secrets: "read" is granted by no installation: acme (none), initech (none)`,
				`warning client.a.permissions.contents: "write" is not granted by all: initech (read)`,
				`warning client.a.permissions.checks: "read" is not granted by all: initech (none)`,
			}},
		{name: "repositories that cannot be listed", change: func(_ *testing.T, w *world) {
			w.Handle("api.github.com", "/installation/repositories", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(404) }))
		}, more: client(`repositories = ["acme/widgets"]`), want: []string{`warning client.a.repositories: "acme/widgets": not found, but App ci-bot could not list`}},
		{name: "rules", more: rule(`token = { repositories = ["widgets", "wadgets"], permissions = { secrets = "read" } }`) +
			"\n" + `[[rule]]` + "\nauth = \"installation\"\ninstallation = 99\n" + rule(`token = { repository_ids = [9001, 4711] }`), want: []string{
			`failed rule[1].token.repositories: "wadgets" is not`, `failed rule[1].token.permissions.secrets: "read" is granted by no installation: acme (none)`,
			`failed rule[2].installation: 99 is no installation`, `failed rule[3].token.repository_ids: 4711 is not`,
		}},
		{name: "the admin listener", more: "[admin]\nlisten = \"127.0.0.1:0\"", want: []string{"ok admin.listen: 127.0.0.1:0 is free"}},
		{name: "a CA that ends soon", top: "", more: "[ca]\ncert_file = \"ca.pem\"\nkey_file = \"ca.pem\"", change: func(t *testing.T, w *world) { w.write(t, "ca.pem", endingCA(t)) },
			want: []string{"warning ca: ", "the CA expires soon, on ", "put other files in place of [ca]", "limited to no names"}},
		{name: "rules that are in order", more: rule(`token = { repositories = ["widgets"], permissions = { contents = "read" } }`),
			want: []string{"ok : 1 choose an installation or narrow its tokens, to what is there"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if test.change != nil {
				test.change(t, w)
			}
			got := w.examined(t, w.configure(t, test.top, test.app, test.more))
			status := 0
			for _, want := range test.want {
				if !strings.Contains(got.lines(), want) {
					t.Errorf("no %q in\n%s", want, got.lines())
				}
				if strings.HasPrefix(want, "failed") {
					status = 1
				}
			}
			if got.Status != status {
				t.Errorf("status %d, want %d:\n%s", got.Status, status, got.lines())
			}
			if strings.Contains(strings.ReplaceAll(got.lines(), "warning upstream.ca_file", ""), "warning") && test.none {
				t.Errorf("warnings:\n%s", got.lines())
			}
		})
	}
}

// TestCheckLeavesNothing: neither tokens nor files remain.
func TestCheckLeavesNothing(t *testing.T) {
	w := newWorld(t)
	path := w.configure(t, "audit_log = \"audit.jsonl\"", "", "[client.a]\n"+secretHash+"repositories = [\"acme/w*\"]")
	before, _ := os.ReadDir(w.dir)
	w.examined(t, path)
	if after, _ := os.ReadDir(w.dir); len(after) != len(before) {
		t.Errorf("there are %d files, before there were %d", len(after), len(before))
	}
	if w.Mints() != 1 {
		t.Fatalf("%d tokens were minted, want one", w.Mints())
	}
	for _, r := range w.Requests() {
		if r.Method == http.MethodDelete && r.Path() == "/installation/token" {
			return
		}
	}
	t.Error("the token was not revoked")
}

// TestCheckMany: what it costs has a bound, which is said.
func TestCheckMany(t *testing.T) {
	w := newWorld(t)
	for i := range maxListed + 10 {
		login := fmt.Sprintf("org-%d", i)
		if _, err := w.AddAccount(githubtest.Account{ID: int64(100000 + i), Login: login, Type: githubtest.TypeOrganization}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Install(githubtest.Installation{App: githubtest.CIBotID, Account: login}); err != nil {
			t.Fatal(err)
		}
	}
	got := w.examined(t, w.configure(t, "", "", "[client.a]\n"+secretHash+"repositories = [\"*/docs\"]"))
	if want := `warning client.a.repositories: "*/docs": not found, but the repositories of the first 50 installations only were looked at`; !strings.Contains(got.lines(), want) {
		t.Errorf("no %q in\n%s", want, got.lines())
	}
	if w.Mints() != maxListed {
		t.Errorf("%d tokens were minted, want %d", w.Mints(), maxListed)
	}
}

// TestProgress: of a line that says how far something is nothing remains.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out}
	p.clear()
	p.say("%d installations", 100)
	p.say("%d installations", 200)
	p.clear()
	p.clear()
	if got, want := out.String(), "\r\x1b[K100 installations\r\x1b[K200 installations\r\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	(*progress)(nil).say("nothing")
	(*progress)(nil).clear()
}

// TestCheckListeners: what is in the way is told from a proxy that runs.
func TestCheckListeners(t *testing.T) {
	dir := t.TempDir()
	status := make(chan string, 1) // as the program there answers
	listen := func(network, address string) string {
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Proxy-Status", <-status) })}
		go srv.Serve(ln)
		t.Cleanup(func() { srv.Close() })
		return ln.Addr().String()
	}
	tcp, socket := listen("tcp", "127.0.0.1:0"), filepath.Join(dir, "used.sock")
	listen("unix", socket)
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const other, ours = "nginx; error=x", "ghapp-proxy; error=http_request_error"
	for _, test := range []struct {
		address, status string
		want            state
		text            string
	}{
		{tcp, other, stateFailed, "address already in use"},
		{tcp, ours, stateOK, "a ghapp-proxy is running on " + tcp},
		{"unix:" + socket, other, stateFailed, "somebody listens on " + socket},
		{"unix:" + socket, ours, stateOK, "a ghapp-proxy is running on unix:" + socket},
		{"unix:" + dir + "/new.sock", "", stateOK, "is free"},
		{"unix:" + dir + "/file", "", stateFailed, "is there, and no socket"},
		{"unix:" + dir + "/none/new.sock", "", stateFailed, "no such file or directory"},
	} {
		if test.status != "" {
			status <- test.status
		}
		if got := checkListener(t.Context(), "listen", test.address, answersAsProxy); got.State != test.want || !strings.Contains(got.Text, test.text) {
			t.Errorf("%+v, want %q", got, test.text)
		}
	}
}

// TestCheckUnreachable: each question ends in its time, and at once if it is
// interrupted.
func TestCheckUnreachable(t *testing.T) {
	w := newWorld(t)
	path := w.configure(t, "", "installations = { acme = 111 }", "")
	block := make(chan bool)
	defer close(block)
	w.Handle("api.github.com", "/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	start := time.Now()
	got := w.examined(t, path, "--timeout", "100ms")
	if got.Status != 1 || !strings.Contains(got.lines(), "failed api.github.com: no answer within 100ms (--timeout) (tried at 127.0.0.1:") {
		t.Errorf("%s", got.lines())
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, interrupt)
	var out bytes.Buffer
	start = time.Now()
	if status := Run(ctx, []string{"check", "-c", path, "--timeout", "10m"}, &out, &out); status != 1 || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("status %d: %s", status, &out)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("interrupted, it took %v", took)
	}
}

// TestCheckDown: a host that is down is told from one that is slow.
func TestCheckDown(t *testing.T) {
	w := newWorld(t)
	path := w.configure(t, "", "", "")
	w.Close()
	if got := w.examined(t, path); !strings.Contains(got.lines(), "failed api.github.com: could not be reached: dial tcp") || !strings.Contains(got.lines(), "connection refused (tried at 127.0.0.1:") ||
		!strings.Contains(got.lines(), "check upstream.connect_to") {
		t.Errorf("%s", got.lines())
	}
}

// TestWriteGroup: what others chose does not reach a terminal as it is.
func TestWriteGroup(t *testing.T) {
	var all findings
	list := all.add("App", []finding{
		good("", "fine"), dubious("look\nhere", "clock", "is \x1b[31mslow\r"), bad("", "key", "%v", errors.New("no\u202egood")),
	})
	for i := range 25 {
		list = append(list, good("installation", "%d", i))
	}
	for _, test := range []struct {
		terminal terminal
		want     string
	}{
		{terminal{unicode: true}, "App\n  ✓ fine\n  ! clock: is  [31mslow \n    look\n    here\n  ✗ key: no good\n  ✓ installation: 0\n"},
		{terminal{}, "App\n  ok   fine\n  !    clock: is  [31mslow \n       look\n       here\n  FAIL key: no good\n  ok   installation: 0\n"},
		{terminal{colours: true, unicode: true}, "\x1b[1mApp\x1b[0m\n  \x1b[32m✓\x1b[0m fine\n  \x1b[33m!\x1b[0m clock: is  [31mslow \n    \x1b[2mlook\n    here\x1b[0m\n  \x1b[31m✗\x1b[0m key: no good\n"},
	} {
		var out bytes.Buffer
		if err := test.terminal.writeGroup(&out, "App", list); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.HasPrefix(got, test.want) || !strings.Contains(got, "and 6 more in order: --json has them all\n") {
			t.Errorf("%+v:\n%q\nwant\n%q", test.terminal, got, test.want)
		}
	}
}
