package proxy

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/ending"
	"ghapp-proxy/github"
	"ghapp-proxy/h1"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"
)

// relayedHeads are requests that are taken, and what comes near to them.
var relayedHeads = []string{
	"GET /repos/acme/widgets?page=2 HTTP/1.1\r\nhost: api.github.com\r\nUser-Agent: gh\r\naccept: a\r\nX-B:\r\nAccept: b\r\n\r\n",
	"POST /graphql HTTP/1.1\r\nHost: api.github.com\r\nContent-Length: 2\r\nconnection: Close\r\n\r\n{}",
	"PUT /x HTTP/1.1\r\nHost: api.github.com\r\nContent-length: 0\r\nUser-Agent: \r\nTE: trailers, x\r\nKeep-Alive: 5\r\n\r\n",
	"DELETE /a%2Fb;c?#d HTTP/1.1\r\nHost: api.github.com:443\r\nAuthorization: a\r\nauthorization: b\r\nCookie: c\r\nProxy-Authorization: d\r\nx: \te\t\r\n\r\n",
	"BREW /? HTTP/1.1\r\nHost: x\r\nProxy-Connection: close\r\nConnection: keep-alive\r\nUser-Agent: a\r\nuser-agent: b\r\n\r\n",
	"GET /a HTTP/1.1\r\nHost: [::1%25x]\r\n\r\n", "GET /a HTTP/1.1\r\nHost: \r\nTe: \r\n\r\n",
}

// FuzzRelayedRequest: what leaves for a request of the relay's is read as what came, but
// for what is meant to differ, and as what net/http would write.
func FuzzRelayedRequest(f *testing.F) {
	for _, text := range relayedHeads {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size := h1.HeadSize([]byte(text))
		var m h1.Memory
		h1.ParseRequest(text[:size], &m) // whose names are expected then
		m.Reset()
		r, names, ok := h1.ParseRequest(text[:size], &m)
		if !ok || r.ContentLength != int64(len(text)-size) {
			return
		}
		body := text[size:]
		r.Body = http.NoBody
		if r.ContentLength > 0 {
			r.Body = &bodyInHand{[]byte(body)}
		}
		came := r.Header.Clone()
		x := &exchange{authorization: []string{"token x"}, session: session{host: github.Host{Name: "api.github.com"}}}
		x.path, x.query = target(r)
		out := x.request(r)
		var left bytes.Buffer
		w := bufio.NewWriter(&left)
		if err := writeRequest(w, out, names); err != nil || w.Flush() != nil {
			t.Fatalf("%q: %v", text, err)
		}
		got := readWritten(t, left.String())
		want := &http.Request{Method: r.Method, RequestURI: strings.SplitN(text, " ", 3)[1], Host: out.Host, Header: came, ContentLength: int64(len(body))}
		dropHopByHop(want.Header)
		if slices.ContainsFunc(r.Header["Te"], func(v string) bool { return v == "trailers" }) {
			want.Header["Te"] = []string{"trailers"}
		}
		want.Header["Authorization"] = x.authorization
		delete(want.Header, "Cookie")
		if slices.Equal(want.Header["User-Agent"][:min(1, len(want.Header["User-Agent"]))], []string{""}) {
			delete(want.Header, "User-Agent")
		}
		if slices.Contains([]string{"POST", "PUT", "PATCH"}, r.Method) && body == "" {
			want.Header["Content-Length"] = []string{"0"}
		}
		compareWritten(t, left.String(), got, want, body)
		var other bytes.Buffer
		if body != "" {
			out.Body = io.NopCloser(strings.NewReader(body))
		}
		if err := out.Write(&other); err != nil || out.Host != r.Host {
			return // of Host net/http makes something else
		}
		byNet := readWritten(t, other.String())
		if byNet.Header["User-Agent"] != nil {
			byNet.Header["User-Agent"] = got.Header["User-Agent"] // it sends one
		}
		byNet.Host = got.Host
		compareWritten(t, left.String(), got, byNet, body)
	})
}

// readWritten reads a request as a host does.
func readWritten(t *testing.T, text string) *http.Request {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(text))
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Fatalf("%q is not to be read: %v", text, err)
	}
	body, err := io.ReadAll(req.Body)
	rest, _ := io.ReadAll(r)
	if err != nil || len(rest) > 0 {
		t.Fatalf("%q: %v, and %q behind it", text, err, rest)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	return req
}

// compareWritten checks what was written by how it is read.
func compareWritten(t *testing.T, text string, got, want *http.Request, body string) {
	t.Helper()
	type all struct {
		Method, Target, Host, Body string
		Header                     http.Header
		Length                     int64
		TransferEncoding           []string
	}
	read, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	got.Body = io.NopCloser(bytes.NewReader(read))
	g := all{got.Method, got.RequestURI, got.Host, string(read), got.Header, got.ContentLength, got.TransferEncoding}
	w := all{want.Method, want.RequestURI, want.Host, body, want.Header, want.ContentLength, want.TransferEncoding}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Fatalf("%q: - want, + read\n%s", text, diff)
	}
}

