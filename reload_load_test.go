//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
)

const (
	// reloadEnv is for how many rounds of all changes TestReloadUnderLoad lasts; one
	// where it is not set.
	reloadEnv = "GHAPP_PROXY_RELOADS"
	// loadPath is what clients ask for; the fake GitHub counts it apart.
	loadPath = "/repos/acme/widgets/load"
)

// load is clients that ask without a pause, and a GitHub that counts.
type load struct {
	github *githubtest.Server
	dir    string
	roots  *x509.CertPool // of the proxy
	proxy  string         // its address
	echo   string         // of a host that is not served

	asked, answered, arrived, echoed atomic.Int64
	ended                            context.Context
	end                              context.CancelFunc
	clients                          sync.WaitGroup

	mu   sync.Mutex
	lost []string
}

func newLoad(t *testing.T) *load {
	t.Helper()
	l := &load{github: githubtest.Start(t, githubtest.Options{}), dir: t.TempDir(), roots: x509.NewCertPool()}
	if err := writeConfig(l.dir, l.github); err != nil {
		t.Fatal(err)
	}
	l.github.Handle("api.github.com", loadPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.arrived.Add(1)
		body, _ := io.ReadAll(r.Body)
		time.Sleep(5 * time.Millisecond) // so that something is under way
		w.Write(body)
	}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go echoAll(ln)
	l.echo = ln.Addr().String()
	l.ended, l.end = context.WithCancel(context.Background())
	return l
}

// config is the configuration with changes: lines before, and tables after.
func (l *load) config(t *testing.T, change func(text string) string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(l.echo)
	all := "shutdown_delay = \"1s\"\n" + string(text) + fmt.Sprintf("\n[cache]\nsize = \"0\" # or those who ask the same share one request\n\n[governor]\nenabled = false # they ask for more than GitHub allows\n\n[egress]\nallow = [\"%s:%s\"]\n", host, port)
	for _, name := range []string{"a", "b", "c"} {
		all += fmt.Sprintf("\n[client.%s]\nsecret_hash = %q\nmax_connections = 400\nmax_requests = 400\n", name, secretHash(name))
	}
	if change != nil {
		all = change(all)
	}
	return []byte(all)
}

func (l *load) lose(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, fmt.Sprintf(format, args...))
}

// run starts n clients: over HTTP/1.1 and HTTP/2, with connections that are kept, and
// with tunnels.
func (l *load) run(n int) {
	for i := range n {
		name := string("abc"[i%3])
		proxy := &url.URL{Scheme: "http", Host: l.proxy, User: url.UserPassword(name, secretOf(name))}
		l.clients.Go(func() {
			if i%10 == 9 {
				l.tunnel(proxy)
				return
			}
			l.ask(&http.Client{Timeout: time.Minute, Transport: &http.Transport{
				Proxy: http.ProxyURL(proxy), ForceAttemptHTTP2: i%2 == 0, TLSClientConfig: &tls.Config{RootCAs: l.roots}, MaxIdleConnsPerHost: 2,
			}}, i%3 == 0)
		})
	}
}

// waitForArrivals waits until n requests have arrived, and the clients are at it.
func (l *load) waitForArrivals(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); l.arrived.Load() < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests arrived within 30 s, want %d", l.arrived.Load(), n)
		}
	}
}

// ask asks until the end. Half of it may not be repeated, so that nobody hides a loss.
func (l *load) ask(client *http.Client, post bool) {
	defer client.CloseIdleConnections()
	for n := 0; l.ended.Err() == nil; n++ {
		method, body := http.MethodGet, io.Reader(nil)
		if post {
			method, body = http.MethodPost, strings.NewReader("a body")
		}
		req, err := http.NewRequest(method, "https://api.github.com"+loadPath, body)
		if err != nil {
			l.lose("%v", err)
			return
		}
		req.GetBody = nil
		l.asked.Add(1)
		resp, err := client.Do(req)
		if err != nil {
			l.lose("%s %d: %v", method, n, err)
			return
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			l.lose("%s %d: %s %v %.200s", method, n, resp.Status, err, text)
			return
		}
		l.answered.Add(1)
		time.Sleep(20 * time.Millisecond)
	}
}

