//go:build unix

package main

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSessionsOutliveRestarts: clients resume their TLS sessions with the proxy that
// comes after, and with another one that has the same state directory; not when its CA
// is a new one.
func TestSessionsOutliveRestarts(t *testing.T) {
	l := newLoad(t)
	config := filepath.Join(l.dir, "serve.toml")
	text := "allow_anonymous = true\n" + strings.Replace(string(l.config(t, nil)), `shutdown_delay = "1s"`, "", 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := l.start(t, config)
	l.trust(t)
	cache := tls.NewLRUClientSessionCache(1)
	session := filepath.Join(l.dir, "session.pem")
	check := func(what string, want bool) {
		t.Helper()
		if got := l.resumes(t, cache); got != want {
			t.Errorf("%s: resumed %v, want %v", what, got, want)
		}
		if _, err := exec.LookPath("openssl"); err != nil {
			return
		}
		if got := l.openssl(t, session); got != want {
			t.Errorf("openssl, %s: resumed %v, want %v", what, got, want)
		}
	}
	check("the first connection", false)
	check("the second", true)
	p.stop(t)
	p = l.start(t, config)
	check("after a restart", true)
	other := l.start(t, config)
	check("another process", true)
	other.stop(t)
	p.stop(t)
	if err := os.RemoveAll(filepath.Join(l.dir, "state")); err != nil {
		t.Fatal(err)
	}
	p = l.start(t, config)
	l.trust(t)
	check("another CA", false)
	p.stop(t)
}

// resumes sends a request, and reports whether the TLS session was one of before.
func (l *load) resumes(t *testing.T, cache tls.ClientSessionCache) bool {
	t.Helper()
	conn, err := net.Dial("tcp", l.proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	fmt.Fprint(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n\r\n")
	if resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect}); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	secure := tls.Client(conn, &tls.Config{ServerName: "api.github.com", RootCAs: l.roots, ClientSessionCache: cache})
	fmt.Fprintf(secure, "GET %s HTTP/1.1\r\nHost: api.github.com\r\nConnection: close\r\n\r\n", loadPath)
	resp, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	return secure.ConnectionState().DidResume
}

// openssl makes a session, or resumes the one in a file.
func (l *load) openssl(t *testing.T, session string) (resumed bool) {
	t.Helper()
	args := []string{"s_client", "-proxy", l.proxy, "-connect", "api.github.com:443", "-servername", "api.github.com", "-ign_eof", "-sess_out", session}
	if text, err := os.ReadFile(session); err == nil {
		if block, _ := pem.Decode(text); block == nil {
			t.Fatalf("%s is no session: %s", session, text)
		}
		args = append(args, "-sess_in", session)
	}
	cmd := exec.Command("openssl", args...)
	cmd.Stdin = strings.NewReader("GET " + loadPath + " HTTP/1.1\r\nHost: api.github.com\r\nConnection: close\r\n\r\n")
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "\nReused, TLSv1.3"):
		return true
	case !strings.Contains(string(out), "\nNew, TLSv1.3"):
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return false
}
