package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/proxy"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A client that closes its half before the answer must not take nothing for
// success.
func TestHalfClosedClientIsNotToldSuccess(t *testing.T) {
	w := respond(t, func(_ net.Conn, r *bufio.Reader) {
		if _, err := readMessage(r); err == nil {
			io.Copy(io.Discard, r)
		}
	})
	conn := w.intercepted(t, codeload, nil)
	fmt.Fprintf(conn, "DELETE /acme/widgets/tar.gz/x HTTP/1.1\r\nHost: %s\r\n\r\n", codeload)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	if bytes.Contains(answer, []byte(" 200 ")) {
		t.Errorf("the client was told %q", answer)
	}
}

// Requests that could be carried out as something else than they look.
func TestDisguisedMethods(t *testing.T) {
	w := start(t, nil)
	for head, want := range map[string]int{
		"post /repos/acme/widgets/issues HTTP/1.1\r\nHost: api.github.com\r\n\r\n":                                          405,
		"trace /rate_limit HTTP/1.1\r\nHost: api.github.com\r\n\r\n":                                                        405,
		"CONNECT /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n\r\n":                                              405,
		"POST /installation/token HTTP/1.1\r\nHost: api.github.com\r\nX-HTTP-Method-Override: DELETE\r\n\r\n":               400,
		"POST /installation/token HTTP/1.1\r\nHost: api.github.com\r\nx-http-method: DELETE\r\n\r\n":                        400,
		"POST /installation/token HTTP/1.1\r\nHost: api.github.com\r\nX-Method-Override: DELETE\r\n\r\n":                    400,
		"OPTIONS * HTTP/1.1\r\nHost: api.github.com\r\n\r\n":                                                                400,
		"GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n":     501,
		"GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab":      400,
		"GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n": 501,
	} {
		conn := w.intercepted(t, "api.github.com", nil)
		conn.SetDeadline(time.Now().Add(soon))
		io.WriteString(conn, head)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%q: %v", head, err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: status %d, want %d", head, resp.StatusCode, want)
		}
	}
	if requests := w.github.Requests(); len(requests) > 0 {
		t.Errorf("these left: %v", requests)
	}
}

// HTTP/2 has room for several hosts in one request.
func TestHTTP2Hosts(t *testing.T) {
	w := start(t, nil)
	for name, fields := range map[string][]hpack.HeaderField{
		"authority":   {{Name: ":authority", Value: "evil.example.com"}, {Name: ":path", Value: "/repos/acme/widgets"}},
		"path":        {{Name: ":authority", Value: "api.github.com"}, {Name: ":path", Value: "http://evil.example.com/repos/acme/widgets"}},
		"host field":  {{Name: ":authority", Value: "api.github.com"}, {Name: ":path", Value: "/repos/acme/widgets"}, {Name: "host", Value: "evil.example.com"}},
		"other field": {{Name: ":path", Value: "/repos/acme/widgets"}, {Name: "host", Value: "evil.example.com"}},
	} {
		conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
		conn.SetDeadline(time.Now().Add(soon))
		io.WriteString(conn, http2.ClientPreface)
		framer := http2.NewFramer(conn, conn)
		framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		framer.WriteSettings()
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, f := range append([]hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}}, fields...) {
			encoder.WriteField(f)
		}
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
		if got := streamOutcome(framer); got != "421" && got != "400" && got != "reset" {
			t.Errorf("%s: %s, want 421", name, got)
		}
	}
	if requests := w.github.Requests(); len(requests) > 0 {
		t.Errorf("these left: %v", requests)
	}
}

// streamOutcome reads the status of stream 1, or how else it ended.
func streamOutcome(framer *http2.Framer) string {
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return "reset"
		}
	}
}

// A name that we or net/http would map to a served host.
func TestNamesThatAreMapped(t *testing.T) {
	w := start(t, nil)
	for _, head := range []string{
		"GET http://\uff41pi.github.com/app HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT \uff41pi.github.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		// Its lower case is an i.
		"GET http://ap\u0130.github.com/app HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT ap\u0130.github.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn := w.dial(t)
		io.WriteString(conn, head)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 400 {
			t.Errorf("%q: %s, want 400", head, resp.Status)
		}
	}
}

// parentProxy is another proxy, behind ours. It notes what it is asked for.
func parentProxy(t *testing.T, connectTo map[string]string) (*url.URL, <-chan string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 64)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization")
		if r.Method != http.MethodConnect {
			io.WriteString(w, "from the parent")
			return
		}
		host, err := net.Dial("tcp", connectTo[r.URL.Host])
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(host, client); host.Close() }()
		go func() { io.Copy(client, host); client.Close() }()
	})}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return &url.URL{Scheme: "http", User: url.UserPassword("u", "p"), Host: ln.Addr().String()}, asked
}

