package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ghapp-proxy/certs"
	"ghapp-proxy/rules"

	"github.com/google/go-cmp/cmp"
)

// codeload is the served host behind which these tests put servers of their
// own; the others are the fake GitHub's.
const codeload = "codeload.github.com"

// upstreamTLS returns a TLS configuration for a server that plays codeload,
// and the certificate to trust for it.
func upstreamTLS(t testing.TB) (*tls.Config, []byte) {
	t.Helper()
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{codeload}})
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return ca.Certificate(codeload) }}, ca.PEM()
}

// behind starts a world in which codeload is reached at addr.
func behind(t testing.TB, addr string, trust []byte) *world {
	t.Helper()
	return start(t, func(s *setup) {
		s.upstream.ConnectTo[codeload+":443"] = addr
		s.upstream.RootCAs.AppendCertsFromPEM(trust)
	})
}

// message is a request as it stands on the wire, read by a parser of its own.
type message struct {
	Line    string
	Fields  map[string][]string // lower-case name → values in order
	Body    string
	Trailer map[string][]string
}

func readFields(r *bufio.Reader) (map[string][]string, error) {
	fields := map[string][]string{}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		if line == "" {
			return fields, nil
		}
		name, value, _ := strings.Cut(line, ":")
		fields[strings.ToLower(name)] = append(fields[strings.ToLower(name)], strings.TrimSpace(value))
	}
}

func readMessage(r *bufio.Reader) (*message, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	m := &message{Line: strings.TrimSuffix(line, "\r\n"), Trailer: map[string][]string{}}
	if m.Fields, err = readFields(r); err != nil {
		return nil, err
	}
	if slices.Contains(m.Fields["transfer-encoding"], "chunked") {
		return m, m.readChunks(r)
	}
	if length := m.Fields["content-length"]; len(length) > 0 {
		n, err := strconv.Atoi(length[0])
		if err != nil {
			return nil, err
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, err
		}
		m.Body = string(body)
	}
	return m, nil
}

func (m *message) readChunks(r *bufio.Reader) (err error) {
	var body bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(&body, r, n); err != nil {
			return err
		}
		if _, err := r.ReadString('\n'); err != nil {
			return err
		}
	}
	m.Body = body.String()
	m.Trailer, err = readFields(r)
	return err
}

// exceptions are all the ways in which what leaves may differ from what came.
func (m *message) exceptions(sent *message) {
	method, _, _ := strings.Cut(m.Line, " ")
	delete(sent.Fields, "upgrade") // it may be ignored: RFC 9110, section 7.8
	delete(sent.Fields, "http2-settings")
	for _, name := range []string{"authorization", "host"} { // not allowed in trailers: RFC 9110, section 6.5.1
		delete(sent.Trailer, name)
	}
	for _, fields := range []map[string][]string{m.Fields, sent.Fields} {
		// Hop-by-hop fields: RFC 9110, section 7.6.1. Framing is compared by
		// its outcome, the body and the trailers.
		for _, name := range []string{"connection", "proxy-connection", "keep-alive", "transfer-encoding", "trailer", "proxy-authorization"} {
			for _, value := range fields["connection"] {
				for nominated := range strings.SplitSeq(value, ",") {
					delete(sent.Fields, strings.ToLower(strings.TrimSpace(nominated)))
				}
			}
			delete(fields, name)
		}
		delete(fields, "authorization") // the point of it all
		delete(fields, "cookie")        // a credential of the client's own
		if slices.Equal(fields["user-agent"], []string{""}) {
			delete(fields, "user-agent") // net/http's way not to send its own
		}
		if !slices.Contains(fields["te"], "trailers") {
			delete(fields, "te")
		}
		// net/http states the length of an empty body where the method expects
		// one, and not where it does not.
		if m.Body == "" && slices.Equal(fields["content-length"], []string{"0"}) && slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH"}, method) {
			delete(fields, "content-length")
		}
	}
}

// rawServer accepts TLS connections and passes on each request it reads,
// answering 204.
func rawServer(t testing.TB, config *tls.Config) (addr string, requests <-chan *message) {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	received := make(chan *message, 64)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					m, err := readMessage(r)
					if err != nil {
						return
					}
					received <- m
					if _, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String(), received
}