// relayedAnswers are answers of hosts.
var relayedAnswers = []string{
	"HTTP/1.1 200 OK\r\nDate: d\r\nx-B: 1\r\nContent-Length: 2\r\nX-b: 2\r\nSet-Cookie: a\r\nE:\r\n\r\nok",
	"HTTP/1.1 200 Fine by me\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nConnection: close, X\r\nX: 1\r\nKeep-Alive: 5\r\n\r\nuntil it ends",
	"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n",
	"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nold", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\ncut",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 999 \x80\r\nContent-Length: 0\r\nX: \xff\x01\r\n\r\n",
	"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2, 2\r\n\r\nok",
}

// FuzzRelayedAnswer: what a client of the relay's gets is read as what the host's
// answer is read as, but for what is of one hop; and no answer that breaks off looks whole.
func FuzzRelayedAnswer(f *testing.F) {
	for _, text := range relayedAnswers {
		f.Add([]byte(text), false)
		f.Add([]byte(text), true)
	}
	o := &Options{Log: slog.New(slog.DiscardHandler), stalls: maxStalls}
	f.Fuzz(func(t *testing.T, text []byte, head bool) {
		req := &http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
		if head {
			req.Method = http.MethodHead
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), req)
		if err != nil || want.StatusCode < 200 || want.StatusCode > 999 {
			return
		}
		wantBody, cut := io.ReadAll(want.Body)
		var m h1.Memory
		h1.ReadResponse(bufio.NewReader(bytes.NewReader(text)), req, &m) // whose names are expected then
		m.Reset()
		resp, names, err := h1.ReadResponse(bufio.NewReader(bytes.NewReader(text)), req, &m)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		to := &sink{}
		under := &ending.Context{}
		under.Of(t.Context())
		defer under.End()
		aw := &answerWriter{}
		aw.begin(to, &deadline{}, req.WithContext(under), nil, under)
		defer aw.release()
		w := newRecorder(aw, o)
		w.names = names
		dropHopByHop(resp.Header)
		whole := passAll(w, resp)
		w.close()
		more := false
		if whole {
			more = aw.finish()
		} else {
			aw.abort()
		}
		if whole != (cut == nil) {
			t.Fatalf("%q: passed whole %v, and reading it ends with %v", text, whole, cut)
		}
		r := bufio.NewReader(bytes.NewReader(to.Bytes()))
		got, err := http.ReadResponse(r, req)
		if err != nil && whole {
			t.Fatalf("%q became %q: %v", text, to.Bytes(), err)
		} else if err != nil {
			return // the head was held
		}
		body, err := io.ReadAll(got.Body)
		if (err == nil) != whole {
			t.Fatalf("%q (ends with %v) became %q (ends with %v)", text, cut, to.Bytes(), err)
		}
		rest, _ := io.ReadAll(r)
		if len(rest) > 0 || whole && more == got.Close {
			t.Fatalf("%q became %q: %q behind it, another can follow %v, the client believes %v", text, to.Bytes(), rest, more, !got.Close)
		}
		if !whole {
			return
		}
		dropHopByHop(want.Header)
		for _, fields := range []http.Header{want.Header, got.Header} {
			for _, values := range fields {
				for i := range values {
					values[i] = strings.Trim(values[i], " \t") // what is folded may end with a space
				}
			}
			delete(fields, "Date") // is put in
			maps.DeleteFunc(fields, func(name string, _ []string) bool { return !httpguts.ValidHeaderFieldName(name) })
			if head {
				delete(fields, "Trailer") // net/http does not read it
			}
		}
		if want.ContentLength < 0 || got.ContentLength == 0 && want.ContentLength == 0 || want.StatusCode == http.StatusNoContent {
			delete(got.Header, "Content-Length")
			delete(want.Header, "Content-Length")
		}
		type all struct {
			Status  int
			Body    string
			Fields  http.Header
			Trailer http.Header
		}
		if diff := cmp.Diff(all{want.StatusCode, string(wantBody), want.Header, trailerOf(want)}, all{got.StatusCode, string(body), got.Header, trailerOf(got)}); diff != "" {
			t.Fatalf("%q became %q: - host, + client\n%s", text, to.Bytes(), diff)
		}
	})
}

// trailerOf are the trailers of an answer that may be passed on.
func trailerOf(resp *http.Response) http.Header {
	fields := maps.Clone(resp.Trailer)
	maps.DeleteFunc(fields, func(name string, values []string) bool {
		return len(values) == 0 || !httpguts.ValidHeaderFieldName(name)
	})
	if len(fields) == 0 {
		return nil
	}
	return fields
}

// passAll passes an answer on, and reports whether all of it came.
func passAll(w *recorder, resp *http.Response) (whole bool) {
	defer func() {
		if aborted := recover(); aborted != nil && aborted != http.ErrAbortHandler {
			panic(aborted)
		}
	}()
	w.pass(resp)
	return true
}
