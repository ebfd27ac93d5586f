package admin_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/admin"
)

// serve starts a Server on a listener, and returns its address.
func serve(t testing.TB, network, address string, opts admin.Options) string {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.State == nil {
		opts.State = healthy
	}
	s := admin.New(opts)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// healthy is the state of a proxy of which all is well.
func healthy() admin.State {
	now := time.Now()
	return admin.State{
		Apps:    []admin.App{{Name: "ci-bot", Host: "github.com", Checked: now}},
		GitHubs: []admin.GitHub{{Host: "github.com", Reached: now}},
		Reload:  admin.Reload{Read: 1, Since: now},
	}
}

// ask sends text as it is, and returns the status and the body.
func ask(t testing.TB, network, address, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n"))
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return resp, string(body)
}

// TestGuard: no page of another site, by whatever name, and nothing that changes
// something.
func TestGuard(t *testing.T) {
	address := serve(t, "tcp", "127.0.0.1:0", admin.Options{Hosts: []string{"proxy.ci.svc"}})
	_, port, _ := net.SplitHostPort(address)
	for _, test := range []struct {
		request string // after which HTTP/1.1 and the rest of the head come
		head    string
		want    int
	}{
		{"GET /healthz", "Host: 127.0.0.1:PORT", 200},
		{"HEAD /healthz", "Host: 127.0.0.1:PORT", 200},
		{"GET /healthz", "Host: 127.0.0.1", 200},
		{"GET /healthz", "Host: [::1]:PORT", 200},
		{"GET /healthz", "Host: [::1]", 200},
		{"GET /healthz", "Host: 10.0.0.7:9090", 200}, // a scrape of a pod
		{"GET /healthz", "Host: localhost:PORT", 200},
		{"GET /healthz", "Host: LocalHost.:PORT", 200},
		{"GET /healthz", "Host: Proxy.CI.svc:PORT", 200},
		// DNS rebinding.
		{"GET /healthz", "Host: evil.example:PORT", 421},
		{"GET /healthz", "Host: localhost.evil.example", 421},
		{"GET /healthz", "Host: 127.0.0.1.evil.example", 421},
		{"GET /healthz", "Host: evil.example:PORT\nX-Forwarded-Host: localhost", 421},
		{"GET /healthz", "Host:", 421},
		{"GET http://evil.example/healthz", "Host: 127.0.0.1:PORT", 421}, // RFC 9112, section 3.2.2
		{"GET /healthz", "Host: [::1].evil.example", 421},
		// Pages of other sites.
		{"GET /healthz", "Host: localhost:PORT\nOrigin: https://evil.example", 403},
		{"GET /healthz", "Host: localhost:PORT\nOrigin: null", 403},
		{"GET /healthz", "Host: localhost:PORT\nOrigin: http://localhost:3000", 403},
		{"GET /healthz", "Host: localhost:PORT\nOrigin: http://localhost:PORT", 200},
		{"GET /healthz", "Host: localhost:PORT\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: no-cors", 403},
		{"GET /healthz", "Host: localhost:PORT\nSec-Fetch-Site: same-site\nSec-Fetch-Mode: no-cors", 403},
		{"GET /healthz", "Host: localhost:PORT\nSec-Fetch-Site: something-new", 403},
		{"GET /healthz", "Host: localhost:PORT\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document", 403},
		{"GET /", "Host: localhost:PORT\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: iframe", 403},
		{"GET /healthz", "Host: localhost:PORT\nSec-Fetch-Site: same-origin", 200},
		{"GET /healthz", "Host: localhost:PORT\nSec-Fetch-Site: none", 200},
		// What changes something, and what is no request for us.
		{"POST /healthz", "Host: localhost:PORT\nContent-Length: 0", 405},
		{"PUT /", "Host: localhost:PORT\nContent-Length: 0", 405},
		{"DELETE /", "Host: localhost:PORT", 405},
		{"OPTIONS /", "Host: localhost:PORT", 405},
		{"OPTIONS *", "Host: localhost:PORT", 405},
		{"TRACE /", "Host: localhost:PORT", 405},
		{"CONNECT 127.0.0.1:1", "Host: localhost:PORT", 405},
		{"GET /none", "Host: localhost:PORT", 404},
	} {
		text := strings.ReplaceAll(test.request+" HTTP/1.1\n"+test.head+"\nConnection: close\n\n", "PORT", port)
		resp, _ := ask(t, "tcp", address, text)
		if resp.StatusCode != test.want {
			t.Errorf("%.200s: %d, want %d", text, resp.StatusCode, test.want)
		}
		for field, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := resp.Header.Get(field); got != want {
				t.Errorf("%.200s: %s is %q, want %q", text, field, got, want)
			}
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%.200s: Content-Security-Policy: %s", text, csp)
		}
	}
}

// TestUnixSocket: no browser connects to one, so that any name will do.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	serve(t, "unix", path, admin.Options{})
	for _, host := range []string{"localhost", "whatever", ""} {
		if resp, body := ask(t, "unix", path, "GET /healthz HTTP/1.1\nHost: "+host+"\nConnection: close\n\n"); resp.StatusCode != 200 || body != "ok\n" {
			t.Errorf("Host: %s: %d %q", host, resp.StatusCode, body)
		}
	}
}

// TestConnectionsAreBounded: what is more waits, and is served when there is room.
func TestConnectionsAreBounded(t *testing.T) {
	address := serve(t, "tcp", "127.0.0.1:0", admin.Options{})
	var held []net.Conn
	for range 128 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	late, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	io.WriteString(late, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	late.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := late.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes arrived beyond the bound", n)
	}
	for _, conn := range held {
		conn.Close()
	}
	late.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := late.Read(make([]byte, 1)); err != nil {
		t.Errorf("when there was room: %v", err)
	}
}
