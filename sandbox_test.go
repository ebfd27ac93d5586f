//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/githubtest"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: it is gone, and what is in
// it, when nobody holds it any more, however the test ends.
type namespace struct{ path string }

// newNamespace makes an empty namespace. Without the privilege to, it skips the
// test, or fails it where everything must be there.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	var held *os.File
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		held, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if errors.Is(err, unix.EPERM) && os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close() })
	return &namespace{fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), held.Fd())}
}

// onThread runs f on a thread of its own, which ends with it: a thread that has
// been to another namespace must not serve anybody else.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		done <- f()
	}()
	return <-done
}

// within runs f in the namespace. What it listens on stays there.
func (ns *namespace) within(t *testing.T, f func() error) {
	t.Helper()
	err := onThread(func() error {
		fd, err := unix.Open(ns.path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// command is a command in the namespace.
func (ns *namespace) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + ns.path}, args...)...)
}

// shell runs commands in the namespace.
func (ns *namespace) shell(t *testing.T, script string) {
	t.Helper()
	if out, err := ns.command(t.Context(), "sh", "-euc", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// sandbox is three machines: a client that can reach the proxy alone, the
// proxy, and the rest of the world, with GitHub and a network of its own.
type sandbox struct {
	client, proxy, outside *namespace
	github                 *githubtest.Server
	reached                atomic.Int32 // requests to the internal network
	home                   string       // of the client
	secret                 string
}

// The addresses in the sandbox.
const (
	proxyInside  = "10.1.0.1" // for the client, at 10.1.0.2
	proxyOutside = "10.2.0.1"
	outsideHost  = "10.2.0.2"
	metadataHost = "169.254.169.254"
	nobody       = 65534 // the client's user
)

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	s := &sandbox{client: newNamespace(t), proxy: newNamespace(t), outside: newNamespace(t)}
	s.connect(t)
	s.outside.within(t, func() (err error) {
		s.github, err = githubtest.Demo(githubtest.Options{Addr: outsideHost + ":0"})
		return err
	})
	t.Cleanup(func() { s.github.Close() })
	s.serveInternal(t)

	var err error
	if s.home, err = os.MkdirTemp("", "sandbox-"); err != nil { // t.TempDir is closed to other users
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(s.home) })
	if err := os.Chown(s.home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	s.serveProxy(t)
	return s
}

// connect links the client to the proxy and that to the outside. The proxy is
// the client's router and the outside knows the way back: that it forwards
// nothing is all that stands in between.
func (s *sandbox) connect(t *testing.T) {
	t.Helper()
	s.proxy.shell(t, `
		f=/proc/sys/net/ipv4/ip_forward
		[ "$(cat $f)" = 0 ] || echo 0 >$f # taken over from the host
		ip link set lo up
		ip link add inside type veth peer name eth0 netns `+s.client.path+`
		ip link add outside type veth peer name eth0 netns `+s.outside.path+`
		ip addr add `+proxyInside+`/24 dev inside
		ip addr add `+proxyOutside+`/24 dev outside
		ip link set inside up
		ip link set outside up
		ip route add default via `+outsideHost+` onlink dev outside`)
	s.client.shell(t, `
		ip link set lo up
		ip addr add 10.1.0.2/24 dev eth0
		ip link set eth0 up
		ip route add default via `+proxyInside)
	s.outside.shell(t, `
		ip link set lo up
		ip addr add `+outsideHost+`/24 dev eth0
		ip addr add `+metadataHost+`/32 dev eth0
		ip link set eth0 up
		ip route add 10.1.0.0/24 via `+proxyOutside)
}

// serveInternal is the web server that the client must not reach, the metadata
// service of a cloud among its names.
func (s *sandbox) serveInternal(t *testing.T) {
	t.Helper()
	var ln net.Listener
	s.outside.within(t, func() (err error) {
		ln, err = net.Listen("tcp", ":80")
		return err
	})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.reached.Add(1)
		fmt.Fprintln(w, "internal")
	})}
	go server.Serve(ln) // until it is closed
	t.Cleanup(func() { server.Close() })
}

