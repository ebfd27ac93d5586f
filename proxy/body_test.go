package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/certs"
	"ghapp-proxy/policy"
)

const uploadsHost = "uploads.github.com"

// respondAt is respond for uploads.github.com, to which clients speak HTTP/2, and
// which reads only the heads of requests by itself.
func respondAt(t testing.TB, change func(*setup), serve func(conn net.Conn, r *bufio.Reader)) *world {
	t.Helper()
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{uploadsHost}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Certificate(uploadsHost) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				if _, err := r.ReadString('\n'); err != nil {
					return
				}
				if _, err := readFields(r); err == nil {
					serve(conn, r)
				}
			}()
		}
	}()
	return start(t, func(s *setup) {
		s.upstream.ConnectTo[uploadsHost+":443"] = ln.Addr().String()
		s.upstream.RootCAs.AppendCertsFromPEM(ca.PEM())
		if change != nil {
			change(s)
		}
	})
}

// upload sends size zeros.
func upload(client *http.Client, size int64) (*http.Response, error) {
	req, err := http.NewRequest("POST", "https://"+uploadsHost+"/repos/acme/widgets/releases/1/assets?name=x", io.LimitReader(zeros{}, size))
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	return client.Do(req)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestEarlyAnswerHTTP2: GitHub answers an upload before it has read it, and closes
// the connection. The transport reads on when the request's handler has returned.
func TestEarlyAnswerHTTP2(t *testing.T) {
	w := respondAt(t, nil, func(conn net.Conn, _ *bufio.Reader) {
		io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
	})
	client := w.client(t, true)
	for range 30 {
		resp, err := upload(client, 3<<20)
		if err != nil {
			continue // the answer may be lost with the connection; the proxy must not be
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusBadGateway { // 502 where the close came first
			t.Fatalf("answer %s", resp.Status)
		}
	}
}

// impatient is for tests in which somebody makes others wait for longer than that.
func impatient(s *setup) { s.options.SetStalls(300*time.Millisecond, 300*time.Millisecond) }

const longer = time.Second

// TestPausedUpload: it is GitHub that pauses, the client never does.
func TestPausedUpload(t *testing.T) {
	const size = 20 << 20
	w := respondAt(t, impatient, func(conn net.Conn, r *bufio.Reader) {
		time.Sleep(longer)
		n, _ := io.CopyN(io.Discard, r, size)
		body := fmt.Sprint(n)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	})
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprint("h2 ", h2), func(t *testing.T) {
			t.Parallel()
			resp, err := upload(w.client(t, h2), size)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || string(body) != fmt.Sprint(size) {
				t.Errorf("answer %s %s", resp.Status, body)
			}
		})
	}
}

// TestPausedAnswer: the client takes all there is, and there is nothing for long.
func TestPausedAnswer(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10\r\n\r\nfirst", "Connection: close\r\n\r\nfirst"} {
		w := respondAt(t, impatient, func(conn net.Conn, _ *bufio.Reader) {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+framing)
			time.Sleep(longer)
			io.WriteString(conn, "later")
		})
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%.10s h2 %v", framing, h2), func(t *testing.T) {
				t.Parallel()
				resp, err := w.client(t, h2).Get("https://" + uploadsHost + "/repos/acme/widgets")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); string(body) != "firstlater" {
					t.Errorf("answer %q, %v", body, err)
				}
			})
		}
	}
}

// TestStalledClients are cut off, whichever way they stall.
func TestStalledClients(t *testing.T) {
	w := respondAt(t, impatient, func(conn net.Conn, r *bufio.Reader) {
		for range 1000 { // fills all buffers
			if _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + strings.Repeat("x", 1<<20))); err != nil {
				return
			}
		}
	})
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprint("takes nothing, h2 ", h2), func(t *testing.T) {
			resp, err := w.client(t, h2).Get(fmt.Sprintf("https://%s/repos/acme/takes-nothing-%v", uploadsHost, h2))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			w.eventually(t, "the record of a client that was cut off", func() bool {
				for _, record := range w.records(t) {
					if record.Path == fmt.Sprintf("/repos/acme/takes-nothing-%v", h2) {
						return strings.Contains(record.Reason, "cut off")
					}
				}
				return false
			})
		})
		t.Run(fmt.Sprint("sends nothing, h2 ", h2), func(t *testing.T) {
			body, _ := io.Pipe()
			resp, err := w.client(t, h2).Post("https://api.github.com/graphql", "application/json", io.MultiReader(strings.NewReader(`{"query"`), body))
			if err != nil {
				t.Fatal(err)
			}
			body.Close() // net/http's client waits for it
			refused(t, resp, http.StatusRequestTimeout, "the request's body could not be read")
		})
	}
}

