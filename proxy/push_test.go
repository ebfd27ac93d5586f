package proxy_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/policy"
)

// onlyAgent makes everybody a client that may change branches below agent/, and
// delete none.
func onlyAgent(t *testing.T) func(*setup) {
	t.Helper()
	push, err := policy.ParseRefPattern("refs/heads/agent/**")
	if err != nil {
		t.Fatal(err)
	}
	return func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Networks: loopback, Push: []policy.RefPattern{push}})
	}
}

// pusher is a clone of acme/widgets whose remote is behind a proxy that knows
// onlyAgent.
type pusher struct {
	*world
	t   *testing.T
	dir string
	env []string
}

func newPusher(t *testing.T) *pusher {
	t.Helper()
	needGit(t)
	w := start(t, onlyAgent(t))
	conn := w.intercepted(t, "github.com", nil)
	chain := conn.ConnectionState().VerifiedChains[0]
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw})
	if err := os.WriteFile(ca, root, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &pusher{w, t, filepath.Join(dir, "widgets"), []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C",
		"https_proxy=http://" + w.addr, "GIT_SSL_CAINFO=" + ca,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}}
	p.git(dir, "clone", "-q", "https://github.com/acme/widgets.git")
	p.git(p.dir, "commit", "-q", "--allow-empty", "-m", "work")
	return p
}

