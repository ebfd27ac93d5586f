package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/ending"
	"ghapp-proxy/h1"

	"github.com/google/go-cmp/cmp"
)

// sink is a connection of which only what was written counts.
type sink struct {
	net.Conn
	bytes.Buffer
	fails    error // of writes
	deadline time.Time
}

func (s *sink) Write(p []byte) (int, error) {
	if s.fails != nil {
		return 0, s.fails
	}
	return s.Buffer.Write(p)
}

func (s *sink) Read([]byte) (int, error)           { return 0, io.EOF }
func (s *sink) SetWriteDeadline(t time.Time) error { s.deadline = t; return nil }

// answering returns a writer of the answer to a request.
func answering(method string) (w *answerWriter, to *sink) {
	w, to = &answerWriter{}, &sink{}
	under := &ending.Context{}
	under.Of(context.Background())
	w.begin(to, &deadline{}, &http.Request{Method: method, ProtoMajor: 1, ProtoMinor: 1}, nil, under)
	return w, to
}

var aDate = regexp.MustCompile(`Date: \w{3}, [^\r]* GMT\r\n`)

// TestAnswerWriter: what is on the wire for what a handler does.
func TestAnswerWriter(t *testing.T) {
	set := func(w *answerWriter, name string, values ...string) { w.Header()[name] = values }
	for name, test := range map[string]struct {
		method string
		handle func(*answerWriter)
		want   string // D is a Date of its own
		last   bool
	}{
		"nothing":              {"GET", func(*answerWriter) {}, "HTTP/1.1 200 OK\r\nDContent-Length: 0\r\n\r\n", false},
		"a Date":               {"GET", func(w *answerWriter) { set(w, "Date", "d") }, "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 0\r\n\r\n", false},
		"no Date":              {"GET", func(w *answerWriter) { set(w, "Date") }, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		"its length":           {"GET", func(w *answerWriter) { set(w, "Content-Length", "2"); io.WriteString(w, "ok") }, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nD\r\nok", false},
		"no length":            {"GET", func(w *answerWriter) { io.WriteString(w, "ok"); io.WriteString(w, strings.Repeat("x", 20)) }, "HTTP/1.1 200 OK\r\nDTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n14\r\nxxxxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n", false},
		"a length that is not": {"GET", func(w *answerWriter) { set(w, "Content-Length", "2x"); io.WriteString(w, "ok") }, "HTTP/1.1 200 OK\r\nDTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
		"two lengths":          {"GET", func(w *answerWriter) { set(w, "Content-Length", "2", "3"); io.WriteString(w, "ok") }, "HTTP/1.1 200 OK\r\nDTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
		"a negative length":    {"GET", func(w *answerWriter) { set(w, "Content-Length", "-2"); io.WriteString(w, "ok") }, "HTTP/1.1 200 OK\r\nDTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false},
		"less than its length": {"GET", func(w *answerWriter) { set(w, "Content-Length", "3"); io.WriteString(w, "ok") }, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nD\r\nok", true},
		"more than its length": {"GET", func(w *answerWriter) {
			set(w, "Content-Length", "2")
			io.WriteString(w, "ok")
			if _, err := io.WriteString(w, "!"); err != http.ErrContentLength {
				t.Errorf("more than its length: %v", err)
			}
		}, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nD\r\nok", true},
		"the last": {"GET", func(w *answerWriter) { set(w, "Connection", "close") }, "HTTP/1.1 200 OK\r\nConnection: close\r\nDContent-Length: 0\r\n\r\n", true},
		"its last": {"GET", func(w *answerWriter) { w.r.Close = true }, "HTTP/1.1 200 OK\r\nDConnection: close\r\nContent-Length: 0\r\n\r\n", true},
		"both":     {"GET", func(w *answerWriter) { w.r.Close = true; set(w, "Connection", "close") }, "HTTP/1.1 200 OK\r\nConnection: close\r\nDContent-Length: 0\r\n\r\n", true},
		"204": {"GET", func(w *answerWriter) {
			set(w, "Content-Length", "2")
			set(w, "Transfer-Encoding", "x")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "ok"); err != http.ErrBodyNotAllowed {
				t.Errorf("a body of 204: %v", err)
			}
		}, "HTTP/1.1 204 No Content\r\nD\r\n", false},
		"304":          {"GET", func(w *answerWriter) { set(w, "Content-Length", "2"); w.WriteHeader(304); io.WriteString(w, "ok") }, "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\nD\r\n", false},
		"HEAD":         {"HEAD", func(w *answerWriter) { set(w, "Content-Length", "2"); io.WriteString(w, "ok") }, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nD\r\n", false},
		"two heads":    {"GET", func(w *answerWriter) { w.WriteHeader(404); w.WriteHeader(200) }, "HTTP/1.1 404 Not Found\r\nDContent-Length: 0\r\n\r\n", false},
		"empty writes": {"GET", func(w *answerWriter) { w.Write(nil); w.FlushError(); w.Write(nil); io.WriteString(w, "a") }, "HTTP/1.1 200 OK\r\nDTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false},
		"trailers": {"GET", func(w *answerWriter) {
			set(w, "Trailer", "X-T, Content-Length")
			set(w, http.TrailerPrefix+"X-U", "2")
			set(w, http.TrailerPrefix+"Host", "3")
			w.WriteHeader(200)
			set(w, "X-T", "1")
			set(w, "Content-Length", "9")
		}, "HTTP/1.1 200 OK\r\nTrailer: X-T, Content-Length\r\nDTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n", false},
		"a reason":              {"GET", func(w *answerWriter) { w.as(nil, "200 fine"); w.WriteHeader(200) }, "HTTP/1.1 200 fine\r\nDContent-Length: 0\r\n\r\n", false},
		"a reason that is more": {"GET", func(w *answerWriter) { w.as(nil, "200 a\r\nX: y"); w.WriteHeader(200) }, "HTTP/1.1 200 OK\r\nDContent-Length: 0\r\n\r\n", false},
		"interim": {"GET", func(w *answerWriter) { set(w, "Link", "</x>"); w.WriteHeader(103); delete(w.Header(), "Link") },
			"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nDContent-Length: 0\r\n\r\n", false},
	} {
		w, to := answering(test.method)
		test.handle(w)
		more := w.finish()
		if got := aDate.ReplaceAllString(to.String(), "D"); got != test.want || more == test.last {
			t.Errorf("%s: %q, another can follow %v; want %q, %v", name, got, more, test.want, !test.last)
		}
		w.release()
	}
}

// TestAnswerWriterSends: what is sent when.
func TestAnswerWriterSends(t *testing.T) {
	w, to := answering("GET")
	w.patience = time.Minute
	w.WriteHeader(103)
	if to.Len() == 0 || time.Until(to.deadline) < time.Minute/2 {
		t.Errorf("of an interim answer %q was sent, until %v", to.Bytes(), to.deadline)
	}
	w.Header().Set("Content-Length", "10000000")
	w.WriteHeader(200)
	to.Reset()
	w.abort()
	if to.Len() > 0 {
		t.Errorf("of an answer that has no body %q was sent", to.Bytes())
	}
	written := w.out.Len()
	for _, n := range []int{1, 20 << 10, 20 << 10, maxHeld, maxHeld + 1, 1, 5 << 20} {
		w.Write(make([]byte, n))
		if written += n; w.out.Len() > maxHeld || to.Len()+w.out.Len() != written {
			t.Fatalf("%d octets are held, and %d were sent, of %d", w.out.Len(), to.Len(), written)
		}
	}
	w.abort()
	if to.Len() != written {
		t.Errorf("%d octets were sent of %d", to.Len(), written)
	}
	w, to = answering("GET")
	w.WriteHeader(200)
	if w.FlushError(); !strings.HasSuffix(to.String(), "\r\n\r\n") {
		t.Errorf("of a head %q was sent", to.Bytes())
	}
	io.WriteString(w, "held")
	buffer := w.out
	if w.release(); buffer.Len() > 0 {
		t.Error("a buffer is given back that is not empty")
	}
}

// TestAnswerWriterFails: a client that takes nothing ends its request.
func TestAnswerWriterFails(t *testing.T) {
	gone := errors.New("gone")
	for _, n := range []int{1, maxHeld + 1} {
		w, to := answering("GET")
		to.fails = gone
		w.Header().Set("Content-Length", "10000000")
		w.WriteHeader(200)
		err := w.FlushError()
		if err != gone || w.under.Err() == nil {
			t.Errorf("%v, and the request goes on: %v", err, w.under.Err() == nil)
		}
		to.fails = nil
		if _, err := w.Write(make([]byte, n)); err != gone {
			t.Errorf("then %v", err)
		}
		if w.written = w.length; w.finish() || to.Len() > 0 {
			t.Errorf("another can follow, or %d octets were sent", to.Len())
		}
	}
}

// TestWriteRequest: what is on the wire for requests that do not come from the relay's
// grammar, too.
func TestWriteRequest(t *testing.T) {
	for name, test := range map[string]struct {
		req   http.Request
		names []h1.Name
		want  string
	}{
		"plain": {http.Request{Method: "GET", URL: &url.URL{Opaque: "/a"}, Host: "h", Header: http.Header{"Z": {"1"}, "A": {"2", "3"}, "Content-Length": {"7"}, "User-Agent": {""}}}, nil,
			"GET /a HTTP/1.1\r\nHost: h\r\nA: 2\r\nA: 3\r\nZ: 1\r\n\r\n"},
		"ordered": {http.Request{Method: "GET", URL: &url.URL{Opaque: "/a", ForceQuery: true}, Host: "h", Header: http.Header{"Z": {"1", "2"}, "A": {"3"}, "B": {"4"}, "C": {"5"}}}, []h1.Name{{Spelled: "z", Key: "Z"}, {Spelled: "hOST", Key: "Host"}, {Spelled: "a", Key: "A"}},
			"GET /a? HTTP/1.1\r\nhOST: h\r\nz: 1\r\nz: 2\r\na: 3\r\nB: 4\r\nC: 5\r\n\r\n"},
		"strange": {http.Request{Method: "GET", URL: &url.URL{Opaque: "/a", RawQuery: "b"}, Host: "h", Header: http.Header{"A b": {"1"}, "C": {" x\r\nD: y\t", "z\nF: y"}, "User-Agent": nil, "E": nil}}, nil,
			"GET /a?b HTTP/1.1\r\nHost: h\r\nC: x  D: y\r\nC: z F: y\r\n\r\n"},
		"path":  {http.Request{Method: "GET", URL: &url.URL{Path: "//a"}, Host: "h", Header: http.Header{}}, nil, "GET //a HTTP/1.1\r\nHost: h\r\n\r\n"},
		"other": {http.Request{Method: "GET", URL: &url.URL{Scheme: "https", Opaque: "//x/a"}, Host: "h", Header: http.Header{}}, nil, "GET https://x/a HTTP/1.1\r\nHost: h\r\n\r\n"},
		"body": {http.Request{Method: "DELETE", URL: &url.URL{Opaque: "/a"}, Host: "h", Header: http.Header{}, ContentLength: 2, Body: io.NopCloser(strings.NewReader("{}"))}, nil,
			"DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"},
		"no body": {http.Request{Method: "PATCH", URL: &url.URL{Opaque: "/a"}, Host: "h", Header: http.Header{}}, nil, "PATCH /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
		"kept": {http.Request{Method: "DELETE", URL: &url.URL{Opaque: "/a"}, Host: "h", Header: http.Header{}, TransferEncoding: []string{"identity"}}, nil,
			"DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
	} {
		var text bytes.Buffer
		out := bufio.NewWriter(&text)
		if err := writeRequest(out, &test.req, test.names); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out.Flush()
		if diff := cmp.Diff(test.want, text.String()); diff != "" {
			t.Errorf("%s: - want, + written\n%s", name, diff)
		}
	}
	short := &http.Request{Method: "PUT", URL: &url.URL{Opaque: "/a"}, Header: http.Header{}, ContentLength: 3, Body: io.NopCloser(strings.NewReader("{}"))}
	if err := writeRequest(bufio.NewWriter(io.Discard), short, nil); err != io.ErrUnexpectedEOF {
		t.Errorf("a body that is shorter: %v", err)
	}
}