// unsent are bodies that do not come.
var unsent = map[string]struct{ fields, body, drip string }{
	"nothing":            {"Content-Length: 1000", "", ""},
	"nothing of a lot":   {"Content-Length: 100000000", "", ""},
	"a part":             {"Content-Length: 1000", "part", ""},
	"a slow one":         {"Content-Length: 1000", "", "x"},
	"a chunk":            {"Transfer-Encoding: chunked", "4\r\npart\r\n", ""},
	"slow chunks":        {"Transfer-Encoding: chunked", "", "1\r\nx\r\n"},
	"an asked-for one":   {"Content-Length: 1000\r\nExpect: 100-continue", "", ""},
	"an asked-for chunk": {"Transfer-Encoding: chunked\r\nExpect: 100-continue", "", ""},
}

// TestRefusalDoesNotWait: whatever a client does with its body, it learns at once
// that the request is refused, and does not keep the connection.
func TestRefusalDoesNotWait(t *testing.T) {
	w := start(t, func(s *setup) {
		client := withSecret()
		client.Repositories, client.Push = repositories(t, "acme/widgets"), refs(t, "refs/heads/agent/**")
		s.options.Clients = clients(t, client)
	})
	auth := "Proxy-Authorization: " + basicAuth("agent", agentSecret) + "\r\n"
	outer := func(t *testing.T) net.Conn { return w.dial(t) }
	inner := func(host string) func(t *testing.T) net.Conn {
		return func(t *testing.T) net.Conn {
			conn := w.dial(t)
			fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: x\r\n%s\r\n", host, auth)
			if resp := readHead(t, bufio.NewReader(conn)); resp.StatusCode != 200 {
				t.Fatal(resp.Status)
			}
			return tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: host, NextProtos: []string{"http/1.1"}})
		}
	}
	for name, test := range map[string]struct {
		dial   func(*testing.T) net.Conn
		head   string
		status int
	}{
		"unknown":         {outer, "POST http://api.github.com/repos/acme/widgets/issues HTTP/1.1\r\nHost: api.github.com", 407},
		"own address":     {outer, "POST /nothing HTTP/1.1\r\nHost: " + w.addr, 404},
		"policy, plain":   {outer, "POST http://api.github.com/repos/globex/tools/issues HTTP/1.1\r\nHost: api.github.com\r\n" + strings.TrimSuffix(auth, "\r\n"), 403},
		"policy":          {inner("api.github.com"), "POST /repos/globex/tools/issues HTTP/1.1\r\nHost: api.github.com", 403},
		"another host":    {inner("api.github.com"), "POST /repos/acme/widgets/issues HTTP/1.1\r\nHost: evil.example", 421},
		"another method":  {inner("api.github.com"), "TRACE /repos/acme/widgets/issues HTTP/1.1\r\nHost: api.github.com", 403},
		"push to another": {inner("github.com"), "POST /globex/tools.git/git-receive-pack HTTP/1.1\r\nHost: github.com", 403},
	} {
		for body, unsent := range unsent {
			t.Run(name+"/"+body, func(t *testing.T) {
				t.Parallel()
				conn := test.dial(t)
				begin := time.Now()
				fmt.Fprintf(conn, "%s\r\n%s\r\n\r\n%s", test.head, unsent.fields, unsent.body)
				if unsent.drip != "" {
					go func() {
						for {
							if _, err := io.WriteString(conn, unsent.drip); err != nil {
								return
							}
							time.Sleep(20 * time.Millisecond)
						}
					}()
				}
				r := bufio.NewReader(conn)
				resp := readHead(t, r)
				if took := time.Since(begin); took > soon {
					t.Errorf("the answer took %v", took)
				}
				if !resp.Close {
					t.Errorf("the connection is kept: %v", resp.Header)
				}
				refused(t, resp, test.status, "")
				if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
					t.Errorf("behind the answer: %d, %v, want the connection's end", n, err)
				}
			})
		}
	}
}