// try runs git and returns what it printed.
func (p *pusher) try(dir string, args ...string) (string, error) {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// git is try for what must succeed.
func (p *pusher) git(dir string, args ...string) string {
	p.t.Helper()
	out, err := p.try(dir, args...)
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

// refs are GitHub's.
func (p *pusher) refs() string {
	p.t.Helper()
	return p.git(p.dir, "ls-remote", "origin")
}

// refused pushes and expects each text in what git prints, and that neither
// GitHub's refs nor its record know of the push.
func (p *pusher) refused(want []string, args ...string) {
	p.t.Helper()
	before := p.refs()
	p.github.Reset()
	out, err := p.try(p.dir, append([]string{"push", "origin"}, args...)...)
	if err == nil {
		p.t.Errorf("git push %v succeeded:\n%s", args, out)
	}
	for _, text := range append(want, "remote: ghapp-proxy: nothing was pushed") {
		if !strings.Contains(out, text) {
			p.t.Errorf("git push %v printed\n%swithout %q", args, out, text)
		}
	}
	for _, text := range []string{"RPC failed", "hung up", "unpack failed"} {
		if strings.Contains(out, text) {
			p.t.Errorf("git push %v printed\n%swith %q", args, out, text)
		}
	}
	for _, r := range p.github.Requests() {
		if r.Method == "POST" && r.BodySize != int64(len("0000")) { // a probe may pass
			p.t.Errorf("git push %v: %v arrived with %d bytes", args, r, r.BodySize)
		}
	}
	if after := p.refs(); after != before {
		p.t.Errorf("git push %v changed\n%sto\n%s", args, before, after)
	}
}

func TestPushRefused(t *testing.T) {
	t.Parallel() // git waits for git
	p := newPusher(t)
	p.git(p.dir, "push", "-q", "origin", "HEAD:agent/old")
	p.git(p.dir, "tag", "v9")
	const main = "! [remote rejected] HEAD -> main (ghapp-proxy: client agent may not push to \"refs/heads/main\" (client.agent.push))"
	const other = "(ghapp-proxy: not pushed, because another ref of the push is refused)"
	for _, test := range []struct {
		args string
		want []string
	}{
		{"HEAD:main", []string{main, "nothing was pushed; it may push to refs/heads/agent/**"}},
		{"--force HEAD:main", []string{main}},
		{"--atomic HEAD:main", []string{main}},
		{"-o ci.skip HEAD:main", []string{main}},
		{"--no-thin --quiet HEAD:main", []string{main}},
		{"v9", []string{"v9 -> v9 (ghapp-proxy: client agent may not push to \"refs/tags/v9\" (client.agent.push))"}},
		{":agent/old", []string{"agent/old (ghapp-proxy: client agent may not delete \"refs/heads/agent/old\" (client.agent.delete_refs))", "client agent may not delete"}},
		{"--delete feature-1", []string{"feature-1 (ghapp-proxy: client agent may not delete"}},
		{"HEAD:main HEAD:agent/new", []string{main, "HEAD -> agent/new " + other}},
		{"HEAD:agent/new HEAD:main :agent/old", []string{main, "HEAD -> agent/new " + other, "; it may push to "}},
		{"--atomic HEAD:main HEAD:agent/new", []string{main, "HEAD -> agent/new " + other}},
		{"--mirror", []string{"v9 -> v9 (ghapp-proxy: client agent may not push to \"refs/tags/v9\" (client.agent.push))"}},
	} {
		p.refused(test.want, strings.Fields(test.args)...)
	}
	if log := p.log.String(); !strings.Contains(log, `error="push to \"refs/heads/main\" refused: client agent may not push to \"refs/heads/main\" (client.agent.push)"`) {
		t.Errorf("the log does not say what was refused:\n%s", log)
	}
}

func TestPushAllowed(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	for _, args := range []string{
		"HEAD:refs/heads/agent/a", "HEAD:refs/heads/agent/b HEAD:refs/heads/agent/c", "--atomic HEAD:refs/heads/agent/d",
		"-o ci.skip -o a=b HEAD:refs/heads/agent/e", "--force HEAD~1:refs/heads/agent/a",
	} {
		p.git(p.dir, append([]string{"push", "-q", "origin"}, strings.Fields(args)...)...)
	}
	head := strings.Fields(p.git(p.dir, "rev-parse", "HEAD", "HEAD~1"))
	refs := p.refs()
	for branch, id := range map[string]string{"a": head[1], "b": head[0], "c": head[0], "d": head[0], "e": head[0]} {
		if !strings.Contains(refs, id+"\trefs/heads/agent/"+branch) {
			t.Errorf("agent/%s is not %s:\n%s", branch, id, refs)
		}
	}
}

// A large push comes in chunks of unknown length after a probe. git prints the
// reason of its refusal only if it could send all of it.
func TestPushLarge(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("pushes 60 MB")
	}
	p := newPusher(t)
	noise := make([]byte, 20<<20)
	rand.Read(noise)
	if err := os.WriteFile(filepath.Join(p.dir, "noise"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	p.git(p.dir, "add", "noise")
	p.git(p.dir, "commit", "-q", "-m", "noise")
	p.refused([]string{"(ghapp-proxy: client agent may not push to \"refs/heads/main\" (client.agent.push))"}, "HEAD:main")
	p.refused([]string{"(ghapp-proxy: client agent may not push to \"refs/heads/main\" (client.agent.push))"}, "HEAD:agent/noise", "HEAD:main")

	p.github.Reset()
	p.git(p.dir, "push", "-q", "origin", "HEAD:refs/heads/agent/noise")
	push := p.last(t, "/acme/widgets.git/git-receive-pack")
	if push.ContentLength != -1 || push.BodySize < int64(len(noise)) {
		t.Errorf("the push arrived with length %d and %d bytes", push.ContentLength, push.BodySize)
	}
	probes := 0
	for _, r := range p.github.Requests() {
		if r.Method == "POST" && string(r.Body) == "0000" {
			probes++
		}
	}
	if probes != 1 {
		t.Errorf("%d probes arrived, want 1", probes)
	}
}

const (
	oldID = "1111111111111111111111111111111111111111"
	newID = "2222222222222222222222222222222222222222"
)

// list is a command list for one ref, and pack what follows it.
func list(ref, capabilities, pack string) string {
	line := oldID + " " + newID + " " + ref + "\x00" + capabilities
	return fmt.Sprintf("%04x%s0000%s", 4+len(line), line, pack)
}

func zip(t *testing.T, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		zw := gzip.NewWriter(&b)
		if _, err := io.WriteString(zw, part); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// The body that GitHub gets is the one that was sent, compressed or not, with
// its length or without; what cannot be read does not leave.
func TestPushBody(t *testing.T) {
	w := start(t, onlyAgent(t))
	pack := strings.Repeat("PACK", 100_000)
	fine, bad := list("refs/heads/agent/a", "report-status", pack), list("refs/heads/main", "report-status", pack)
	var got []byte // the body that arrived, nil for none
	w.github.Handle("github.com", "/acme/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		io.WriteString(w, "fake")
	}))
	for _, test := range []struct {
		name, path, encoding, body string
		status                     int
		want                       string // in the answer
	}{
		{"plain", "/acme/widgets.git/git-receive-pack", "", fine, 200, "fake"},
		{"probe", "/acme/widgets/git-receive-pack", "", "0000", 200, "fake"},
		{"gzip", "/acme/widgets/git-receive-pack", "gzip", zip(t, fine), 200, "fake"},
		{"x-gzip", "/acme/widgets/git-receive-pack", "X-GZip", zip(t, fine), 200, "fake"},
		{"head and pack compressed apart", "/acme/widgets/git-receive-pack", "gzip", zip(t, list("refs/heads/agent/a", "", ""), pack), 200, "fake"},
		{"compressed probe", "/acme/widgets/git-receive-pack", "gzip", zip(t, "0000"), 200, "fake"},

		{"refused", "/acme/widgets/git-receive-pack", "", bad, 200, "ng refs/heads/main ghapp-proxy: client agent"},
		{"refused gzip", "/acme/widgets/git-receive-pack", "gzip", zip(t, bad), 200, "ng refs/heads/main ghapp-proxy: client agent"},
		{"refused in the wiki", "/acme/widgets.wiki.git/git-receive-pack", "", bad, 200, "ng refs/heads/main ghapp-proxy: client agent"},
		{"refused by another spelling", "/acme/widgets/Git-Receive%2dPack", "", bad, 200, "ng refs/heads/main ghapp-proxy: client agent"},
		{"refused without a report", "/acme/widgets/git-receive-pack", "", list("refs/heads/main", "", ""), 403, "ghapp-proxy: push to \"refs/heads/main\" refused"},
		{"not understood", "/acme/widgets/git-receive-pack", "", "0010command=push0000", 400, "no command"},
		{"nothing", "/acme/widgets/git-receive-pack", "", "", 400, "unexpected EOF"},
		{"no HEAD", "/acme/widgets/git-receive-pack", "", list("HEAD", "report-status", ""), 200, "unpack ghapp-proxy: read the command list"},
		{"a second ref without sense", "/acme/widgets/git-receive-pack", "", strings.Replace(fine, "0000PACK", "0005x0000PACK", 1), 200, "unpack ghapp-proxy: read the command list"},
		{"gzip that is none", "/acme/widgets/git-receive-pack", "gzip", fine, 415, "decompress"},
		{"gzip that is not said", "/acme/widgets/git-receive-pack", "", zip(t, fine), 400, "pkt-line"},
		{"gzip in gzip", "/acme/widgets/git-receive-pack", "gzip, gzip", zip(t, fine), 415, "Content-Encoding"},
		{"deflate", "/acme/widgets/git-receive-pack", "deflate", fine, 415, "Content-Encoding"},
		{"a list in two members", "/acme/widgets/git-receive-pack", "gzip", zip(t, fine[:50], fine[50:]), 400, "unexpected EOF"},
		{"gzip of nothing for ever", "/acme/widgets/git-receive-pack", "gzip", zip(t, "")[:10] + strings.Repeat("\x00\x00\x00\xff\xff", 1<<18), 400, "unexpected EOF"},
	} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = strings.NewReader(test.body)
			if chunked {
				body = io.MultiReader(body)
			}
			req, err := http.NewRequest("POST", "https://github.com"+test.path, body)
			if err != nil {
				t.Fatal(err)
			}
			if test.encoding != "" {
				req.Header.Set("Content-Encoding", test.encoding)
			}
			got = nil
			resp, err := w.client(t, false).Do(req)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			answer, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != test.status || !strings.Contains(string(answer), test.want) {
				t.Errorf("%s: %d %q, %v, want %d with %q", test.name, resp.StatusCode, answer, err, test.status, test.want)
			}
			if test.want != "fake" {
				if got != nil || resp.Header.Get("Proxy-Status") == "" {
					t.Errorf("%s: %d bytes arrived; Proxy-Status %q", test.name, len(got), resp.Header.Get("Proxy-Status"))
				}
				continue
			}
			if arrived := w.last(t, test.path); string(got) != test.body || chunked != (arrived.ContentLength < 0) {
				t.Errorf("%s: %d bytes arrived with length %d, want %d", test.name, len(got), arrived.ContentLength, len(test.body))
			}
		}
	}
}