// tunnel sends through tunnels, one after the other, and reads what comes back.
func (l *load) tunnel(proxy *url.URL) {
	for l.ended.Err() == nil {
		conn, err := net.Dial("tcp", proxy.Host)
		if err != nil {
			l.lose("a tunnel: %v", err)
			return
		}
		r := bufio.NewReader(conn)
		req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Host: l.echo}, Host: l.echo, Header: http.Header{}}
		password, _ := proxy.User.Password()
		carrier := http.Request{Header: http.Header{}}
		carrier.SetBasicAuth(proxy.User.Username(), password)
		req.Header.Set("Proxy-Authorization", carrier.Header.Get("Authorization"))
		if err := req.Write(conn); err != nil {
			l.lose("a tunnel: %v", err)
			return
		}
		resp, err := http.ReadResponse(r, req)
		if err != nil || resp.StatusCode != http.StatusOK {
			l.lose("a tunnel: %v %v", resp, err)
			return
		}
		for range 5 {
			word := []byte("through\n")
			if _, err := conn.Write(word); err != nil {
				l.lose("within a tunnel: %v", err)
				return
			}
			if got, err := r.ReadBytes('\n'); err != nil || !bytes.Equal(got, word) {
				l.lose("within a tunnel: %q %v", got, err)
				return
			}
			l.echoed.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
		conn.Close()
	}
}

// check ends the load, and compares what both ends have counted.
func (l *load) check(t *testing.T) {
	t.Helper()
	l.end()
	l.clients.Wait()
	for _, lost := range l.lost[:min(len(l.lost), 20)] {
		t.Errorf("lost: %s", lost)
	}
	if l.asked.Load() != l.answered.Load() || l.arrived.Load() != l.answered.Load() || len(l.lost) > 0 {
		t.Errorf("%d requests were sent, %d arrived, and %d were answered; %d clients lost something", l.asked.Load(), l.arrived.Load(), l.answered.Load(), len(l.lost))
	}
	t.Logf("%d requests sent, arrived and answered; %d words through tunnels", l.asked.Load(), l.echoed.Load())
}

// process is a proxy that runs, and what it has logged.
type process struct {
	*exec.Cmd
	log    string // the file
	from   int    // how much of it was looked at
	exited chan error
}

// start starts `serve` with a configuration file; files begin with descriptor 3.
func (l *load) start(t *testing.T, config string, files ...*os.File) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(l.dir, "ghapp-proxy") // by which TestMain knows it
	if err := os.Symlink(self, program); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	log, err := os.CreateTemp(l.dir, "log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "serve", "--log-format", "text", "--config", config)
	if len(files) > 0 { // as systemd does: the process that is started has the id
		cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, program, "serve", "--log-format", "text", "--config", config)
	}
	cmd.Env = append(os.Environ(), "HOME="+l.dir, "XDG_STATE_HOME="+filepath.Join(l.dir, "state"))
	cmd.Stderr, cmd.ExtraFiles = log, files
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: cmd, log: log.Name(), exited: make(chan error, 1)}
	go func() { p.exited <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() }) // it has ended, or the test has failed
	l.proxy = p.waitFor(t, `msg=listening address=(\S+)`)
	return p
}

// waitFor waits until what is new in the log matches, and returns the submatch.
func (p *process) waitFor(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		if at := re.FindSubmatchIndex(text[p.from:]); at != nil {
			found := string(text[p.from+at[2] : p.from+at[3]])
			p.from += at[1]
			return found
		}
		if time.Now().After(end) {
			t.Fatalf("the log does not match %q:\n%s", pattern, tail(regexp.MustCompile(`(?m)^.*msg=(request|tunnel|"minted a token").*\n`).ReplaceAllString(string(text), "")))
		}
	}
}

// trust fetches the CA.
func (l *load) trust(t *testing.T) {
	t.Helper()
	resp, err := http.Get("http://" + l.proxy + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	pem, err := io.ReadAll(resp.Body)
	if err != nil || !l.roots.AppendCertsFromPEM(pem) {
		t.Fatalf("/ca.pem: %v %s", err, pem)
	}
}

// stop ends a proxy in order.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-p.exited; err != nil {
		text, _ := os.ReadFile(p.log)
		t.Errorf("the proxy ended with %v:\n%s", err, tail(string(text)))
	}
}

