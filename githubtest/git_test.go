package githubtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tunnel is a proxy that forwards CONNECT to the fake, so that real tools can
// reach it. It returns the proxy's URL.
func tunnel(t *testing.T, s *Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { forward(conn, s) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return "http://" + ln.Addr().String()
}

func forward(conn net.Conn, s *Server) {
	defer conn.Close()
	br := bufio.NewReader(conn)
	req, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	to, ok := s.ConnectTo()[req.Host]
	if !ok {
		io.WriteString(conn, "HTTP/1.1 403 Not served: "+req.Host+"\r\n\r\n")
		return
	}
	up, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer up.Close()
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{}, 2)
	go func() { io.Copy(up, br); done <- struct{}{} }()
	go func() { io.Copy(conn, up); done <- struct{}{} }()
	<-done
}

// needTools skips the test where one of the tools is not installed.
func needTools(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
}

// shell runs real tools against the fake.
type shell struct {
	t   *testing.T
	dir string
	env []string
}

func newShell(t *testing.T, s *Server, tok string) *shell {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, s.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := tunnel(t, s)
	basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + tok))
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"HTTPS_PROXY=" + proxy, "https_proxy=" + proxy,
		"SSL_CERT_FILE=" + ca, "GIT_SSL_CAINFO=" + ca, "CURL_CA_BUNDLE=" + ca,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + filepath.Join(dir, "gitconfig"),
		"GIT_TERMINAL_PROMPT=0", "GH_PROMPT_DISABLED=1", "NO_COLOR=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com",
		"GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com",
	}
	if tok != "" {
		env = append(env, "GH_TOKEN="+tok, "GIT_CONFIG_COUNT=1",
			"GIT_CONFIG_KEY_0=http.https://github.com/.extraheader",
			"GIT_CONFIG_VALUE_0=Authorization: Basic "+basic)
	}
	return &shell{t, dir, env}
}

// run runs a command in dir, which must succeed, and returns its output.
func (sh *shell) run(dir, name string, args ...string) string {
	sh.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = filepath.Join(sh.dir, dir), sh.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		sh.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

func TestGitCloneAndPush(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	for version, size := range map[string]int{
		// Over 1 MB, so that the body has no length: http.postBuffer, git-config(1).
		"HTTP/1.1": 3 << 20,
		// Below it: now and then libcurl 7.88 (Debian 12) stops sending a body
		// without a length over HTTP/2, and git waits for ever.
		"HTTP/2": 512 << 10,
	} {
		t.Run(version, func(t *testing.T) {
			sh := newShell(t, s, mintToken(t, s, AcmeInstallation))
			sh.env = append(sh.env, "GIT_HTTP_LOW_SPEED_LIMIT=0")
			sh.run("", "git", "config", "--global", "http.version", version)
			sh.run("", "git", "clone", "-q", "https://github.com/acme/widgets.git")
			big := make([]byte, size)
			_, _ = rand.Read(big)
			if err := os.WriteFile(filepath.Join(sh.dir, "widgets", "big"), big, 0o644); err != nil {
				t.Fatal(err)
			}
			branch := "push-" + strings.ReplaceAll(version, "/", "-")
			sh.run("widgets", "git", "checkout", "-q", "-b", branch)
			sh.run("widgets", "git", "add", ".")
			sh.run("widgets", "git", "commit", "-q", "-m", "big")
			sh.run("widgets", "git", "push", "-q", "origin", branch)
			sh.run("", "git", "clone", "-q", "-b", branch, "--depth=1", "https://github.com/acme/widgets", "again")
			got, err := os.ReadFile(filepath.Join(sh.dir, "again", "big"))
			if err != nil || !bytes.Equal(got, big) {
				t.Errorf("cloned %d bytes, %v, want what was pushed", len(got), err)
			}
			if !slices.ContainsFunc(s.Requests(), func(r *Request) bool {
				return r.Proto[:6] == version[:6] && (r.ContentLength < 0) == (size > 1<<20) && r.BodySize > int64(size) && r.Credential == CredentialBasicToken
			}) {
				t.Error("no such push in the record")
			}
		})
	}
}

// git compresses the bodies of long negotiations.
func TestGitGzipBody(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	var body bytes.Buffer
	zw := gzip.NewWriter(&body)
	io.WriteString(zw, "0014command=ls-refs\n0000") // gitprotocol-v2(5)
	zw.Close()
	a := do(t, s, "POST", "https://github.com/octocat/hello-world/git-upload-pack", "", body.String(),
		"Content-Encoding", "gzip", "Content-Type", "application/x-git-upload-pack-request", "Git-Protocol", "version=2")
	if a.status != 200 || !strings.Contains(a.body, "refs/heads/main") {
		t.Errorf("ls-refs = %d %q, want refs/heads/main", a.status, a.body)
	}
}

func TestGitRefusals(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	tok := mintToken(t, s, AcmeInstallation)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+tok))
	jwt := "Bearer " + jwt(t, s.App("ci-bot"))
	a := do(t, s, "POST", mintURL(AcmeInstallation), jwt, `{"permissions":{"contents":"read"}}`)
	readOnly := "Basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:"+a.json["token"].(string)))
	for _, tt := range []struct {
		repo, service, auth string
		status              int
		body                string
	}{
		{"acme/widgets", "git-upload-pack", "", 401, "Repository not found."},
		{"no/such", "git-upload-pack", "", 401, "Repository not found."},
		{"acme/widgets.git", "git-upload-pack", basic, 200, ""},
		{"globex/tools", "git-upload-pack", basic, 404, "Repository not found."},
		{"octocat/hello-world", "git-upload-pack", "", 200, ""},
		{"octocat/hello-world", "git-receive-pack", "", 401, ""},
		{"octocat/hello-world", "git-receive-pack", basic, 403, "Write access to repository not granted."},
		{"acme/widgets", "git-upload-pack", readOnly, 200, ""},
		{"acme/widgets", "git-receive-pack", readOnly, 403, "Write access to repository not granted."},
		{"acme/widgets", "git-upload-pack", "Bearer " + tok, 401, ""},
		{"octocat/hello-world", "git-upload-pack", "Basic eDp5", 401, ""},
	} {
		a := do(t, s, "GET", "https://github.com/"+tt.repo+"/info/refs?service="+tt.service, tt.auth, "")
		if a.status != tt.status || tt.body != "" && a.body != tt.body {
			t.Errorf("%s %s with %.12q = %d %.60q, want %d %q", tt.service, tt.repo, tt.auth, a.status, a.body, tt.status, tt.body)
		}
		if got := a.header.Get("WWW-Authenticate"); (got != "") != (a.status == 401) {
			t.Errorf("%s %s = %d with WWW-Authenticate %q", tt.service, tt.repo, a.status, got)
		}
	}
}

