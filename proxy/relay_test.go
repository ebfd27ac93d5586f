package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bound keeps a test that waits for what does not come from hanging.
func bound(t *testing.T, conn net.Conn) net.Conn {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// wantAnswers reads as many answers of 200, and fails unless nothing comes behind.
func wantAnswers(t *testing.T, r *bufio.Reader, n int) {
	t.Helper()
	for i := range n {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d of %d: %v", i+1, n, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || len(body) == 0 {
			t.Fatalf("answer %d of %d: %s, %q, %v", i+1, n, resp.Status, body, err)
		}
	}
	if r.Buffered() > 0 {
		rest, _ := r.Peek(r.Buffered())
		t.Fatalf("behind the answers comes %q", rest)
	}
}

const (
	repoGet = "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: t\r\n\r\n"
	viewer  = `{"query":"query { repository(owner: \"acme\", name: \"widgets\") { name } }"}`
)

var viewerPost = fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: t\r\nContent-Length: %d\r\n\r\n%s", len(viewer), viewer)

// Requests are told apart wherever the client cuts them, and whoever reads them.
func TestRelayCuts(t *testing.T) {
	w := start(t, nil)
	chunked := "POST /graphql HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: t\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(viewer), viewer)
	for name, all := range map[string]string{"reads": repoGet + repoGet, "bodies": viewerPost + viewerPost + repoGet, "over to net/http": repoGet + chunked + viewerPost + repoGet} {
		n := strings.Count(all, "HTTP/1.1\r\n")
		for at := 0; at < len(all); at += 1 + at%7 {
			conn := bound(t, w.intercepted(t, "api.github.com", nil))
			io.WriteString(conn, all[:at])
			if at%3 == 0 {
				time.Sleep(2 * time.Millisecond) // it is in a record of its own anyway
			}
			io.WriteString(conn, all[at:])
			wantAnswers(t, bufio.NewReader(conn), n)
			conn.Close()
			if t.Failed() {
				t.Fatalf("%s, cut at %d", name, at)
			}
		}
	}
}

// A body whose rest does not come with its head is net/http's, from its first octet.
func TestRelaySlowBody(t *testing.T) {
	w := start(t, nil)
	conn := bound(t, w.intercepted(t, "api.github.com", nil))
	io.WriteString(conn, viewerPost[:len(viewerPost)-9])
	time.Sleep(150 * time.Millisecond)
	io.WriteString(conn, viewerPost[len(viewerPost)-9:]+repoGet)
	wantAnswers(t, bufio.NewReader(conn), 2)
}

// The spelling and the order of fields, and the reason phrase, are those that came.
func TestRelaySpelling(t *testing.T) {
	if !*withRelay {
		t.Skip("net/http has its own")
	}
	arrived := make(chan string, 1)
	w := respond(t, func(conn net.Conn, r *bufio.Reader) {
		var head strings.Builder
		for {
			line, err := r.ReadString('\n')
			if head.WriteString(line); err != nil || line == "\r\n" {
				break
			}
		}
		arrived <- head.String()
		io.WriteString(conn, "HTTP/1.1 200 Fine by me\r\nx-B-lower: 1\r\nDate: d\r\nX-GitHub-Request-Id: C0DE\r\nContent-Length: 2\r\nx-b-LOWER: 2\r\nA: b\r\n\r\nok")
	})
	conn := bound(t, w.intercepted(t, codeload, nil))
	fmt.Fprintf(conn, "GET /acme/widgets/tar.gz/x HTTP/1.1\r\nx-GITHUB-api: 1\r\nhost: %s\r\nConnection: keep-alive\r\naccept: */*\r\nX-Github-Api: 2\r\n\r\n", codeload)
	resp, want := make([]byte, 4<<10), "HTTP/1.1 200 Fine by me\r\nx-B-lower: 1\r\nx-B-lower: 2\r\nDate: d\r\nX-GitHub-Request-Id: C0DE\r\nContent-Length: 2\r\nA: b\r\n\r\nok"
	if n, err := io.ReadAtLeast(conn, resp, len(want)); string(resp[:n]) != want {
		t.Errorf("answered with %q (%v), want %q", resp[:n], err, want)
	}
	head := <-arrived
	before, token, ok := strings.Cut(head, "Authorization: ")
	if before != "GET /acme/widgets/tar.gz/x HTTP/1.1\r\nhost: "+codeload+"\r\nx-GITHUB-api: 1\r\nx-GITHUB-api: 2\r\naccept: */*\r\n" || !ok || !strings.HasSuffix(token, "\r\n\r\n") || strings.Count(token, "\r\n") != 2 {
		t.Errorf("arrived as %q", head)
	}
}