// TestReloadUnderLoad: whatever of a configuration changes while clients ask that it
// still allows, none of their requests is lost.
func TestReloadUnderLoad(t *testing.T) {
	l := newLoad(t)
	dir := filepath.Join(l.dir, "mounted")
	mount := func(n int, text []byte) { // as Kubernetes does
		t.Helper()
		at := filepath.Join(dir, fmt.Sprintf("..%d", n))
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(`"keys/`), []byte(`"../keys/`))
		if err := os.WriteFile(filepath.Join(at, "config.toml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(dir, "..tmp")
		if err := os.Symlink(filepath.Base(at), link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	mount(0, l.config(t, nil))
	config := filepath.Join(dir, "config.toml")
	if err := os.Symlink("..data/config.toml", config); err != nil {
		t.Fatal(err)
	}
	p := l.start(t, config)
	l.trust(t)
	l.run(200)
	l.waitForArrivals(t, 400)

	add := func(tables string) func(string) string {
		return func(s string) string { return s + "\n" + tables + "\n" }
	}
	top := func(lines string) func(string) string { return func(s string) string { return lines + "\n" + s } }
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("there is no %q to be replaced", old)
			}
			return strings.ReplaceAll(s, old, new)
		}
	}
	changes := []struct {
		what   string
		change func(string) string
	}{
		{"a rule", add("[[rule]]\noperations = [\"licenses/get-for-repo\"]\ndeny = \"no\"")},
		{"a client more", add(fmt.Sprintf("[client.d]\nsecret_hash = %q", secretHash("d")))},
		{"a client less", nil},
		{"another App", add("[app.other]\nid = 99\nprivate_key_file = \"keys/ci-bot.pem\"")},
		{"an App less", func(s string) string {
			before, rest, _ := strings.Cut(s, "[app.release-bot]")
			_, after, _ := strings.Cut(rest, "[upstream]")
			return before + "[upstream]" + after
		}},
		{"an App of another name", func(s string) string { return strings.ReplaceAll(s, "app.ci-bot", "app.first") }},
		{"a mapping", replace("acme = 111", "acme = 111\nother = 333")},
		{"another key", replace(`private_key_file = "keys/ci-bot.pem"`, `private_key_file = ["keys/ci-bot.pem", "keys/release-bot.pem"]`)},
		{"egress", replace("allow = [", `allow = ["example.com", `)},
		{"the way to GitHub", replace("[upstream]", "[upstream]\nhttp2 = true")},
		{"another instance", add("[app.enterprise]\nhost = \"ghe.example.com\"\nid = 7\nprivate_key_file = \"keys/ci-bot.pem\"")},
		{"limits", replace("max_requests = 400", "max_requests = 300")},
		{"the fallback", top(`fallback = "refuse"`)},
		{"an audit log", top(`audit_log = "` + filepath.Join(l.dir, "audit.jsonl") + `"`)},
		{"another audit log", top(`audit_log = "` + filepath.Join(l.dir, "other.jsonl") + `"`)},
		{"origins", top(`origins = ["https://example.com"]`)},
		{"plain_http", top("plain_http = false")},
		{"shutdown_grace", top(`shutdown_grace = "10s"`)},
		{"the owner by default", top(`default_owner = "acme"`)},
		{"nothing", nil},
	}
	rounds := 1
	fmt.Sscan(os.Getenv(reloadEnv), &rounds)
	n := 0
	for range rounds {
		for i, c := range changes {
			if i%7 == 6 { // one with faults comes in between
				n++
				mount(n, []byte("listen = 7\n[["))
				p.waitFor(t, "the one before (stays) in force")
			}
			n++
			mount(n, l.config(t, c.change))
			if i%2 == 0 { // else it notices
				time.Sleep(10 * time.Millisecond)
				if err := p.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
			}
			p.waitFor(t, "(read the configuration again)")
		}
	}
	l.check(t)
	p.stop(t)
}
