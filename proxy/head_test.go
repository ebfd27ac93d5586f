package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHeadWithoutBody: a host that sends the head of an answer and breaks off is
// one that has not answered.
func TestHeadWithoutBody(t *testing.T) {
	for name, test := range map[string]struct {
		fields string
		pause  time.Duration
		want   int
	}{
		"at once":             {"Content-Length: 10\r\nSet-Cookie: secret\r\nX-GitHub-Request-Id: 1", 0, 502},
		"later":               {"Content-Length: 10\r\nETag: x\r\nX-GitHub-Request-Id: 1", 200 * time.Millisecond, 502},
		"not modified":        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10", 0, 304},
		"nothing is promised": {"Content-Length: 0", 0, 200},
	} {
		w := respondAt(t, nil, func(conn net.Conn, _ *bufio.Reader) {
			if !strings.HasPrefix(test.fields, "HTTP/") {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			}
			io.WriteString(conn, test.fields+"\r\n\r\n")
			time.Sleep(test.pause)
		})
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, h2 %v", name, h2), func(t *testing.T) {
				t.Parallel()
				resp, err := w.client(t, h2).Get("https://" + uploadsHost + "/repos/acme/widgets")
				if err != nil {
					t.Fatal(err)
				}
				if test.want != 502 {
					body, err := io.ReadAll(resp.Body)
					if resp.Body.Close(); resp.StatusCode != test.want || len(body) != 0 || err != nil && !h2 { // net/http's client waits for the body of a 304 then
						t.Errorf("answer %s %q, %v; want %d", resp.Status, body, err, test.want)
					}
					return
				}
				if got := resp.Header.Get("Proxy-Status"); !strings.Contains(got, "error=http_response_incomplete") {
					t.Errorf("Proxy-Status: %s", got)
				}
				if resp.Header["Etag"] != nil || resp.Header["Set-Cookie"] != nil {
					t.Errorf("fields of the answer that was lost: %v", resp.Header)
				}
				refused(t, resp, 502, "uploads.github.com")
			})
		}
	}
}

// TestHeadOfSlowBody: a head does not wait for long, nor that of an answer
// without a body.
func TestHeadOfSlowBody(t *testing.T) {
	release := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*soon)
	defer cancel()
	w := respondAt(t, nil, func(conn net.Conn, _ *bufio.Reader) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
		<-release
		io.WriteString(conn, "later")
	})
	for _, h2 := range []bool{false, true} {
		for _, method := range []string{"HEAD", "GET"} {
			begin := time.Now()
			req, err := http.NewRequestWithContext(ctx, method, "https://"+uploadsHost+"/repos/acme/widgets", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := w.client(t, h2).Do(req)
			if took := time.Since(begin); err != nil || took > 2*soon {
				t.Fatalf("%s, h2 %v: %v after %v", method, h2, err, took)
			}
			defer resp.Body.Close()
			if method == "GET" {
				defer func() {
					if body, err := io.ReadAll(resp.Body); string(body) != "later" {
						t.Errorf("h2 %v: %q, %v", h2, body, err)
					}
				}()
			}
		}
	}
	close(release)
}

// TestLengthOfNotModified: what a 304 says of a length is not about a body that is
// to come (RFC 9110, section 8.6), over whichever HTTP it comes.
func TestLengthOfNotModified(t *testing.T) {
	for _, upstream := range []bool{false, true} {
		w := start(t, func(s *setup) { s.upstream.HTTP2 = upstream })
		w.github.Handle("api.github.com", "/repos/acme/widgets/not-modified", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.Header().Set("ETag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
		}))
		for _, h2 := range []bool{false, true} {
			resp, err := w.client(t, h2).Get("https://api.github.com/repos/acme/widgets/not-modified")
			if err != nil {
				t.Errorf("h2 %v from h2 %v: %v", h2, upstream, err)
				continue
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotModified || resp.Header.Get("ETag") != `"1"` {
				t.Errorf("h2 %v from h2 %v: %s %v", h2, upstream, resp.Status, resp.Header)
			}
		}
	}
}