// TestRefusedPushDoesNotWait: a push is read on only while it comes.
func TestRefusedPushDoesNotWait(t *testing.T) {
	w := start(t, onlyAgent(t))
	list := list("refs/heads/main", "report-status", "PACK")
	for _, drip := range []string{"", "1\r\nx\r\n"} {
		t.Run(fmt.Sprintf("%q", drip), func(t *testing.T) {
			t.Parallel()
			conn := w.intercepted(t, "github.com", nil)
			begin := time.Now()
			fmt.Fprintf(conn, "POST /acme/widgets/git-receive-pack HTTP/1.1\r\nHost: github.com\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(list), list)
			go func() {
				for drip != "" {
					if _, err := io.WriteString(conn, drip); err != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}()
			resp := readHead(t, bufio.NewReader(conn))
			text, err := io.ReadAll(resp.Body)
			if took := time.Since(begin); took > soon || err != nil || !strings.Contains(string(text), "ng refs/heads/main ghapp-proxy: ") {
				t.Errorf("%s %q, %v after %v", resp.Status, text, err, took)
			}
		})
	}
}

// TestRefusalKeepsConnection: a client that sends its body can go on.
func TestRefusalKeepsConnection(t *testing.T) {
	w := start(t, nil)
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"http/1.1"}})
	r := bufio.NewReader(conn)
	for i, body := range []string{"Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 100_000)} {
		head, rest, _ := strings.Cut(body, "\r\n\r\n")
		fmt.Fprintf(conn, "POST /app/installations/111/access_tokens HTTP/1.1\r\nHost: api.github.com\r\n%s\r\n\r\n", head)
		io.WriteString(conn, rest)
		resp := readHead(t, r)
		if resp.Close {
			t.Errorf("body %d: the connection is not kept", i)
		}
		refused(t, resp, 403, "hands out")
	}
}

// TestUploadKeepsConnection: what was read to its end is in nobody's way.
func TestUploadKeepsConnection(t *testing.T) {
	w := start(t, nil)
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"http/1.1"}})
	r := bufio.NewReader(conn)
	for _, body := range []string{"Content-Length: 13\r\n\r\n{\"title\":\"x\"}", "Transfer-Encoding: chunked\r\n\r\nd\r\n{\"title\":\"x\"}\r\n0\r\n\r\n"} {
		fmt.Fprintf(conn, "POST /repos/acme/widgets/issues HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: x\r\nContent-Type: application/json\r\n%s", body)
		resp := readHead(t, r)
		if io.Copy(io.Discard, resp.Body); resp.StatusCode != http.StatusCreated || resp.Close {
			t.Errorf("answer %s; the connection is closed: %v", resp.Status, resp.Close)
		}
	}
}

// TestRefusalIsRead: clients that send all of a body before they read the answer
// get it, and no reset.
func TestRefusalIsRead(t *testing.T) {
	w := limitedTo(t, policy.Limits{MaxBody: 1000}, nil)
	const size = 8 << 20
	conn := w.dial(t)
	fmt.Fprintf(conn, "CONNECT api.github.com:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", basicAuth("agent", agentSecret))
	readHead(t, bufio.NewReader(conn))
	secure := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "api.github.com"})
	for _, test := range []struct {
		conn   net.Conn
		target string
		status int
	}{{w.dial(t), "http://api.github.com", 407}, {secure, "", 413}} {
		fmt.Fprintf(test.conn, "POST %s/repos/acme/widgets/issues HTTP/1.1\r\nHost: api.github.com\r\nContent-Length: %d\r\n\r\n", test.target, size)
		if n, err := io.CopyN(test.conn, zeros{}, size); err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		refused(t, readHead(t, bufio.NewReader(test.conn)), test.status, "")
	}
}

// TestRefusalDoesNotWaitHTTP2: HTTP/2 ends the stream, and keeps the connection.
func TestRefusalDoesNotWaitHTTP2(t *testing.T) {
	w := start(t, nil)
	client := w.client(t, true)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		body, _ := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, "POST", "https://api.github.com/app/installations/111/access_tokens", io.MultiReader(strings.NewReader("part"), body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body.Close() // net/http's client waits for it
		refused(t, resp, 403, "hands out")
		cancel()
	}
}