// The same for answers without a body, whatever says so.
func TestRelaySpellingWithoutBody(t *testing.T) {
	if !*withRelay {
		t.Skip("net/http has its own")
	}
	for _, test := range []struct{ method, answer string }{
		{"GET", "HTTP/1.1 302 Over there\r\nx-B: 1\r\nlocation: /x\r\nDATE: d\r\ncontent-length: 0\r\nA: \r\n\r\n"},
		{"GET", "HTTP/1.1 304 Same\r\nx-B: 1\r\netag: \"x\"\r\nDATE: d\r\nSet-Cookie: b\r\nSet-Cookie: a\r\n\r\n"},
		{"GET", "HTTP/1.1 204 None\r\nx-B: 1\r\nDATE: d\r\nA: b\r\n\r\n"},
		{"HEAD", "HTTP/1.1 200 Fine\r\nx-B: 1\r\nDATE: d\r\ncontent-LENGTH: 77\r\nA: b\r\n\r\n"},
		{"HEAD", "HTTP/1.1 404 Fine\r\nx-B: 1\r\nDATE: d\r\nA: b\r\n\r\n"},
	} {
		w := respond(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := readMessage(r); err == nil {
				io.WriteString(conn, test.answer)
			}
		})
		conn := bound(t, w.intercepted(t, codeload, nil))
		fmt.Fprintf(conn, "%s /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", test.method, codeload)
		text, err := io.ReadAll(conn)
		got := strings.Replace(string(text), "Connection: close\r\n", "", 1)
		if got = strings.Replace(got, "Proxy-Status", "", 1); err != nil || got != test.answer {
			t.Errorf("%s: answered with %q (%v), want %q", test.method, text, err, test.answer)
		}
	}
}

// A client that leaves takes its request with it, also when it takes long.
func TestRelayLeaver(t *testing.T) {
	var gone atomic.Bool
	asked := make(chan struct{}, 1)
	w := respond(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := readMessage(r); err != nil {
			return
		}
		asked <- struct{}{}
		if _, err := r.ReadByte(); err != nil {
			gone.Store(true)
		}
	})
	conn := w.intercepted(t, codeload, nil)
	fmt.Fprintf(conn, "GET /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\n\r\n", codeload)
	<-asked
	conn.Close()
	w.eventually(t, "the end of the request to the host", gone.Load)
}

// What comes while a request takes long is the next request.
func TestRelayPipelinedWhileBusy(t *testing.T) {
	w := respond(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			if m, err := readMessage(r); err != nil || !strings.HasPrefix(m.Line, "GET ") {
				return
			}
			time.Sleep(400 * time.Millisecond)
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	ask := fmt.Sprintf("GET /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\n\r\n", codeload)
	conn := bound(t, w.intercepted(t, codeload, nil))
	io.WriteString(conn, ask)
	time.Sleep(320 * time.Millisecond) // the client is watched now
	io.WriteString(conn, ask+ask[:20])
	time.Sleep(500 * time.Millisecond)
	io.WriteString(conn, ask[20:])
	wantAnswers(t, bufio.NewReader(conn), 3)
}

// An answer that breaks off does not look complete, however its end is told.
func TestRelayBrokenAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"with a length": "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50000),
		"in chunks":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		w := respond(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := readMessage(r); err == nil {
				io.WriteString(conn, answer)
			}
		})
		conn := bound(t, w.intercepted(t, codeload, nil))
		fmt.Fprintf(conn, "GET /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\n\r\n", codeload)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if body, err := io.ReadAll(resp.Body); err == nil || len(body) == 0 {
			t.Errorf("%s: %d octets, %v; want a part, and an error", name, len(body), err)
		}
	}
}

// Connections end with what ends them: the client's word, or the proxy's.
func TestRelayClose(t *testing.T) {
	w := start(t, nil)
	conn := bound(t, w.intercepted(t, "api.github.com", nil))
	io.WriteString(conn, strings.Replace(repoGet, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)+repoGet)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || !resp.Close {
		t.Fatalf("%v, %v; want a last answer", resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("behind the last answer: %q, %v", rest, err)
	}
}

// Connections leave nothing behind, whatever their clients do.
func TestRelayLeavesNothing(t *testing.T) {
	w := start(t, nil)
	wantAnswersOf := func(text string, n int) {
		conn := bound(t, w.intercepted(t, "api.github.com", nil))
		defer conn.Close()
		io.WriteString(conn, text)
		wantAnswers(t, bufio.NewReader(conn), n)
	}
	wantAnswersOf(repoGet, 1)
	before := runtime.NumGoroutine()
	for range 20 {
		wantAnswersOf(repoGet+viewerPost, 2)
		for _, text := range []string{"", "G", repoGet[:30], viewerPost[:len(viewerPost)-5], repoGet, "\x00\r\n\r\n"} {
			conn := w.intercepted(t, "api.github.com", nil)
			io.WriteString(conn, text)
			conn.Close()
		}
	}
	w.eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before+3 })
}
