package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// crafty is a host whose answers somebody might read as others. It sends one such, in
// parts, to each request for "…/hostile", and its own to all others.
type crafty struct {
	hostile atomic.Pointer[hostile]

	round  atomic.Int32 // of the answers
	reused atomic.Bool  // the connection of the round's answer was used again
}

type hostile struct {
	parts []string
	ends  bool // the connection, behind the answer
}

// serve serves a connection.
func (h *crafty) serve(conn net.Conn, r *bufio.Reader) {
	was := int32(0) // the last round in which the connection had a hostile answer
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		if !strings.Contains(m.Line, "/hostile") {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")
			if was == h.round.Load() {
				h.reused.Store(true)
			}
			continue
		}
		was = h.round.Load()
		says := h.hostile.Load()
		for i, part := range says.parts {
			if i > 0 {
				time.Sleep(20 * time.Millisecond)
			}
			io.WriteString(conn, part)
		}
		if says.ends {
			return
		}
	}
}

// smuggle is what is not to become the answer of anybody else.
const smuggle = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nWRONG"

// craftyAnswers: what a client gets for them, as status and body, "cut" for one that
// breaks off; and whether another request may leave over the same connection.
var craftyAnswers = []struct {
	name, method, answer string
	want                 string
	ends, kept           bool
}{
	{"plain", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, true},
	{"without fields", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", false, true},
	{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200 ok", false, true},
	{"chunks with extensions", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0;c\r\n\r\n", "200 ok", false, true},
	{"two answers", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + smuggle, "200 ok", false, false},
	{"more than its length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "200 ok", false, false},
	{"two lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 52\r\n\r\nok" + smuggle, "502", false, false},
	{"the same length twice", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, false},
	{"a list of lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", "502", false, false},
	{"a length with a sign", "GET", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "502", false, false},
	{"a negative length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", "502", false, false},
	{"a hexadecimal length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", "502", false, false},
	{"no length", "GET", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", "502", false, false},
	{"a length beyond all", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", "502", false, false},
	{"length and chunks", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200 ok", false, false},
	{"chunks and length", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\nok\r\n0\r\n\r\n" + smuggle, "200 ok", false, false},
	{"chunked twice", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "502", false, false},
	{"another coding", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "502", false, false},
	{"a coding in disguise", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"chunk with a sign", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n", "cut", false, false},
	{"chunk with 0x", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n", "cut", false, false},
	{"chunk that is longer", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok and more\r\n0\r\n\r\n", "cut", false, false},
	{"chunks in bare LF", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n", "cut", false, false},
	{"chunks without an end", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "cut", true, false},
	{"trailers", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 9\r\nX: y\r\n\r\n", "200 ok", false, true},
	{"until it ends", "GET", "HTTP/1.1 200 OK\r\n\r\nok", "200 ok", true, false},
	{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, false},
	{"HTTP/1.0, chunked", "GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nok", "200 ok", true, false},
	{"HTTP/1.0, kept", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, false},
	{"the last one", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, false},
	{"cut", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "cut", true, false},
	{"204 with a body", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "204 ", false, false},
	{"204 with a length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", "204 ", false, false},
	{"204 with an answer", "GET", "HTTP/1.1 204 No Content\r\n\r\n" + smuggle, "204 ", false, false},
	{"204 with chunks", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "204 ", false, false},
	{"304 with a body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok", "304 ", false, false},
	{"304 with an answer", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 52\r\n\r\n" + smuggle, "304 ", false, false},
	{"HEAD with a body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ", false, false},
	{"HEAD with an answer", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 52\r\n\r\n" + smuggle, "200 ", false, false},
	{"HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200 ", false, false},
	{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "200 ", false, true},
	{"bare LF", "GET", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "200 ok", false, false},
	{"folded", "GET", "HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 9\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, false},
	{"space before the colon", "GET", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nok", "200 ok", true, false},
	{"bare CR", "GET", "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 9\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"NUL", "GET", "HTTP/1.1 200 OK\r\nX: a\x00\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"no colon", "GET", "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"eight bits", "GET", "HTTP/1.1 200 OK\r\nX: \xff\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, false},
	{"no HTTP", "GET", "220 smtp.example\r\n", "502", true, false},
	{"HTTP/0.9", "GET", "<html>", "502", true, false},
	{"another version", "GET", "HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, false},
	{"no status", "GET", "HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"a status of four", "GET", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"a status of nothing", "GET", "HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"a status of its own", "GET", "HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nok", "999 ok", false, true},
	{"100", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, true},
	{"102, 103", "GET", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, true},
	{"103 with a length", "GET", "HTTP/1.1 103 Early Hints\r\nContent-Length: 52\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok", false, true},
	{"103 for ever", "GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "502", false, false},
	{"101", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" + smuggle, "502", false, false},
}

// TestSmuggledAnswers: whatever a host answers, its client gets an answer with one
// meaning, and nothing of it becomes that of another; whoever writes and reads.
func TestSmuggledAnswers(t *testing.T) {
	for name, byRelay := range map[string]bool{"relay": true, "net/http": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := &crafty{}
			w := respondTo(t, host.serve, func(s *setup) { s.options.WithoutRelay = !byRelay })
			for _, test := range craftyAnswers {
				head, body, _ := strings.Cut(test.answer, "\r\n\r\n")
				ways := [][]string{{test.answer}, {head + "\r\n\r\n", body}}
				if strings.HasSuffix(test.want, " ") || !strings.Contains(test.answer, "\r\n\r\n") {
					ways = ways[:1] // what comes behind an answer later, nobody can tell from one
				}
				for _, parts := range ways {
					host.hostile.Store(&hostile{parts, test.ends})
					host.round.Add(1)
					host.reused.Store(false)
					conn := bound(t, w.intercepted(t, codeload, nil))
					got := askFor(conn, test.method, "hostile")
					if got != test.want && !(got == "gone" && test.want == "cut") {
						t.Errorf("%s: answered %q, want %q", test.name, got, test.want)
					}
					if got != test.want || got == "cut" {
						conn.Close()
						conn = bound(t, w.intercepted(t, codeload, nil))
					}
					for range 2 {
						if got := askFor(conn, "GET", "x"); got != "200 own" && got != "gone" {
							t.Errorf("%s: the next request was answered %q", test.name, got)
						}
					}
					if another := bound(t, w.intercepted(t, codeload, nil)); askFor(another, "GET", "x") != "200 own" {
						t.Errorf("%s: another client did not get its own", test.name)
					}
					if reused := host.reused.Load(); reused != test.kept {
						t.Errorf("%s: its connection was used again %v, want %v", test.name, reused, test.kept)
					}
				}
			}
		})
	}
}

// askFor asks for something, and returns status and body of the final answer.
func askFor(conn net.Conn, method, what string) string {
	if _, err := fmt.Fprintf(conn, "%s /acme/widgets/tar.gz/%s HTTP/1.1\r\nHost: %s\r\n\r\n", method, what, codeload); err != nil {
		return "gone"
	}
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return "gone"
		}
		if resp.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		rest, _ := r.Peek(r.Buffered())
		switch {
		case len(rest) > 0:
			return fmt.Sprintf("%d %s, and behind it %q", resp.StatusCode, body, rest)
		case err != nil:
			return "cut"
		case resp.StatusCode == http.StatusBadGateway:
			return "502"
		}
		return fmt.Sprintf("%d %s", resp.StatusCode, body)
	}
}

// TestCutAnswers: an answer that ends before its end, wherever that is, is nobody's whole
// answer, and the next request has its own.
func TestCutAnswers(t *testing.T) {
	host := &crafty{}
	w := respond(t, host.serve)
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 12\r\n\r\nhello, world",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nhi",
	} {
		for at := range answer {
			host.hostile.Store(&hostile{[]string{answer[:at]}, true})
			conn := bound(t, w.intercepted(t, codeload, nil))
			if got := askFor(conn, "GET", "hostile"); got != "502" && got != "cut" && got != "gone" {
				t.Errorf("%q: answered %q", answer[:at], got)
			}
			conn.Close()
		}
		host.hostile.Store(&hostile{[]string{answer}, true})
		conn := bound(t, w.intercepted(t, codeload, nil))
		if got := askFor(conn, "GET", "hostile"); got != "200 hello, world" && got != "302 hi" {
			t.Errorf("%q: answered %q", answer, got)
		}
		if got := askFor(conn, "GET", "x"); got != "200 own" {
			t.Errorf("then: answered %q", got)
		}
	}
}

// TestLateAnswers: an answer that comes when its client has gone is no other's; nor is one
// that comes before its request.
func TestLateAnswers(t *testing.T) {
	var answered atomic.Int32
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	w := respond(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			m, err := readMessage(r)
			switch {
			case err != nil:
				return
			case strings.Contains(m.Line, "/late"):
				asked <- struct{}{}
				<-answer
				io.WriteString(conn, smuggle)
				answered.Add(1)
			case strings.Contains(m.Line, "/early"):
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")
				time.Sleep(50 * time.Millisecond) // until the connection is kept
				io.WriteString(conn, smuggle)
				answered.Add(1)
			default:
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")
			}
		}
	})
	for i := range 3 {
		conn := bound(t, w.intercepted(t, codeload, nil))
		fmt.Fprintf(conn, "GET /acme/widgets/tar.gz/late HTTP/1.1\r\nHost: %s\r\n\r\n", codeload)
		<-asked
		conn.Close()
		w.eventually(t, "the client's end", func() bool { return strings.Count(w.log.String(), "path=/acme/widgets/tar.gz/late") > i })
		answer <- struct{}{}
		another := bound(t, w.intercepted(t, codeload, nil))
		if got := askFor(another, "GET", "early"); got != "200 own" {
			t.Errorf("a late answer: the next client got %q", got)
		}
		w.eventually(t, "the answer that nobody asked for", func() bool { return answered.Load() == int32(2*i+2) })
		if got := askFor(another, "GET", "x"); got != "200 own" {
			t.Errorf("an early answer: the next client got %q", got)
		}
	}
}