// serveProxy starts the proxy as docs/sandbox.md has it, with this GitHub
// behind it and a secret that `client add` made.
func (s *sandbox) serveProxy(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	program := buildProgram(t, s.home)
	config := filepath.Join(dir, "config.toml")
	text := s.documented(t) + fmt.Sprintf("\n[upstream]\nca_file = \"github-ca.pem\"\nconnect_to = { %s }\n", connectTo(s.github))
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ci-bot.pem", string(s.github.App("ci-bot").PrivateKeyPEM()))
	write("github-ca.pem", string(s.github.CAPEM()))
	write("config.toml", text)

	environ := append(os.Environ(), "XDG_STATE_HOME="+dir)
	add := exec.CommandContext(t.Context(), program, "client", "add", "agent", "--config", config)
	add.Env = environ
	added, err := add.Output()
	if err != nil {
		t.Fatal(err)
	}
	made := regexp.MustCompile(`(?s)http://agent:(\w+)@PROXY-HOST:8080\n.*(secret_hash = "\S+")`).FindStringSubmatch(string(added))
	if made == nil {
		t.Fatalf("client add printed %s", added)
	}
	s.secret = made[1]
	write("config.toml", regexp.MustCompile(`(?m)^secret_hash = "[^"]*"`).ReplaceAllLiteralString(text, made[2]))

	serve := s.proxy.command(context.Background(), // startProxy ends it
		program, "serve", "--log-format", "text", "--config", config)
	serve.Env = environ
	startProxy(t, serve)
}

// documented is the first configuration in docs/sandbox.md.
func (s *sandbox) documented(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "```toml\n")
	text, _, closed := strings.Cut(text, "```")
	if !found || !closed {
		t.Fatal("docs/sandbox.md has no configuration")
	}
	return text
}

// asClient runs a shell's command as the client and returns what it printed.
func (s *sandbox) asClient(t *testing.T, script string) (printed string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := s.client.command(ctx, "--setuid", strconv.Itoa(nobody), "--setgid", strconv.Itoa(nobody), "sh", "-c", script)
	cmd.Dir = s.home
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "PROXY=http://" + proxyInside + ":8080", "SECRET=" + s.secret,
		"GITHUB=" + s.github.Addr(), "GIT_CONFIG_NOSYSTEM=1", "GH_NO_UPDATE_NOTIFIER=1", "NO_COLOR=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out), err == nil
}

