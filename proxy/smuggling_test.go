package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// wire is a host that keeps what arrives octet for octet, and answers each request
// with its target.
type wire struct {
	mu   sync.Mutex
	came []*http.Request // with their bodies read
	bad  []string        // what two servers might read differently
}

// serve serves a connection.
func (h *wire) serve(conn net.Conn, r *bufio.Reader) {
	var seen bytes.Buffer
	r = bufio.NewReader(io.TeeReader(r, &seen))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			if seen.Len() > 0 {
				h.note(nil, fmt.Sprintf("%q: %v", seen.String(), err))
			}
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // a client's body that breaks off breaks off here, too
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		h.note(req, ambiguity(string(seen.Next(seen.Len()-r.Buffered()))))
		if text := req.RequestURI; req.Method == http.MethodHead {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: y\r\n\r\n")
		} else {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
	}
}

// ambiguity is a head that two servers might read differently, "" for none.
func ambiguity(text string) string {
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	framing, hosts, folded := 0, 0, 0
	for _, line := range lines[1:] {
		switch name, _, _ := strings.Cut(line, ":"); strings.ToLower(name) {
		case "content-length", "transfer-encoding":
			framing++
		case "host":
			hosts++
		}
		if strings.TrimLeft(line, " \t") != line {
			folded++
		}
	}
	if framing > 1 || hosts != 1 || folded > 0 || strings.ContainsAny(strings.Join(lines, ""), "\r\n\x00\x7f") {
		return head
	}
	return ""
}

// note notes what came, and what is bad about it.
func (h *wire) note(req *http.Request, bad string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if bad != "" {
		h.bad = append(h.bad, bad)
	}
	if req != nil {
		h.came = append(h.came, req)
	}
}

// take returns what has arrived since.
func (h *wire) take() (came []*http.Request, bad []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	came, bad = h.came, h.bad
	h.came, h.bad = nil, nil
	return came, bad
}

// readAs is what net/http reads of a client's text.
func readAs(text string) (requests []*http.Request) {
	for r := bufio.NewReader(strings.NewReader(text)); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return requests
		}
		body, err := io.ReadAll(req.Body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		requests = append(requests, req)
		if err != nil {
			return requests
		}
	}
}

// told reads answers until there are no more: their statuses, and "." where the
// connection has not ended for as long as a test waits.
func told(t *testing.T, conn net.Conn, methods []string) (statuses string, targets []string) {
	t.Helper()
	var all []string
	for r := bufio.NewReader(conn); ; {
		req := &http.Request{Method: http.MethodGet}
		if len(all) < len(methods) {
			req.Method = methods[len(all)]
		}
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				all = append(all, ".")
			}
			return strings.Join(all, " "), targets
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		all = append(all, strconv.Itoa(resp.StatusCode))
		if resp.StatusCode == 200 {
			targets = append(targets, string(body))
		}
	}
}

const (
	hostLine = "Host: " + codeload + "\r\n"
	plainGet = "GET /acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine
	anyPost  = "POST /acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine
	// hidden is what is smuggled, and probe is how it is seen what became of the rest.
	hidden = "GET /acme/widgets/tar.gz/hidden HTTP/1.1\r\n" + hostLine + "\r\n"
	probe  = "GET /acme/widgets/tar.gz/probe HTTP/1.1\r\n" + hostLine + "Connection: close\r\n\r\n"
)

