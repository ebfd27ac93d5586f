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

	"ghapp-proxy/githubtest"
)

// soon is long for one exchange on loopback, and short for a person.
const soon = 3 * time.Second

// readHead reads one response head.
func readHead(t testing.TB, r *bufio.Reader) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return resp
}

// The client is told to go on when GitHub says so, not before.
func TestExpectContinue(t *testing.T) {
	asked := make(chan string, 1)
	w := respond(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		fields, _ := readFields(r)
		asked <- strings.Join(fields["expect"], ",")
		io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		body := make([]byte, 5)
		io.ReadFull(r, body)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", body)
	})
	conn := w.intercepted(t, codeload, nil)
	conn.SetDeadline(time.Now().Add(soon))
	fmt.Fprintf(conn, "PUT /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", codeload)
	r := bufio.NewReader(conn)
	if resp := readHead(t, r); resp.StatusCode != 100 {
		t.Fatalf("status %d before the body, want 100", resp.StatusCode)
	}
	if got := <-asked; got != "100-continue" {
		t.Errorf("Expect arrived as %q", got)
	}
	io.WriteString(conn, "hello")
	resp := readHead(t, r)
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != "hello" {
		t.Errorf("answer %d %q", resp.StatusCode, body)
	}
}

// A refused upload is not asked for its body.
func TestExpectContinueRefused(t *testing.T) {
	w := start(t, nil)
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"http/1.1"}})
	conn.SetDeadline(time.Now().Add(soon))
	io.WriteString(conn, "POST /app/installations/111/access_tokens HTTP/1.1\r\nHost: api.github.com\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	refused(t, readHead(t, bufio.NewReader(conn)), 403, "hands out")
}

// An answer that comes while the body is still being sent is passed on at once.
func TestEarlyAnswer(t *testing.T) {
	w := respond(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := r.ReadString('\n'); err == nil {
			readFields(r)
			io.WriteString(conn, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
			io.Copy(io.Discard, r)
		}
	})
	conn := w.intercepted(t, codeload, nil)
	conn.SetDeadline(time.Now().Add(soon))
	fmt.Fprintf(conn, "POST /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\nContent-Length: 100000000\r\n\r\nfirst bytes", codeload)
	resp := readHead(t, bufio.NewReader(conn))
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(body) != "big" {
		t.Errorf("answer %d %q", resp.StatusCode, body)
	}
}

// What GitHub has sent so far reaches the client, also where the length of
// the whole is known.
func TestSlowBody(t *testing.T) {
	for _, framing := range []string{"Content-Length: 10\r\n\r\nfirst", "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"} {
		release := make(chan struct{})
		w := respond(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := readMessage(r); err == nil {
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+framing)
				<-release
			}
		})
		conn := w.intercepted(t, codeload, nil)
		conn.SetDeadline(time.Now().Add(soon))
		fmt.Fprintf(conn, "GET /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\n\r\n", codeload)
		resp := readHead(t, bufio.NewReader(conn))
		first := make([]byte, 5)
		if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first" {
			t.Errorf("%q: %q, %v", framing, first, err)
		}
		close(release)
	}
}

// An upload streams: GitHub sees its beginning before its end exists.
func TestStreamingUpload(t *testing.T) {
	seen := make(chan string, 1)
	w := respond(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
		readFields(r)
		r.ReadString('\n') // the size of the first chunk
		first := make([]byte, 5)
		io.ReadFull(r, first)
		seen <- string(first)
		io.Copy(io.Discard, r)
	})
	conn := w.intercepted(t, codeload, nil)
	fmt.Fprintf(conn, "POST /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n", codeload)
	select {
	case got := <-seen:
		if got != "first" {
			t.Errorf("GitHub saw %q", got)
		}
	case <-time.After(soon):
		t.Error("GitHub has seen nothing of the body")
	}
}

// A client that leaves cancels its request to GitHub.
func TestClientLeaves(t *testing.T) {
	gone := make(chan struct{})
	w := respond(t, func(_ net.Conn, r *bufio.Reader) {
		if _, err := readMessage(r); err == nil {
			io.Copy(io.Discard, r) // ends when the proxy closes the connection
			close(gone)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://"+codeload+"/acme/widgets/tar.gz/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := w.client(t, false).Do(req); err == nil {
		resp.Body.Close()
		t.Fatal("an answer came out of nowhere")
	}
	select {
	case <-gone:
	case <-time.After(soon):
		t.Error("the request to GitHub goes on without its client")
	}
	waitFor(t, func() bool { return strings.Contains(w.log.String(), "context canceled") }, "the log line")
}

// An answer that breaks off must not look complete.
func TestCutBody(t *testing.T) {
	for name, answer := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
	} {
		w := respond(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := readMessage(r); err == nil {
				io.WriteString(conn, answer)
			}
		})
		resp, err := w.client(t, false).Get("https://" + codeload + "/acme/widgets/tar.gz/x")
		if err != nil {
			continue // cut before the head was passed on
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Errorf("%s: the client took %q for complete", name, body)
		}
		waitFor(t, func() bool { return strings.Contains(w.log.String(), "cut off") }, "the log line")
	}
}