// A client in a network of its own works through the proxy, within its limits,
// and reaches nothing else: neither by itself nor by way of the proxy.
func TestSandbox(t *testing.T) {
	for _, tool := range []string{"curl", "gh", "git", "ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	s := newSandbox(t)
	// The proxy's machine reaches everything that the client must not.
	s.proxy.shell(t, "curl -sSf http://"+outsideHost+"/ http://"+metadataHost+"/ && curl -sSk https://"+s.github.Addr())
	before := s.reached.Load()
	if before != 2 {
		t.Fatalf("%d requests reached the internal network, want 2", before)
	}

	const (
		environ = ". ./env.sh; "
		direct  = "curl -sS --noproxy '*' --connect-timeout 1 "
		// curl's statuses: it could not connect, or not in time.
		unreachable = `^curl: \((7|28)\) `
	)
	for _, step := range []struct {
		name, script string
		works        bool
		prints       string
	}{
		{"take the certificate", "curl -sSf -o ca.pem $PROXY/ca.pem", true, "^$"},
		{"set up the tools", "./ghapp-proxy env --shell bash --proxy-url http://agent:$SECRET@${PROXY#http://} --ca ca.pem --dir trust >env.sh", true, "Java"},

		{"clone", environ + "git clone -q https://github.com/acme/widgets", true, "^$"},
		{"push to its branch", environ + "cd widgets && git switch -qc agent/fix && git commit -q --allow-empty -m fix && git push origin agent/fix", true, `\[new branch\] +agent/fix -> agent/fix`},
		{"find it there", environ + `cd widgets && test "$(git ls-remote origin refs/heads/agent/fix | cut -f1)" = "$(git rev-parse HEAD)"`, true, "^$"},
		{"push to main", environ + "cd widgets && git push origin HEAD:main", false, `\[remote rejected\] HEAD -> main \(ghapp-proxy: client agent may not push to "refs/heads/main" \(client\.agent\.push\)\)`},
		{"find main as it was", environ + `cd widgets && test "$(git ls-remote origin refs/heads/main | cut -f1)" = "$(git rev-parse origin/main)"`, true, "^$"},
		{"use gh", environ + "gh pr create -R acme/widgets --head agent/fix --title fix --body text", true, `github\.com/acme/widgets/pull/\d+`},

		{"clone another repository", environ + "git clone https://github.com/acme/rockets", false, `remote: ghapp-proxy: client agent is not granted the repository acme/rockets`},
		{"read another repository", environ + "gh api repos/globex/tools", false, `ghapp-proxy: client agent is not granted the repository globex/tools`},
		{"act as the App", environ + "gh api repos/acme/widgets/installation", false, `ghapp-proxy: client agent .*client\.agent\.jwt`},
		{"use the proxy without the secret", "curl -sSv --cacert ca.pem -x $PROXY https://api.github.com/app", false, `HTTP/1.1 407 (?s:.*)details="this proxy serves only clients that it knows"`},

		{"the internal host", direct + "http://" + outsideHost, false, unreachable},
		{"GitHub", direct + "-k https://$GITHUB", false, unreachable},
		{"the metadata service", direct + "http://" + metadataHost, false, unreachable},
		{"the internal host by the proxy", environ + "curl -sSf http://" + outsideHost, false, "403"},
		{"why not", environ + "curl -sS http://" + outsideHost, true, "^ghapp-proxy: egress to 10.2.0.2:80 is not allowed; add it to egress.allow"},
		{"the internal host by a tunnel", environ + "curl -sSvp http://" + outsideHost, false, "HTTP/1.1 403 ghapp-proxy: egress to 10.2.0.2:80 is not allowed"},
		{"GitHub by a tunnel", environ + "curl -sSvk https://$GITHUB", false, `HTTP/1.1 403 ghapp-proxy: egress to 10.2.0.2:\d+ is not allowed`},
		{"GitHub's port by a tunnel", environ + "curl -sSvk https://github.com:${GITHUB#*:}", false, `HTTP/1.1 403 ghapp-proxy: port \d+ of github.com is not served`},
		{"the metadata service by the proxy", environ + "curl -sSf http://" + metadataHost, false, "403"},
		{"the metadata service by a tunnel", environ + "curl -sSvp http://" + metadataHost, false, "HTTP/1.1 403 ghapp-proxy: egress to 169.254.169.254:80 is not allowed"},
		{"the proxy by a tunnel", environ + "curl -sSvp --noproxy - http://127.0.0.1:8080", false, "HTTP/1.1 403 ghapp-proxy: egress to 127.0.0.1:8080 is not allowed"},
	} {
		if printed, ok := s.asClient(t, step.script); ok != step.works || !regexp.MustCompile(step.prints).MatchString(printed) {
			t.Errorf("%s: %s: worked %v, want %v; want %q in\n%s", step.name, step.script, ok, step.works, step.prints, printed)
		}
	}

	if after := s.reached.Load(); after != before {
		t.Errorf("%d requests of the client reached the internal network", after-before)
	}
	for _, r := range s.github.Requests() {
		if strings.Contains(r.Path(), "rockets") || strings.Contains(r.Path(), "tools") {
			t.Errorf("%v arrived, about a repository that is not granted", r)
		}
	}
	if err := noSecrets(s.github, s.home, ""); err != nil {
		t.Error(err)
	}
}
