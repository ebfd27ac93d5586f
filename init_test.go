package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/githubtest"

	"github.com/rogpeppe/go-internal/testscript"
)

// companyProxy starts a proxy that lets everybody with its password to the fake
// GitHub, whatever host is asked for. It returns its URL.
func companyProxy(github *githubtest.Server, password string) (address string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+password))
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		host, err := net.Dial("tcp", github.Addr())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			host.Close()
			return
		}
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(host, client); host.Close() }()
		go func() { io.Copy(client, host); client.Close() }()
	})}
	go srv.Serve(ln)
	return "http://me:" + password + "@" + ln.Addr().String(), func() { srv.Close() }, nil
}

// behindCompany PASSWORD puts the story behind a company's proxy, which HTTPS_PROXY
// names: the only way to the fake GitHub without a configuration. The system trusts
// that.
func behindCompany(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: behindcompany PASSWORD")
	}
	address, stop, err := companyProxy(fakeOf(ts), args[0])
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("HTTPS_PROXY", address)
	ts.Setenv("SSL_CERT_FILE", ts.MkAbs("keys/github-ca.pem"))
	ts.Setenv("GHAPP_PROXY_CONFIG", "")
}

// screen is what a terminal shows.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// waitFor waits until text has been shown so often.
func (s *screen) waitFor(t *testing.T, text string, times int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Count(s.String(), text) >= times {
			return
		}
	}
	t.Fatalf("no %q on the screen:\n%s", text, s)
}

// initCommand is `init` with a home of its own, behind a company's proxy.
func initCommand(t *testing.T) (cmd *exec.Cmd, github *githubtest.Server, home string) {
	t.Helper()
	github = githubtest.Start(t, githubtest.Options{})
	home = t.TempDir()
	if err := writeConfig(home, github); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(home, "config.toml")); err != nil {
		t.Fatal(err)
	}
	proxy, stop, err := companyProxy(github, "hushhush")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self, "init")
	cmd.Args[0] = "ghapp-proxy"
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "LANG=C.UTF-8", "HTTPS_PROXY=" + proxy, "SSL_CERT_FILE=" + filepath.Join(home, "keys/github-ca.pem")}
	return cmd, github, home
}