// What arrives at GitHub is what was sent: method, request-target octets,
// fields, body and trailers, save for the exceptions above.
func TestFidelity(t *testing.T) {
	needGit(t)
	config, trust := upstreamTLS(t)
	addr, received := rawServer(t, config)
	w := behind(t, addr, trust)

	const base = "/acme/widgets/tar.gz/"
	var cases []string
	add := func(method, target, fields, body string) {
		cases = append(cases, method+" "+target+" HTTP/1.1\r\nHost: "+codeload+"\r\n"+fields+"\r\n"+body)
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW"} {
		add(method, base+"main", "", "")
		add(method, base+"main", "User-Agent: t/1\r\nAccept: */*\r\n", "")
		add(method, base+"main", "Content-Length: 0\r\n", "")
		add(method, base+"main", "Content-Length: 5\r\nContent-Type: text/plain\r\n", "12345")
		add(method, base+"main", "Content-Length: 2\r\nContent-Encoding: gzip\r\n", "\x1f\x8b") // as git does when it negotiates
		add(method, base+"main", "Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n3\r\n678\r\n0\r\n\r\n")
		add(method, base+"main", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n")
		add(method, base+"main", "Transfer-Encoding: chunked\r\nTrailer: X-A, X-B\r\n", "1\r\nx\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n")
		add(method, base+"main", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nX-Unannounced: 1\r\n\r\n")
		add(method, base+"main", "Transfer-Encoding: chunked\r\nTrailer: Authorization, X-A\r\n", "1\r\nx\r\n0\r\nAuthorization: token own\r\nX-A: 1\r\nHost: evil\r\n\r\n")
	}
	for _, target := range []string{
		base + "feature%2Fx", base + "a%2fb%2F", base + "a//b", base + "a///", base + "[a]^b|c", base + "sm\xc3\xb8r\xff", base + "a;b=c", base + "a%20b", base + "~!$&'()*+,=:@",
		base + `"<>{}` + "`", base + "%41%2e%2Egz", base + "x?", base + "x?a;b;c", base + "x?a=%zz&b=%", base + "x?%", base + "x?q=a+b%20c&q=&=&&", base + "x?a=b?c=d/..//e",
		base + "x?\xff\xc3\xb8", base + "x?a=[]^|", "http://" + codeload + base + "x?b", "https://user:pw@" + codeload + base + "%2F?x=;",
		base + strings.Repeat("long/", 1500),
	} {
		add("GET", target, "User-Agent: t\r\n", "")
	}
	for _, fields := range []string{
		"Forwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Host: h\r\nX-Forwarded-Proto: http\r\n",
		"Connection: X-Forwarded-For, x-secret\r\nX-Forwarded-For: 1.2.3.4\r\nX-Secret: 1\r\nX-Other: 1\r\n",
		"Connection: keep-alive, Authorization\r\nAuthorization: Basic eDp5\r\n",
		"Proxy-Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Authorization: Basic eDp5\r\n",
		"TE: trailers\r\nVia: 1.1 a\r\nVia: 1.1 b\r\nMax-Forwards: 3\r\n",
		"X-Large: " + strings.Repeat("x", 60<<10) + "\r\n",
		"X-Multi: a\r\nX-Other: 1\r\nX-Multi: b, c\r\nX-Multi:\r\nX-Multi: a\r\n",
		"Accept-Encoding: br;q=1.0, gzip\r\nRange: bytes=0-5\r\nIf-None-Match: W/\"x\", \"y\"\r\n",
		"X-Utf8: sm\xc3\xb8rrebr\xc3\xb8d\r\nX-Obs: \xff\r\nx_under_score: 1\r\nX-GitHub-Api-Version: 2022-11-28\r\n",
		"Cookie: a=b\r\nCookie: c=d; e=f\r\nOrigin: https://github.com\r\nReferer: http://x/\r\n",
		"Authorization: token a\r\nAuthorization: Basic b\r\n",
		"User-Agent:\r\n",
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		"Upgrade: TLS/1.2\r\nConnection: upgrade\r\n", "Upgrade: h2c\r\nHTTP2-Settings: AAMA\r\n", "Upgrade: HTTP/3.0, IRC/6.9\r\n",
	} {
		add("GET", base+"main", fields, "")
	}

	for _, text := range cases {
		sent, err := readMessage(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		conn := w.intercepted(t, codeload, &tls.Config{})
		io.WriteString(conn, text)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != 204 {
			t.Errorf("%.200q: %v, %v", text, resp, err)
			continue
		}
		conn.Close()
		got := <-received
		if values := got.Fields["authorization"]; len(values) != 1 || !strings.HasPrefix(values[0], "token ghs_") {
			t.Errorf("%.200q: %d Authorization fields", text, len(values))
		}
		if got.Fields["cookie"] != nil {
			t.Errorf("%.200q: a Cookie arrived", text)
		}
		got.exceptions(sent)
		if i := strings.Index(sent.Line, "://"); i > 0 { // absolute form leaves as origin form
			slash := strings.IndexByte(sent.Line[i+3:], '/')
			sent.Line = sent.Line[:strings.IndexByte(sent.Line, ' ')+1] + sent.Line[i+3+slash:]
		}
		if diff := cmp.Diff(sent, got); diff != "" {
			t.Errorf("%.200q arrived changed (-sent +arrived):\n%s", text, diff)
		}
	}
}

// The same for an HTTP/2 client, whose requests net/http writes: api.github.com
// is the host that speaks it.
func TestFidelityHTTP2(t *testing.T) {
	w := start(t, nil)
	w.github.Handle("api.github.com", "/repos/acme/widgets/contents/", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // so that it is recorded
	}))
	client := w.client(t, true)
	for _, target := range []string{
		"/repos/acme/widgets/contents/a%2Fb", "/repos/acme/widgets/contents/[x]^?a;b=%zz", "/repos/acme/widgets/contents/%41?q=a//b",
	} {
		req, err := http.NewRequest("POST", "https://api.github.com/", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		path, query, _ := strings.Cut(target, "?")
		req.URL.Opaque, req.URL.RawQuery = path, query
		req.Header["X-Multi"] = []string{"a", "b"}
		req.Header.Set("X-Forwarded-For", "1.2.3.4")
		req.Header.Set("Authorization", "token own")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("the client spoke %s", resp.Proto)
		}
		got := lastOfClient(t, w.github.Requests())
		if got.Method != "POST" || got.Target != target || string(got.Body) != "body" || got.ContentLength != 4 {
			t.Errorf("%s %s arrived with body %q of length %d", got.Method, got.Target, got.Body, got.ContentLength)
		}
		for name, want := range map[string][]string{"X-Multi": {"a", "b"}, "X-Forwarded-For": {"1.2.3.4"}, "User-Agent": {"Go-http-client/2.0"}, "Accept-Encoding": nil} {
			if !slices.Equal(got.Header[name], want) {
				t.Errorf("%s arrived as %q, want %q", name, got.Header[name], want)
			}
		}
	}
}

// respond starts a server that plays codeload and answers by itself what comes
// over a connection.
func respond(t testing.TB, serve func(conn net.Conn, r *bufio.Reader)) *world {
	t.Helper()
	return respondTo(t, serve, nil)
}

// respondTo is respond for a proxy that change alters first.
func respondTo(t testing.TB, serve func(conn net.Conn, r *bufio.Reader), change func(*setup)) *world {
	t.Helper()
	config, trust := upstreamTLS(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
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
				serve(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return start(t, func(s *setup) {
		s.upstream.ConnectTo[codeload+":443"] = ln.Addr().String()
		s.upstream.RootCAs.AppendCertsFromPEM(trust)
		if change != nil {
			change(s)
		}
	})
}

// sortedHead is an answer with its fields in net/http's order.
func sortedHead(text string) string {
	interim := ""
	if i := strings.Index(text, "HTTP/1.1 200"); i > 0 {
		interim, text = text[:i], text[i:]
	}
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	slices.SortStableFunc(lines[1:], func(a, b string) int {
		name := func(line string) string { name, _, _ := strings.Cut(line, ":"); return name }
		return strings.Compare(name(a), name(b))
	})
	return interim + strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// Answers are passed on as they came, save for hop-by-hop fields.
func TestAnswerFidelity(t *testing.T) {
	for name, test := range map[string]struct{ method, answer, want string }{
		"fields": {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Multi: b\r\nX-Multi: a\r\nSet-Cookie: x=y\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nDate: d\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Multi: b\r\nX-Multi: a\r\nSet-Cookie: x=y\r\nDate: d\r\n\r\nok"},
		"no content":   {"GET", "HTTP/1.1 204 No Content\r\nDate: d\r\n\r\n", "HTTP/1.1 204 No Content\r\nDate: d\r\n\r\n"},
		"not modified": {"GET", "HTTP/1.1 304 Not Modified\r\nDate: d\r\nEtag: \"x\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nDate: d\r\nEtag: \"x\"\r\n\r\n"},
		"head":         {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nDate: d\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nDate: d\r\n\r\n"},
		"trailers": {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\nDate: d\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTrailer: X-T\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"},
		"also in the head": {"GET", "HTTP/1.1 200 OK\r\nQ-T: 0\r\nTransfer-Encoding: chunked\r\nTrailer: Q-T\r\nDate: d\r\n\r\n2\r\nok\r\n0\r\nQ-T: 1\r\n\r\n",
			"HTTP/1.1 200 OK\r\nQ-T: 0\r\nTrailer: Q-T\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nQ-T: 1\r\n\r\n"},
		"early hints": {"GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: d\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: d\r\n\r\n"},
		"redirect": {"GET", "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\nDate: d\r\n\r\n",
			"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\nDate: d\r\n\r\n"},
		"bodiless": {"GET", "HTTP/1.1 304 Not Modified\r\nVary: a\r\nDate: d\r\nEtag: \"x\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nVary: a\r\nDate: d\r\nEtag: \"x\"\r\n\r\n"},
		"repeated": {"GET", "HTTP/1.1 200 OK\r\nSet-Cookie: b=1\r\nVary:\r\nDate: d\r\nSet-Cookie: a=2; Path=/\r\nContent-Length: 2\r\nSet-Cookie: b=1\r\nVary: \t x\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nSet-Cookie: b=1\r\nSet-Cookie: a=2; Path=/\r\nSet-Cookie: b=1\r\nVary: \r\nVary: x\r\nDate: d\r\nContent-Length: 2\r\n\r\nok"},
		"gzip": {"GET", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nDate: d\r\n\r\n\x1f\x8b",
			"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nDate: d\r\n\r\n\x1f\x8b"},
	} {
		w := respond(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := readMessage(r); err == nil {
				io.WriteString(conn, test.answer)
			}
		})
		conn := w.intercepted(t, codeload, nil)
		fmt.Fprintf(conn, "%s /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\nTE: trailers\r\n\r\n", test.method, codeload)
		if !*withRelay {
			test.want = sortedHead(test.want)
		}
		got := make([]byte, len(test.want))
		n, err := io.ReadFull(conn, got)
		if string(got) != test.want {
			t.Errorf("%s: got %q (%v), want %q", name, got[:n], err, test.want)
		}
	}
}

// A session of github.com is a credential of the client's own: it leaves where a
// rule says so, and nowhere else, whether a credential is put in or not.
func TestCookie(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{{Operations: []string{"meta/get-octocat"}, Auth: rules.Keep}, {Operations: []string{"meta/get-zen"}, Auth: rules.None}}
	})
	client := w.client(t, false)
	for target, want := range map[string][]string{
		"https://api.github.com/octocat":            {"user_session=x"},
		"https://api.github.com/zen":                nil,
		"https://api.github.com/repos/acme/widgets": nil,
		"https://github.com/acme/widgets/issues":    nil,
	} {
		req, err := http.NewRequest("GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", "user_session=x")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := w.last(t, req.URL.Path).Header["Cookie"]; !slices.Equal(got, want) {
			t.Errorf("%s: Cookie %q arrived, want %q", target, got, want)
		}
	}
}
