package proxy_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"
)

// TestDrain: from then on each answer is the last of its connection, and new
// connections are accepted as before.
func TestDrain(t *testing.T) {
	for _, test := range []struct {
		name, url string
		h2        bool
	}{
		{"HTTP/1.1", "https://api.github.com/repos/acme/widgets", false},
		{"HTTP/2", "https://api.github.com/repos/acme/widgets", true},
		{"http://", "http://api.github.com/repos/acme/widgets", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := start(t, func(s *setup) { s.options.PlainHTTP = true })
			client := w.client(t, test.h2)
			for i, want := range []struct{ reused, drain bool }{{false, false}, {true, true}, {false, false}, {false, false}} {
				if want.drain {
					w.proxy.Drain()
				}
				var reused bool
				trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }}
				req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", test.url, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK || reused != want.reused {
					t.Errorf("request %d: %s, over a connection that was used before: %v, want 200 and %v", i, resp.Status, reused, want.reused)
				}
				if test.h2 {
					time.Sleep(20 * time.Millisecond) // GOAWAY comes behind the answer
				}
			}
		})
	}
}

// TestShutdownAwaitsFirstRequest: what a client asks for that had just connected is
// served.
func TestShutdownAwaitsFirstRequest(t *testing.T) {
	for _, proto := range []string{"http/1.1", "h2"} {
		t.Run(proto, func(t *testing.T) {
			w := start(t, nil)
			conn := w.dial(t)
			fmt.Fprint(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := readFull(conn, make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- w.proxy.Shutdown(t.Context()) }()
			time.Sleep(50 * time.Millisecond)
			secure := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "api.github.com", NextProtos: []string{proto}})
			if err := secure.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			req, err := http.NewRequest("GET", "https://api.github.com/repos/acme/widgets", nil)
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return secure, nil }, ForceAttemptHTTP2: proto == "h2"}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s, want 200", resp.Status)
			}
			transport.CloseIdleConnections()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