// smuggled are requests that somebody might read as others. Of each it says which
// answers there are, that to the probe behind it included: 400 alone is that nothing
// more is read of the connection.
var smuggled = []struct{ text, want string }{
	// How long a body is.
	{anyPost + "Content-Length: 0\r\n\r\n", "200 200"},
	{anyPost + "Content-Length: 5\r\n\r\nabcde", "200 200"},
	{anyPost + "\r\n", "200 200"},
	{plainGet + "Content-Length: 5\r\n\r\nabcde", "200 200"},
	{anyPost + "Content-Length: 005\r\n\r\nabcde", "200 200"},
	{anyPost + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", "200 200"},
	{anyPost + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "400"},
	{anyPost + "Content-Length: 5\r\nContent-Length: 0\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: 5, 5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: 5,6\r\n\r\nabcdef", "400"},
	{anyPost + "Content-Length: +5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: -5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: 0x5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: 5e0\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: 5 5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: 5_\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: \u0665\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length:\r\n\r\n", "400"},
	{anyPost + "Content-Length: 99999999999999999999999\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: \t 5 \t\r\n\r\nabcde", "200 200"},
	{anyPost + "Content-Length : 5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length\t: 5\r\n\r\nabcde", "400"},
	{anyPost + " Content-Length: 5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length:\x0b5\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length:\x005\r\n\r\nabcde", "400"},
	{anyPost + "Content-Length: 5\x00\r\n\r\nabcde", "400"},
	{anyPost + "\x00Content-Length: 5\r\n\r\nabcde", "400"},
	{anyPost + "X: y\nContent-Length: 5\r\n\r\nabcde", "200 200"},
	{anyPost + "X: y\rContent-Length: 5\r\n\r\n", "400"},
	{anyPost + "X: y\r\n Content-Length: 5\r\n\r\n", "200 200"},
	{anyPost + "Content_Length: 5\r\n\r\n", "400 200"},

	// Two ways to say it. What leaves says one, that by which net/http reads it.
	{anyPost + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, "200 200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "501"},
	{anyPost + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501"},
	{anyPost + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nabcde", "501"},
	{anyPost + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "501"},
	{anyPost + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501"},
	{anyPost + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "501"},
	{anyPost + "Transfer-Encoding:\r\n\r\n0\r\n\r\n", "501"},
	{anyPost + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400"},
	{anyPost + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"},
	{anyPost + "Transfer-Encoding:chunked\r\n\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: CHUNKED \r\n\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding\r\n: chunked\r\n\r\n0\r\n\r\n", "400"},
	{anyPost + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "200 200"},
	{anyPost + "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400 200"},
	{strings.Replace(anyPost, "/1.1", "/1.0", 1) + "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n", "200 400"},

	// Chunks.
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nabcde\r\n0;c\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5;a=\"\r\nabcde\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n0005\r\nabcde\r\n000\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5 \r\nabcde\r\n0\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n+5\r\nabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n 5\r\nabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n\r\nabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n;a\r\nabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5\nabcde\n0\n\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5\rabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefg\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabcde\r\n0\r\n\r\n", "4"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + "Authorization: Bearer x\r\nHost: evil.example\r\nContent-Length: 9\r\n\r\n", "200 200"},
	{anyPost + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 9\r\n\r\n", "400"},
	{anyPost + "Transfer-Encoding: chunked\r\n\r\n0\r\nno trailer\r\n\r\n", "4"},

	// Lines.
	{plainGet + "X: a\r\n b\r\n\r\n", "200 200"},
	{plainGet + "X: a\r\n\tb\r\n \r\n\r\n", "200 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\n X: y\r\n" + hostLine + "\r\n", "400"},
	{strings.ReplaceAll(plainGet, "\r\n", "\n") + "\n", "200 200"},
	{plainGet + "\n", "200 200"},
	{plainGet + "\r\r\n\r\n", "400"},
	{"\r\n" + plainGet + "\r\n", "400"},
	{"\n" + plainGet + "\r\n", "400"},
	{" " + plainGet + "\r\n", "400"},
	{plainGet + "X: a\rb\r\n\r\n", "400"},
	{plainGet + "X: a\x00b\r\n\r\n", "400"},
	{plainGet + "X: a\x7fb\r\n\r\n", "400"},
	{plainGet + "X: \x01\r\n\r\n", "400"},
	{plainGet + "X: a\x80\xffb\r\n\r\n", "200 200"},
	{plainGet + "X\x80: a\r\n\r\n", "400"},
	{plainGet + "X\x00: a\r\n\r\n", "400"},
	{plainGet + "X : a\r\n\r\n", "400"},
	{plainGet + "X(: a\r\n\r\n", "400"},
	{plainGet + ": a\r\n\r\n", "400"},
	{plainGet + "X\r\n\r\n", "400"},
	{plainGet + strings.Repeat("X: y\r\n", 99) + "\r\n", "200 200"},
	{plainGet + strings.Repeat("X: y\r\n", 500) + "\r\n", "200 200"},

	// Hosts.
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\n\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nX: y\r\n\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost:\r\n\r\n", "421 200"},
	{plainGet + hostLine + "\r\n", "400"},
	{plainGet + "host: evil.example\r\n\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: " + codeload + ":443\r\n\r\n", "200 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: " + codeload + ":444\r\n\r\n", "421 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: " + codeload + ":\r\n\r\n", "200 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: " + codeload + ".\r\n\r\n", "200 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: " + codeload + ",evil.example\r\n\r\n", "421 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: " + codeload + "/x\r\n\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: " + codeload + " evil\r\n\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1\r\nHost: x@" + codeload + "\r\n\r\n", "400"},

	// Targets.
	{"GET https://" + codeload + "/acme/widgets/tar.gz/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", "200 200"},
	{"GET https://evil.example/acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine + "\r\n", "421 200"},
	{"GET http://evil.example/acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine + "\r\n", "421 200"},
	{"GET //evil.example/acme HTTP/1.1\r\n" + hostLine + "\r\n", "400 200"},
	{"GET * HTTP/1.1\r\n" + hostLine + "\r\n", "400 200"},
	{"OPTIONS * HTTP/1.1\r\n" + hostLine + "\r\n", "400 200"},
	{"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", "421 200"},
	{"CONNECT /a HTTP/1.1\r\n" + hostLine + "\r\n", "405 200"},
	{"GET acme/widgets HTTP/1.1\r\n" + hostLine + "\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a#b HTTP/1.1\r\n" + hostLine + "\r\n", "400 200"},
	{"GET /acme\\widgets/tar.gz/a HTTP/1.1\r\n" + hostLine + "\r\n", "400 200"},
	{"GET /acme/widgets/tar.gz/a\x00 HTTP/1.1\r\n" + hostLine + "\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a\tb HTTP/1.1\r\n" + hostLine + "\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a b HTTP/1.1\r\n" + hostLine + "\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a%0d%0aX:y HTTP/1.1\r\n" + hostLine + "\r\n", "200 200"},
	{"GET /acme/widgets/tar.gz/a%zz HTTP/1.1\r\n" + hostLine + "\r\n", "400"},

	// Versions and protocols.
	{"GET /acme/widgets/tar.gz/a HTTP/1.0\r\n" + hostLine + "\r\n", "200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.0\r\n" + hostLine + "Connection: keep-alive\r\n\r\n", "200 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.2\r\n" + hostLine + "\r\n", "200 200"},
	{"GET /acme/widgets/tar.gz/a HTTP/2.0\r\n" + hostLine + "\r\n", "505"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.10\r\n" + hostLine + "\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a http/1.1\r\n" + hostLine + "\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a\r\n", "400"},
	{"GET /acme/widgets/tar.gz/a HTTP/1.1 \r\n" + hostLine + "\r\n", "400"},
	{"GET  /acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine + "\r\n", "400"},
	{"get /acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine + "\r\n", "405 200"},
	{"G\x00T /acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine + "\r\n", "400"},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "421"},
	{anyPost + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde", "200 200"},
	{anyPost + "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nabcde", "417"},
	{plainGet + "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "200 200"},
	{plainGet + "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "501 200"},

	// Fields of one hop.
	{anyPost + "Connection: Content-Length\r\nContent-Length: 5\r\n\r\nabcde", "400 200"},
	{plainGet + "Connection: Host\r\n\r\n", "200 200"},
	{plainGet + "Connection: close, keep-alive\r\n\r\n", "200"},
	{plainGet + "Connection: close\r\n\r\n", "200"},
	{plainGet + "Connection: clOSE\r\n\r\n", "200"},
	{plainGet + "Connection: keep-alive\r\nConnection: close\r\n\r\n", "200"},
	{plainGet + "Proxy-Connection: close\r\n\r\n", "200 200"},
	{plainGet + "Keep-Alive: timeout=5\r\nTE: trailers, chunked\r\n\r\n", "200 200"},

	// Several at once.
	{plainGet + "\r\n" + plainGet + "\r\n", "200 200 200"},
	{anyPost + "Content-Length: 5\r\n\r\nabcde" + hidden, "200 200 200"},
	{anyPost + "Content-Length: " + strconv.Itoa(len(hidden)) + "\r\n\r\n" + hidden, "200 200"},
	{plainGet + "Content-Length: " + strconv.Itoa(len(hidden)) + "\r\n\r\n" + hidden, "200 200"},
	{plainGet + "\r\n" + anyPost + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "200 400"},
	{plainGet + "\r\n" + anyPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 200 200"},
	{plainGet + "\r\n" + "\x00\x01", "200 400"},
	{plainGet + "\r\n" + "\r\n\r\n", "200 400"},
	{"HEAD /acme/widgets/tar.gz/a HTTP/1.1\r\n" + hostLine + "\r\n" + plainGet + "\r\n", "200 200 200"},
	{anyPost + "Content-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000) + hidden, "200 200 200"},
	{plainGet + "X: " + strings.Repeat("x", 20000) + "\r\n\r\n" + hidden, "200 200 200"},
}

// TestSmuggledRequests: however strangely requests follow each other, those arrive that
// net/http reads, each as itself, and each is answered as itself; whoever reads them.
func TestSmuggledRequests(t *testing.T) {
	for name, byRelay := range map[string]bool{"relay": true, "net/http": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := &wire{}
			w := respondTo(t, host.serve, func(s *setup) { s.options.WithoutRelay = !byRelay })
			for _, test := range smuggled {
				conn := bound(t, w.intercepted(t, codeload, nil))
				sent := readAs(test.text + probe)
				go io.WriteString(conn, test.text+probe)
				statuses, targets := told(t, conn, methodsOf(sent))
				conn.Close()
				if statuses != test.want && !(test.want == "4" && (statuses == "400" || statuses == "")) {
					t.Errorf("%.300q: answered %q, want %q", test.text, statuses, test.want)
				}
				came, bad := host.take()
				if len(bad) > 0 {
					t.Errorf("%.300q: arrived as %.300s", test.text, bad)
				}
				compareArrived(t, test.text, statuses, targets, sent, came)
			}
		})
	}
}

func methodsOf(requests []*http.Request) (methods []string) {
	for _, r := range requests {
		methods = append(methods, r.Method)
	}
	return methods
}

// compareArrived checks that what arrived are those of the requests that were answered
// with 200, and that each got its own answer.
func compareArrived(t *testing.T, text, statuses string, targets []string, sent, came []*http.Request) {
	t.Helper()
	for i, status := range strings.Fields(statuses) {
		if status != "200" {
			continue
		}
		if i >= len(sent) || len(came) == 0 {
			t.Errorf("%.300q: answer %d has no request that arrived", text, i)
			return
		}
		want, got := sent[i], came[0]
		wantBody, _ := io.ReadAll(want.Body)
		gotBody, _ := io.ReadAll(got.Body)
		target := want.URL.RequestURI()
		if got.Method != want.Method || got.RequestURI != target || !bytes.Equal(wantBody, gotBody) {
			t.Errorf("%.300q: %s %s with %.100q arrived for %s %s with %.100q", text, got.Method, got.RequestURI, gotBody, want.Method, target, wantBody)
		}
		if len(targets) == 0 || want.Method != http.MethodHead && targets[0] != target {
			t.Errorf("%.300q: %s was answered with %q", text, target, targets)
			return
		}
		came, targets = came[1:], targets[1:]
	}
	if len(came) > 0 {
		t.Errorf("%.300q: %s %s arrived besides", text, came[0].Method, came[0].RequestURI)
	}
}

// TestHalfRequests: what never becomes a request does not arrive, and takes no
// connection's neighbours with it.
func TestHalfRequests(t *testing.T) {
	host := &wire{}
	w := respondTo(t, host.serve, nil)
	post := anyPost + "Content-Length: 5\r\n\r\nabcd"
	for at := 1; at < len(post); at++ {
		conn := w.intercepted(t, codeload, nil)
		bound(t, conn)
		io.WriteString(conn, post[:at])
		conn.CloseWrite()
		if text, _ := io.ReadAll(conn); bytes.Contains(text, []byte(" 200 ")) {
			t.Errorf("%q: answered with %q", post[:at], text)
		}
		conn.Close()
	}
	conn := bound(t, w.intercepted(t, codeload, nil))
	io.WriteString(conn, probe)
	if statuses, targets := told(t, conn, nil); statuses != "200" || targets[0] != "/acme/widgets/tar.gz/probe" {
		t.Errorf("then: %s, %q", statuses, targets)
	}
	came, _ := host.take()
	for _, r := range came {
		if body, _ := io.ReadAll(r.Body); r.Method == "POST" && len(body) == 5 {
			t.Errorf("arrived with the body %q", body)
		}
	}
}
