package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// ask sends a request to the host, and returns the body of the answer.
func ask(t *testing.T, u *Upstream, method string, body io.Reader) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "https://example.com/", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := u.Transport().RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// rude is a host that closes each connection some time after an answer, without
// reading on. It counts the requests that it read.
func rude(t *testing.T, after time.Duration) (u *Upstream, served *atomic.Int32) {
	t.Helper()
	served = new(atomic.Int32)
	srv := httptest.NewTLSServer(nil) // for its certificate
	srv.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", srv.TLS)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				req, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				io.Copy(io.Discard, req.Body)
				served.Add(1)
				io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
				time.Sleep(after)
			}()
		}
	}()
	u = NewUpstream(UpstreamOptions{ConnectTo: map[string]string{"example.com:443": ln.Addr().String()}})
	u.served.pool.TLSClientConfig.InsecureSkipVerify = true
	u.served.alone.TLSClientConfig.InsecureSkipVerify = true
	t.Cleanup(func() {
		u.Close()
		ln.Close()
	})
	return u, served
}

// No request fails because it meets the end of a kept connection, and none is
// carried out twice.
func TestHostClosesAfterAnswer(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			u, served := rude(t, 3*time.Millisecond)
			const times = 60
			failed := 0
			for range times {
				var body io.Reader
				if method == "POST" || method == "PUT" || method == "PATCH" {
					body = strings.NewReader("{}")
				}
				if _, err := ask(t, u, method, body); err != nil {
					failed++
					t.Log(err)
				}
			}
			if n := served.Load(); failed > 0 || n != times {
				t.Errorf("%d of %d failed, %d were carried out", failed, times, n)
			}
		})
	}
}