func TestGitRename(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	if err := s.Rename("acme", "rockets", "acme", "missiles"); err != nil {
		t.Fatal(err)
	}
	sh := newShell(t, s, mintToken(t, s, AcmeInstallation))
	sh.run("", "git", "clone", "-q", "https://github.com/acme/rockets")
}

func TestLFS(t *testing.T) {
	needTools(t, "git", "git-lfs")
	s := Start(t, Options{})
	sh := newShell(t, s, mintToken(t, s, AcmeInstallation))
	sh.run("", "git", "lfs", "install", "--skip-repo")
	sh.run("", "git", "clone", "-q", "https://github.com/acme/rockets")
	content := []byte(strings.Repeat("large ", 10000))
	if err := os.WriteFile(filepath.Join(sh.dir, "rockets", "big.bin"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	sh.run("rockets", "git", "lfs", "track", "*.bin")
	sh.run("rockets", "git", "add", ".")
	sh.run("rockets", "git", "commit", "-q", "-m", "lfs")
	sh.run("rockets", "git", "push", "-q", "origin", "main")
	sh.run("", "git", "clone", "-q", "https://github.com/acme/rockets", "again")
	got, err := os.ReadFile(filepath.Join(sh.dir, "again", "big.bin"))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("cloned %d bytes, %v, want what was pushed", len(got), err)
	}
	verified := false
	for _, r := range s.Requests() {
		if r.Host == lfsHost {
			verified = r.Status == 200 && strings.HasPrefix(r.Authorization(), "RemoteAuth ")
		}
		if r.Host == signedHost && r.Authorization() != "" {
			t.Errorf("%s carried an Authorization", r)
		}
	}
	if !verified {
		t.Error("git-lfs did not verify the upload with RemoteAuth")
	}
}

func TestArchivesAndRawFiles(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	tok := mintToken(t, s, AcmeInstallation)
	for _, tt := range []struct {
		url, auth string
		status    int
		prefix    string
	}{
		{"https://raw.githubusercontent.com/acme/widgets/main/README.md", "token " + tok, 200, "# widgets"},
		{"https://raw.githubusercontent.com/acme/widgets/refs/heads/main/docs/read%20me.txt", "token " + tok, 200, "Hi."},
		{"https://raw.githubusercontent.com/acme/widgets/main/README.md", "", 404, ""},
		{"https://raw.githubusercontent.com/acme/widgets/main/README.md", "Bearer " + tok, 404, ""},
		{"https://raw.githubusercontent.com/octocat/hello-world/main/README.md", "", 200, "# hello-world"},
		{"https://codeload.github.com/acme/widgets/tar.gz/main", "token " + tok, 200, "\x1f\x8b"},
		{"https://codeload.github.com/acme/widgets/legacy.zip/refs/tags/v1.0.0", "token " + tok, 200, "PK"},
		{"https://codeload.github.com/acme/widgets/tar.gz/nope", "token " + tok, 404, ""},
		{"https://codeload.github.com/acme/widgets/tar.gz/main", "", 404, ""},
		{"https://github.com/octocat/hello-world/archive/refs/heads/main.tar.gz", "", 302, ""},
	} {
		a := do(t, s, "GET", tt.url, tt.auth, "")
		if a.status != tt.status || !strings.HasPrefix(a.body, tt.prefix) {
			t.Errorf("GET %s with %.8q = %d %.20q, want %d %q…", tt.url, tt.auth, a.status, a.body, tt.status, tt.prefix)
		}
	}
}