// through is the way through a proxy, whatever the host.
func through(next *url.URL) func(*url.URL) *proxy.NextProxy {
	return func(*url.URL) *proxy.NextProxy { return &proxy.NextProxy{URL: next, Name: "upstream.proxy"} }
}

func TestUpstreamProxy(t *testing.T) {
	const credentials = " Basic dTpw"
	var asked <-chan string
	w := start(t, func(s *setup) {
		parent, notes := parentProxy(t, s.upstream.ConnectTo)
		s.upstream.Proxy, asked = through(parent), notes
		s.upstream.ConnectTo = nil
		s.apps[0].Installations, s.apps[0].NoDiscovery, s.apps[0].DefaultInstallation = nil, true, 111 // nothing is asked about a mapping
	})
	client := w.client(t, false)
	wantAsked := func(want string) {
		t.Helper()
		select {
		case got := <-asked:
			if got != want {
				t.Errorf("the parent was asked %q, want %q", got, want)
			}
		case <-time.After(soon):
			t.Errorf("the parent was not asked %q", want)
		}
	}
	// Requests for served hosts, ours among them.
	if status, body := get(t, client, "https://api.github.com/repos/acme/widgets"); status != 200 {
		t.Errorf("served host: %d %s", status, body)
	}
	wantAsked("CONNECT api.github.com:443" + credentials)
	// Plain http to other hosts, in the form that proxies take, octets kept.
	if status, body := get(t, client, "http://example.com/a%2Fb?x=;"); status != 200 || body != "from the parent" {
		t.Errorf("http elsewhere: %d %s", status, body)
	}
	wantAsked("GET http://example.com/a%2Fb?x=;" + credentials)
	// Tunnels.
	conn := w.dial(t)
	fmt.Fprintf(conn, "CONNECT objects.githubusercontent.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	wantAsked("CONNECT objects.githubusercontent.com:443" + credentials)
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "objects.githubusercontent.com"})
	if err := secure.Handshake(); err != nil {
		t.Errorf("through both proxies: %v", err)
	}
	// A tunnel that the parent refuses.
	conn = w.dial(t)
	fmt.Fprintf(conn, "CONNECT nowhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err != nil || !strings.Contains(resp.Status, "the upstream proxy (upstream.proxy) answered 502") {
		t.Errorf("a tunnel that the parent refuses: %v, %v", resp, err)
	}
}

// A credential without a scheme must not be logged as one.
func TestSchemelessCredentialIsNotLogged(t *testing.T) {
	w := start(t, nil)
	req, err := http.NewRequest("GET", "https://api.github.com/app", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "ghp_abcdefghijklmnopqrstuvwxyz0123456789")
	resp, err := w.client(t, false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	waitFor(t, func() bool { return strings.Contains(w.log.String(), "replaced=other") }, "the log line")
	if strings.Contains(w.log.String(), "ghp_") {
		t.Errorf("the log contains the client's credential:\n%s", w.log)
	}
}

// Bulk hosts speak HTTP/1.1 to whoever can, the API speaks HTTP/2 as well.
func TestALPN(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Hosts = append(s.options.Hosts, github.Instance("ghe.example.com").Hosts()...)
	})
	for host, want := range map[string]string{
		"api.github.com": "h2", "uploads.github.com": "h2", "github.com": "http/1.1", codeload: "http/1.1",
	} {
		conn := w.intercepted(t, host, &tls.Config{NextProtos: []string{"h2", "http/1.1"}})
		if got := conn.ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	for _, host := range []string{"api.github.com", "github.com", codeload, "ghe.example.com"} {
		conn := w.intercepted(t, host, &tls.Config{NextProtos: []string{"h2"}})
		client := overHTTP2(t, conn)
		req, err := http.NewRequest("GET", "https://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.RoundTrip(req)
		if err != nil {
			t.Errorf("%s: a client that speaks HTTP/2 alone: %v", host, err)
			continue
		}
		resp.Body.Close()
	}
	conn := w.intercepted(t, "api.github.com", &tls.Config{MaxVersion: tls.VersionTLS12})
	if state := conn.ConnectionState(); state.NegotiatedProtocol != "" || state.Version != tls.VersionTLS12 {
		t.Errorf("without ALPN, TLS 1.2: %+v", state)
	}
}

// The pool may speak HTTP/2 towards GitHub.
func TestHTTP2Upstream(t *testing.T) {
	w := start(t, func(s *setup) { s.upstream.HTTP2 = true })
	if status, body := get(t, w.client(t, false), "https://api.github.com/repos/acme/widgets"); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got := w.last(t, "/repos/acme/widgets").Proto; got != "HTTP/2.0" {
		t.Errorf("GitHub was spoken to in %s, want HTTP/2.0", got)
	}
}