// The connection of a refused push is kept: its body was read to the end.
func TestPushRefusedKeepsConnection(t *testing.T) {
	w := start(t, onlyAgent(t))
	conn := w.intercepted(t, "github.com", nil)
	body := list("refs/heads/main", "report-status", strings.Repeat("x", 1<<20))
	for range 2 {
		req, err := http.NewRequest("POST", "https://github.com/acme/widgets/git-receive-pack", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := req.Write(conn); err != nil {
			t.Fatal(err)
		}
		resp := readHead(t, bufio.NewReader(conn))
		if answer, err := io.ReadAll(resp.Body); err != nil || resp.Close || !strings.Contains(string(answer), "ng refs/heads/main") {
			t.Fatalf("%d %q, %v, close %t", resp.StatusCode, answer, err, resp.Close)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/x-git-receive-pack-result" {
			t.Errorf("Content-Type %q", got)
		}
	}
}

// Without a decider, a push is not looked into.
func TestPushUnlimited(t *testing.T) {
	w := start(t, nil)
	w.github.Handle("github.com", "/acme/widgets/git-receive-pack", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	resp, err := w.client(t, false).Post("https://github.com/acme/widgets/git-receive-pack", "text/plain", strings.NewReader("any"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || string(answer) != "any" {
		t.Errorf("%q, %v", answer, err)
	}
}
