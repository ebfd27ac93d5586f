package main

import (
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/certs"
	"ghapp-proxy/githubtest"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ghapp-proxy": main, watchedCommand: watched})
}

// clients are the real tools that the stories use.
var clients = []string{"curl", "gh", "git", "git-lfs", "node"}

// librariesEnv names a directory with what the stories about libraries use, and
// .ci/run puts there.
const librariesEnv = "GHAPP_PROXY_LIBRARIES"

// libraries are those files.
var libraries = []string{"ghinstallation", "node_modules/@octokit/auth-app", "node_modules/@octokit/core", "node_modules/undici"}

func hasLibrary(name string) bool {
	dir := os.Getenv(librariesEnv)
	_, err := os.Stat(filepath.Join(dir, name))
	return dir != "" && err == nil
}

// hasRoots reports whether the machine has certificates that it trusts. Debian's
// minimal images have none; a test names the fake's then.
func hasRoots() bool {
	_, err := certs.SystemRoots{}.Bundle()
	return err == nil
}

// The stories skip where a client is missing; where all must be there, as in
// CI, GHAPP_PROXY_REQUIRE_CLIENTS is set.
func TestClientsAreInstalled(t *testing.T) {
	if os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") == "" {
		t.Skip("GHAPP_PROXY_REQUIRE_CLIENTS is not set")
	}
	for _, name := range clients {
		if _, err := exec.LookPath(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range libraries {
		if !hasLibrary(name) {
			t.Errorf("there is no %s in $%s", name, librariesEnv)
		}
	}
}

// Each story of testdata/script has a fake GitHub of its own, and $CONFIG
// names a configuration of ghapp-proxy that reaches it.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setUpStory,
		Condition: func(cond string) (bool, error) {
			if name, ok := strings.CutPrefix(cond, "library:"); ok {
				return hasLibrary(name), nil
			}
			if module, ok := strings.CutPrefix(cond, "python:"); ok { // of Debian's Python, for which Debian has modules
				return exec.Command("/usr/bin/python3", "-c", "import "+module).Run() == nil, nil
			}
			switch cond {
			case "root":
				return os.Getuid() == 0, nil
			case "roots": // the system trusts somebody
				return hasRoots(), nil
			case "localhost": // is a name here, which takes an /etc/hosts
				_, err := net.LookupHost("localhost")
				return err == nil, nil
			case "sandbox":
				return makesSandboxes(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: storyCommands,
	})
}

// makesSandboxes reports whether run --sandbox works here. Where
// GHAPP_PROXY_REQUIRE_SANDBOX is set it has to, and the stories say why not.
var makesSandboxes = sync.OnceValue(func() bool {
	return os.Getenv("GHAPP_PROXY_REQUIRE_SANDBOX") != "" || exec.Command("ghapp-proxy", "run", "--sandbox=check").Run() == nil
})

var storyCommands = map[string]func(*testscript.TestScript, bool, []string){
	"arrived":       arrived,
	"mints":         mints,
	"github":        changeGitHub,
	"limit":         limit,
	"waitfor":       waitFor,
	"noleaks":       noLeaks,
	"mistake":       mistake,
	"behindcompany": behindCompany,
	"issuer":        issuerCommand,
}

type githubKey struct{}

// setUpStory starts the fake GitHub and writes keys and configuration.
func setUpStory(env *testscript.Env) error {
	github, err := githubtest.Demo(githubtest.Options{Instances: []string{"ghe.example.com"}})
	if err != nil {
		return err
	}
	env.Values[githubKey{}] = github
	keys := filepath.Join(env.WorkDir, "keys")
	for _, dir := range []string{keys, filepath.Join(env.WorkDir, "home"), filepath.Join(env.WorkDir, "tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := writeConfig(env.WorkDir, github); err != nil {
		return err
	}
	env.Vars = append(env.Vars,
		"LIBRARIES="+os.Getenv(librariesEnv),
		"CONFIG="+filepath.Join(env.WorkDir, "config.toml"),
		"GHAPP_PROXY_CONFIG="+filepath.Join(env.WorkDir, "config.toml"),
		"HOME="+filepath.Join(env.WorkDir, "home"),
		"TMPDIR="+filepath.Join(env.WorkDir, "tmp"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GH_NO_UPDATE_NOTIFIER=1", "NO_COLOR=1",
		"GHAPP_PROXY_LOG_FORMAT=text", // what the stories look for in logs
	)
	if !hasRoots() {
		env.Setenv("SSL_CERT_FILE", filepath.Join(keys, "github-ca.pem"))
	}
	env.Defer(func() {
		if err := noSecrets(github, env.WorkDir, keys); err != nil {
			env.T().Log(err)
			env.T().FailNow()
		}
		if err := github.Close(); err != nil {
			env.T().Log(err)
			env.T().FailNow()
		}
	})
	return nil
}

// withRelay is turned off to have the stories' requests read by net/http's server.
var withRelay = flag.Bool("relay", true, "relay requests of HTTP/1.1")

// writeConfig writes dir/config.toml, and below dir/keys what it refers to.
func writeConfig(dir string, github *githubtest.Server) error {
	for name, text := range map[string][]byte{
		"keys/github-ca.pem":   github.CAPEM(),
		"keys/ci-bot.pem":      github.App("ci-bot").PrivateKeyPEM(),
		"keys/release-bot.pem": github.App("release-bot").PrivateKeyPEM(),
		"config.toml": fmt.Appendf(nil, `relay = %t
listen = "127.0.0.1:0"

[app.ci-bot]
id = %d
private_key_file = "keys/ci-bot.pem"
[app.ci-bot.installations]
acme = 111

[app.release-bot]
id = %d
private_key_file = "keys/release-bot.pem"
[app.release-bot.installations]
globex = 222

[upstream]
ca_file = "keys/github-ca.pem"
connect_to = { %s }
`, *withRelay, github.App("ci-bot").ID, github.App("release-bot").ID, connectTo(github)),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// connectTo is the inline table that sends everything to the fake GitHub.
func connectTo(github *githubtest.Server) string {
	var entries []string
	for from, to := range github.ConnectTo() {
		entries = append(entries, fmt.Sprintf("%q = %q", from, to))
	}
	return strings.Join(entries, ", ")
}

// noSecrets fails if a token or a key stands in any file that a story left
// behind, save for the keys themselves: clones, state, logs, what it saved of
// its output.
func noSecrets(github *githubtest.Server, dir, except string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == except:
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if leaks := github.Leaks(text); len(leaks) > 0 {
			return fmt.Errorf("%s contains %d secrets", path, len(leaks))
		}
		return nil
	})
}

func fakeOf(ts *testscript.TestScript) *githubtest.Server {
	return ts.Value(githubKey{}).(*githubtest.Server)
}

// arrived METHOD HOST PATH-REGEXP CREDENTIAL [INSTALLATION] checks that such a
// request arrived at the fake GitHub; with !, that none did.
func arrived(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: [!] arrived METHOD HOST PATH-REGEXP CREDENTIAL [INSTALLATION]")
	}
	path, err := regexp.Compile("^" + args[2] + "$")
	ts.Check(err)
	var seen strings.Builder
	for _, r := range fakeOf(ts).Requests() {
		fmt.Fprintln(&seen, r)
		if r.Method != args[0] || r.Host != args[1] || !path.MatchString(r.Path()) || string(r.Credential) != args[3] {
			continue
		}
		if len(args) > 4 && strconv.FormatInt(r.Installation, 10) != args[4] {
			continue
		}
		if neg {
			ts.Fatalf("it arrived: %v", r)
		}
		return
	}
	if !neg {
		ts.Fatalf("it did not arrive; these did:\n%s", seen.String())
	}
}

// mints N checks how many tokens were minted; with !, that it were not so many.
func mints(ts *testscript.TestScript, neg bool, args []string) {
	if got := strconv.Itoa(fakeOf(ts).Mints()); len(args) != 1 || (got == args[0]) == neg {
		ts.Fatalf("%s tokens were minted, want %v (or not: %v)", got, args, neg)
	}
}

// github reset | revoke | lifetime DURATION | suspend ID | uninstall ID | reinstall ID |
// young AGE STATUS | addkey APP FILE | removekeys APP changes the fake GitHub;
// young makes it refuse tokens that are younger; addkey gives an App another key
// and writes it to the file, removekeys deletes all others.
func changeGitHub(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 3 && args[0] == "young" {
		age, err := time.ParseDuration(args[1])
		ts.Check(err)
		status, err := strconv.Atoi(args[2])
		ts.Check(err)
		fakeOf(ts).RejectYoungTokens(age, status)
		return
	}
	if len(args) == 2 && args[0] == "lifetime" { // of tokens that are minted from now on
		life, err := time.ParseDuration(args[1])
		ts.Check(err)
		fakeOf(ts).SetTokenLifetime(life)
		return
	}
	if len(args) == 3 && args[0] == "addkey" || len(args) == 2 && args[0] == "removekeys" {
		changeKeys(ts, args)
		return
	}
	var id int64
	if len(args) > 1 {
		var err error
		id, err = strconv.ParseInt(args[1], 10, 64)
		ts.Check(err)
	}
	switch strings.Join(args[:1], "") {
	case "reset":
		fakeOf(ts).Reset()
	case "suspend":
		fakeOf(ts).Suspend(id)
	case "uninstall":
		fakeOf(ts).Uninstall(id)
	case "reinstall":
		_, err := fakeOf(ts).Reinstall(id)
		ts.Check(err)
	case "revoke":
		fakeOf(ts).RevokeAll()
	default:
		ts.Fatalf("usage: github reset | revoke | lifetime DURATION | suspend ID | uninstall ID | reinstall ID | young AGE STATUS | addkey APP FILE | removekeys APP")
	}
}

// limit primary INSTALLATION DURATION | limit secondary STATUS PATH COUNT
// DURATION makes the fake answer as GitHub does to those who ask too often.
func limit(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 && len(args) != 5 {
		ts.Fatalf("usage: limit primary INSTALLATION DURATION | limit secondary STATUS PATH COUNT DURATION")
	}
	wait, err := time.ParseDuration(args[len(args)-1])
	ts.Check(err)
	number, err := strconv.Atoi(args[1])
	ts.Check(err)
	if len(args) == 3 {
		fakeOf(ts).ExhaustRateLimit(int64(number), wait)
		return
	}
	count, err := strconv.Atoi(args[3])
	ts.Check(err)
	fakeOf(ts).Inject(githubtest.Fault{
		Match: githubtest.OnPath(args[2]), Count: count, Do: githubtest.SecondaryRateLimit(number, wait),
	})
}

// changeKeys changes the keys of an App.
func changeKeys(ts *testscript.TestScript, args []string) {
	app := fakeOf(ts).App(args[1])
	if app == nil {
		ts.Fatalf("no App %s", args[1])
	}
	if args[0] == "removekeys" {
		fakeOf(ts).RemoveOldKeys(app)
		return
	}
	text, err := fakeOf(ts).AddKey(app)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), text, 0o600))
}

// waitFor FILE REGEXP [VARIABLE] waits until the file has text that matches,
// and sets the variable to the first group.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP [VARIABLE]")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil {
			continue // not there yet
		}
		if match := pattern.FindSubmatch(text); match != nil {
			if len(args) > 2 {
				ts.Setenv(args[2], string(match[1]))
			}
			return
		}
	}
	ts.Fatalf("%s never matched %q: %s", args[0], args[1], ts.ReadFile(args[0]))
}

// noLeaks FILE… checks what the last command printed, and files.
func noLeaks(ts *testscript.TestScript, _ bool, files []string) {
	for _, name := range append([]string{"stdout", "stderr"}, files...) {
		if leaks := fakeOf(ts).Leaks([]byte(ts.ReadFile(name))); len(leaks) > 0 {
			ts.Fatalf("%s contains %d secrets", name, len(leaks))
		}
	}
}