func TestUpstreamFailures(t *testing.T) {
	t.Run("refused connection", func(t *testing.T) {
		w := start(t, func(s *setup) { s.upstream.ConnectTo[codeload+":443"] = "127.0.0.1:1" })
		resp, err := w.client(t, false).Get("https://" + codeload + "/acme/widgets/tar.gz/x")
		if err != nil {
			t.Fatal(err)
		}
		refused(t, resp, 502, "codeload.github.com could not be reached")
		if got := resp.Header.Get("Proxy-Status"); !strings.Contains(got, "error=connection_refused") {
			t.Errorf("Proxy-Status: %s", got)
		}
	})
	t.Run("untrusted certificate", func(t *testing.T) {
		config, _ := upstreamTLS(t)
		addr, _ := rawServer(t, config)
		w := behind(t, addr, nil)
		resp, err := w.client(t, false).Get("https://" + codeload + "/acme/widgets/tar.gz/x")
		if err != nil {
			t.Fatal(err)
		}
		refused(t, resp, 502, "ca_file")
		if got := resp.Header.Get("Proxy-Status"); !strings.Contains(got, "error=tls_certificate_error") {
			t.Errorf("Proxy-Status: %s", got)
		}
	})
	t.Run("GitHub's API down", func(t *testing.T) {
		w := start(t, func(s *setup) { s.upstream.ConnectTo["api.github.com:443"] = "127.0.0.1:1" })
		resp, err := w.client(t, false).Get("https://raw.githubusercontent.com/acme/widgets/main/README.md")
		if err != nil {
			t.Fatal(err)
		}
		refused(t, resp, 502, "App ci-bot could not mint a token for installation 111")
	})
	for _, method := range []string{"GET", "POST"} {
		t.Run("answers "+method+" with no status there is", func(t *testing.T) {
			w := respond(t, func(conn net.Conn, r *bufio.Reader) {
				readMessage(r)
				io.WriteString(conn, "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok")
			})
			req, err := http.NewRequest(method, "https://"+codeload+"/acme/widgets/tar.gz/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := w.client(t, false).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, resp, 502, "099 is no status")
			if got := resp.Header.Get("Proxy-Status"); !strings.Contains(got, "error=http_protocol_error") {
				t.Errorf("Proxy-Status: %s", got)
			}
		})
	}
	t.Run("closes without an answer", func(t *testing.T) {
		w := respond(t, func(conn net.Conn, r *bufio.Reader) { readMessage(r) })
		resp, err := w.client(t, false).Post("https://"+codeload+"/acme/widgets/tar.gz/x", "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		refused(t, resp, 502, "closed the connection before it answered")
	})
}

// git and LFS would ask for a password.
func TestGitNeverSees401(t *testing.T) {
	t.Parallel() // a token that was just minted is given six seconds
	w := start(t, nil)
	w.github.Handle("github.com", "/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	for path, want := range map[string]string{
		"/acme/widgets.git/info/refs?service=git-upload-pack": "GitHub refused the token of installation 111 (App ci-bot)",
		"/octocat/x.git/info/refs?service=git-upload-pack":    "no installation covers it",
		"/acme/widgets.git/info/lfs/locks":                    "GitHub refused the token",
	} {
		resp, err := w.client(t, false).Get("https://github.com" + path)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("WWW-Authenticate"); got != "" {
			t.Errorf("%s: WWW-Authenticate: %s", path, got)
		}
		refused(t, resp, 403, want)
	}
}

// The proxy neither follows redirects nor takes a credential along.
func TestRedirectIsPassedOn(t *testing.T) {
	needGit(t)
	w := start(t, nil)
	client := w.client(t, false)
	resp, err := client.Get("https://api.github.com/repos/acme/widgets/tarball/main")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if location := resp.Header.Get("Location"); resp.StatusCode != 302 || !strings.HasPrefix(location, "https://codeload.github.com/") {
		t.Fatalf("%s to %q, want 302 to codeload", resp.Status, location)
	}
	if status, body := get(t, client, resp.Header.Get("Location")); status != 200 || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("archive: %d %.20q", status, body)
	}
	for _, r := range w.github.Requests() {
		if strings.HasPrefix(r.Host, "objects.") && r.Credential != githubtest.CredentialNone {
			t.Errorf("%v has a credential", r)
		}
	}
}

// Shutdown ends a tunnel that is idle, without waiting for its own end.
func TestShutdownEndsTunnels(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if conn, err := ln.Accept(); err == nil {
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	var conn net.Conn
	t.Run("open", func(t *testing.T) { // its end shuts the proxy down
		w := start(t, nil)
		conn, err = net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", ln.Addr())
		if resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
			t.Fatalf("CONNECT: %v, %v", resp, err)
		}
	})
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(soon))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the tunnel outlives the proxy: %v", err)
	}
}
