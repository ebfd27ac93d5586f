package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/policy"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func TestAttackFields(t *testing.T) {
	w := compromise(t, nil)
	get := "GET /repos/acme/widgets\n"
	raw := func(fields string) string {
		return "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: a\r\n" + fields + "\r\n"
	}
	const misdirected = "421 the request's "
	w.attempts(t, []attack{
		{request: get + "Connection: Authorization\nAuthorization: Bearer x", want: "confined 200"},
		{request: get + "Connection: close, Authorization\nAuthorization: Bearer x", want: "confined 200"},
		{request: get + "Authorization: Bearer x\nAuthorization: Bearer y", want: "confined 200"},
		{request: get + "authorization: Bearer x", want: "confined 200"},
		{request: get + "Cookie: user_session=x", want: "confined 200"},
		{request: get + "cookie: user_session=x\nCOOKIE: __Host-user_session_same_site=x", want: "confined 200"},
		{host: "github.com", request: "GET /acme/widgets.git/info/refs?service=git-upload-pack\nCookie: user_session=x", want: "confined "}, // 500 where there is no git
		{request: get + "Proxy-Authorization: Basic b3RoZXI6c2VjcmV0", want: "confined 200"},
		{request: raw("X: a\r\n Authorization: Bearer x\r\n"), want: "confined 200"}, // obs-fold: part of X
		{request: raw("X: a\nAuthorization: Bearer x\r\n"), want: "confined 200"},
		{request: raw("Authorization : Bearer x\r\n"), want: "400"},
		{request: raw("Authori zation: Bearer x\r\n"), want: "400"},
		{request: raw("Authorization\t: Bearer x\r\n"), want: "400"},
		{request: raw(": x\r\n"), want: "400"},
		{request: raw("no colon\r\n"), want: "400"},
		{request: raw("X: a\x00b\r\n"), want: "400"},
		{request: raw("X\x00Y: a\r\n"), want: "400"},
		{request: raw("X: a\rAuthorization: Bearer x\r\n"), want: "400"},
		{request: "GET /repos/acme/widgets HTTP/1.1\r\n Authorization: Bearer x\r\nHost: api.github.com\r\n\r\n", want: "400"},
		{request: raw("X: " + strings.Repeat("x", 200_000) + "\r\n"), want: "431"},
		{request: get + "Expect: 100-continue", want: "confined"},
		{request: get + "Expect: 200-maybe", want: "417"},

		// Methods.
		{request: "get /repos/acme/widgets", want: "405 the method \"get\" is not served"},
		{request: "Delete /installation/token", want: "405 the method \"Delete\" is not served"},
		{request: "CONNECT api.github.com:443", want: "4"},
		{request: "OPTIONS *", want: "400 the request target must be an absolute path"},
		{request: "PRI *", want: "400 the request target must be an absolute path"},
		{request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n HTTP/1.1\r\n", want: misdirected + "host"},
		{request: "GET /repos/acme/rockets\nX-HTTP-Method: DELETE", want: "400 the field X-Http-Method asks"},
		{request: get + "Upgrade: websocket\nConnection: Upgrade", want: "501 Upgrade to a WebSocket is not supported on served hosts"},
		{request: get + "Upgrade: h2c\nUpgrade: TLS/1.2, WebSocket/13\nConnection: Upgrade", want: "501 Upgrade to a WebSocket"},
		{request: get + "Upgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAAP__", want: "confined 200"},
		{request: get + "upgrade: h2c", want: "confined 200"},

		// Hosts.
		{request: "GET https://api.github.com/repos/acme/rockets", want: notRockets},
		{request: "GET https://x:y@api.github.com/repos/acme/rockets", want: notRockets},
		{request: "GET https://github.com/globex/tools.git/info/refs", want: misdirected + "host is \"github.com\", but the connection is to api.github.com"},
		{request: "GET http://169.254.169.254/", want: misdirected + "host"},
		{request: "GET https://api.github.com.evil.example/", want: misdirected + "host"},
		{request: "GET https://api.github.com@evil.example/", want: misdirected + "host"},
		{request: "GET https:///repos/acme/rockets", want: "4"},
		{request: "GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", want: misdirected + "host is \"evil.example.com\""},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com\r\nHost: evil.example.com\r\n\r\n", want: "400"},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com@evil.example.com\r\n\r\n", want: "4"},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com:8443\r\n\r\n", want: misdirected + "host"},
		{request: "GET / HTTP/1.1\r\nHost: api.github.com evil\r\n\r\n", want: "400"},
		{request: "GET / HTTP/1.1\r\nHost: \uff41pi.github.com\r\n\r\n", want: "4"},
		{request: "GET / HTTP/1.1\r\nHost:\r\n\r\n", want: misdirected + "host"},
		{request: "GET / HTTP/1.1\r\n\r\n", want: "400"},
		{host: "github.com", request: "GET /repos/acme/widgets\nHost: api.github.com", want: "400"},
	})
}

// A second request that hides behind the first is seen by the proxy where it is
// one to anybody. None of the bodies below makes it reach GitHub unseen.
func TestAttackSmuggling(t *testing.T) {
	w := compromise(t, nil)
	const hidden = "GET /repos/acme/rockets HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: a\r\nConnection: close\r\n\r\n"
	for _, test := range []struct{ fields, body, want string }{
		{"Content-Length: 0\r\n", hidden, "404, " + notRockets},
		{"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + hidden, "404"},
		{fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", 5+len(hidden)), "0\r\n\r\n" + hidden, "404"},
		{"Content-Length: 0\r\nContent-Length: " + strconv.Itoa(len(hidden)) + "\r\n", hidden, "400"},
		{"Content-Length: 0, 0\r\n", hidden, "400"},
		{"Content-Length: +0\r\n", hidden, "400"},
		{"Content-Length: 0x0\r\n", hidden, "400"},
		{"Content-Length: -1\r\n", hidden, "400"},
		{"Content-Length : 0\r\n", hidden, "400"},
		{"Content-Length: 0\r\nContent_Length: 9\r\n", hidden, "400 the field Content_length can be taken for Content-Length; leave it out, " + notRockets},
		{"Transfer-Encoding: Chunked\r\n", "0\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: identity\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n" + hidden, "4"},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n" + hidden, "501"},
		{"Transfer_Encoding: chunked\r\nContent-Length: 0\r\n", hidden, "400 the field Transfer_encoding can be taken for Transfer-Encoding; leave it out, " + notRockets},
		{"Transfer-Encoding: chunked\r\n", "2;x=\"\r\n\"\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "2;x\r\n{}\r\n0\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "fffffffffffffffff2\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "-2\r\n{}\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "2\r\n{}X\r\n0\r\n\r\n" + hidden, "400 the request's body could not be read: "},
		{"Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\nHost: evil\r\nX-HTTP-Method-Override: DELETE\r\nContent_Type: x\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n", "2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n" + hidden, "404, " + notRockets},
		{"Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", "2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n" + hidden, "400"},
	} {
		text := "GET /repos/acme/widgets/issues/7777 HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: a\r\n" + test.fields + "\r\n" + test.body
		got := w.answersOf(t, w.intercepted(t, "api.github.com", nil), text)
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%q:\n\tgot  %q\n\twant %q", test.fields+test.body, got, test.want)
		}
		w.arrived(t, test.fields+test.body)
		for _, r := range w.github.Requests() {
			own := r.Header.Get("User-Agent") == "ghapp-proxy" // arrived has looked at those
			if !own && (r.Path() != "/repos/acme/widgets/issues/7777" || r.Method != "GET") {
				t.Errorf("%q: %v arrived", test.fields+test.body, r)
			}
		}
		w.github.Reset()
	}
}

// answersOf sends text and returns all answers, with commas between them.
func (w *world) answersOf(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	go io.WriteString(conn, text)
	var answers []string
	for r := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return strings.Join(answers, ", ")
		}
		body, _ := io.ReadAll(resp.Body) // one that is cut off has said what it says
		if w.github.Leaks(append(fmt.Append(nil, resp.Header), body...)) != nil {
			t.Errorf("%q: the answer has secrets in it", text)
		}
		answers = append(answers, outcome(resp, body))
	}
}

// attemptHTTP2 sends a request of these fields as they are. Of what HTTP/2 does
// not allow, the connection or the stream ends.
func (w *world) attemptHTTP2(t *testing.T, body, want string, fields ...hpack.HeaderField) {
	t.Helper()
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	framer := openHTTP2(conn)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		encoder.WriteField(f)
	}
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if body != "" {
		framer.WriteData(1, true, []byte(body))
	}
	w.compare(t, attack{what: fmt.Sprint(fields), want: want}, streamOutcome(framer))
}

// openHTTP2 begins a connection.
func openHTTP2(conn net.Conn) *http2.Framer {
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings()
	return framer
}

func TestAttackHTTP2(t *testing.T) {
	w := compromise(t, nil)
	type field = hpack.HeaderField
	get, post := field{Name: ":method", Value: "GET"}, field{Name: ":method", Value: "POST"}
	https, api := field{Name: ":scheme", Value: "https"}, field{Name: ":authority", Value: "api.github.com"}
	evil := field{Name: ":authority", Value: "evil.example.com"}
	widgets, rockets := field{Name: ":path", Value: "/repos/acme/widgets"}, field{Name: ":path", Value: "/repos/acme/rockets"}
	agent := field{Name: "user-agent", Value: "attacker"}
	for _, test := range []struct {
		want   string
		fields []field
	}{
		{"403", []field{get, https, api, rockets}},
		{"confined 200", []field{get, https, api, widgets, agent}},
		{"confined 200", []field{get, https, api, widgets, agent, {Name: "authorization", Value: "Bearer x"}, {Name: "authorization", Value: "Bearer y"}}},
		{"confined 200", []field{get, https, api, widgets, agent, {Name: "proxy-authorization", Value: "Basic eA=="}}},
		{"reset", []field{get, https, api, evil, widgets}},
		{"reset", []field{get, https, api, widgets, rockets}},
		{"reset", []field{get, post, https, api, widgets}},
		{"reset", []field{get, https, api, agent, widgets}}, // a pseudo field behind another
		{"421", []field{get, https, evil, widgets}},
		{"421", []field{get, https, api, widgets, {Name: "host", Value: "evil.example.com"}}},
		{"421", []field{get, https, api, widgets, {Name: "host", Value: "api.github.com"}, {Name: "host", Value: "evil.example.com"}}},
		{"421", []field{get, https, widgets, {Name: "host", Value: "evil.example.com"}}},
		{"4", []field{get, https, widgets}},
		{"reset", []field{get, https, {Name: ":authority", Value: "x@api.github.com"}, widgets}},
		{"421", []field{get, https, {Name: ":authority", Value: "api.github.com:8443"}, widgets}},
		{"421", []field{get, https, api, {Name: ":path", Value: "http://evil.example.com/"}}},
		{"403", []field{get, https, api, {Name: ":path", Value: "https://api.github.com/repos/acme/rockets"}}},
		{"400", []field{{Name: ":method", Value: "OPTIONS"}, https, api, {Name: ":path", Value: "*"}}},
		{"reset", []field{get, https, api, {Name: ":path", Value: "/repos/acme/widgets\r\nAuthorization: x"}}},
		{"4", []field{get, https, api, {Name: ":path", Value: "/repos/acme/widgets HTTP/1.1"}}},
		{"reset", []field{get, https, api, {Name: ":path", Value: "repos/acme/rockets"}}},
		{"reset", []field{get, https, api, {Name: ":path", Value: ""}}},
		{"405", []field{{Name: ":method", Value: "get"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "GET /REPOS/ACME/ROCKETS HTTP/1.1"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "GET /REPOS/ACME/ROCKETS"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "D\u00c9L\u00c9TE"}, https, api, widgets}},
		{"405", []field{{Name: ":method", Value: "CONNECT"}, {Name: ":authority", Value: "api.github.com:443"}}},
		{"reset", []field{{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, https, api, widgets}},
		{"reset", []field{get, {Name: ":scheme", Value: "ftp"}, api, widgets}},
		{"400", []field{get, https, api, widgets, agent, {Name: "connection", Value: "authorization"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "upgrade", Value: "h2c"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "transfer-encoding", Value: "chunked"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "proxy-connection", Value: "keep-alive"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "te", Value: "gzip"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "x-http-method-override", Value: "DELETE"}}},
		{"400", []field{get, https, api, widgets, agent, {Name: "content_length", Value: "9"}}},
		{"reset", []field{get, https, api, widgets, {Name: "Authorization", Value: "x"}}},
		{"reset", []field{get, https, api, widgets, {Name: "author ization", Value: "x"}}},
		{"reset", []field{get, https, api, widgets, {Name: "x", Value: "a\r\nauthorization: x"}}},
		{"reset", []field{get, https, api, widgets, {Name: "x", Value: "a\x00"}}},
		{"reset", []field{get, https, api, widgets, {Name: "", Value: "x"}}},
	} {
		w.attemptHTTP2(t, "", test.want, test.fields...)
	}
	w.attemptHTTP2(t, "{}", "403", post, https, api, field{Name: ":path", Value: "/repos/acme/rockets/issues"}, agent)
}

// Requests that are taken back at once end what they began.
func TestAttackRapidReset(t *testing.T) {
	w := compromise(t, func(_ *setup, agent *policy.Client) { agent.Limits.MaxRequests = 50 })
	conn := w.intercepted(t, "api.github.com", &tls.Config{NextProtos: []string{"h2"}})
	framer := openHTTP2(conn)
	go io.Copy(io.Discard, conn)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for stream := uint32(1); stream < 2000; stream += 2 {
		block.Reset()
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "api.github.com"}, {":path", "/repos/acme/widgets"}} {
			encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}) != nil ||
			framer.WriteRSTStream(stream, http2.ErrCodeCancel) != nil {
			break // the server has had enough
		}
	}
	conn.Close()
	w.arrived(t, "rapid reset")
	waitFor(t, func() bool {
		probe := w.intercepted(t, "api.github.com", nil)
		defer probe.Close()
		return w.answerOf(t, probe, spell("api.github.com", "GET /repos/acme/rockets")) == notRockets+"; it is granted acme/widgets"
	}, "the end of the requests")
}

func TestAttackConnect(t *testing.T) {
	w := compromise(t, func(s *setup, agent *policy.Client) {
		s.upstream.Egress = egress(t, true, objects, "")
		agent.Hosts = []string{"api.github.com", "github.com"}
	})
	const (
		egressTo = "403 ghapp-proxy: egress to "
		add      = " is not allowed; add it to egress.allow"
	)
	for target, want := range map[string]string{
		"codeload.github.com:443":             "403 ghapp-proxy: client agent may not reach codeload.github.com (client.agent.hosts)",
		"CodeLoad.GitHub.com.:443":            "403 ghapp-proxy: client agent may not reach codeload.github.com",
		"api.github.com:80":                   "403 ghapp-proxy: port 80 of api.github.com is not served",
		"API.GITHUB.COM:8443":                 "403 ghapp-proxy: port 8443 of api.github.com is not served",
		"api.github.com:443@evil.example:443": "400",
		"evil.example:443@api.github.com:443": "400",
		"x:y@api.github.com:443":              "400",
		"api.github.com":                      "400 ghapp-proxy: CONNECT needs HOST:PORT",
		"api.github.com:":                     "400",
		"api.github.com:0443":                 "403 ghapp-proxy: port 0443 of api.github.com is not served",
		"api.github.com:https":                "400",
		"api.github.com..:443":                "400",
		"api.github.com\u3002:443":            "400",
		"\uff41pi.github.com:443":             "400",
		"api\u2024github.com:443":             "400",
		"api.github.com%00.evil.example:443":  "400",
		"api.github.com/:443":                 "400",
		"*.github.com:443":                    "400",
		"gist.github.com:443":                 egressTo + "gist.github.com:443" + add,
		"evil.example:443":                    egressTo + "evil.example:443" + add,
		objects + ":22":                       egressTo + objects + ":22" + add,
		objects + ":80":                       egressTo + objects + ":80 is not allowed: tunnels to port 80 must be listed",
		objects + ".evil.example:443":         egressTo + objects + ".evil.example:443" + add,
		"140.82.121.6:443":                    egressTo + "140.82.121.6:443" + add,
		"[::ffff:140.82.121.6]:443":           egressTo + "140.82.121.6:443" + add,
		"127.0.0.1:443":                       egressTo + "127.0.0.1:443" + add,
		"localhost:443":                       egressTo + "localhost:443" + add,
		"[::1]:443":                           egressTo + "[::1]:443" + add,
		"169.254.169.254:80":                  egressTo + "169.254.169.254:80" + add,
		"[fd00:ec2::254]:80":                  egressTo + "[fd00:ec2::254]:80" + add,
		"[64:ff9b::7f00:1]:443":               egressTo + "[64:ff9b::7f00:1]:443" + add,
		"[::ffff:127.0.0.1]:443":              egressTo + "127.0.0.1:443" + add,
		"[fe80::1%25lo]:443":                  "400",
		"2130706433:443":                      "400",
		"0x7f000001:443":                      "400",
		"0177.0.0.1:443":                      "400",
		"127.1:443":                           "400",
		"127.0.0.1.:443":                      "4",
		w.addr:                                egressTo + w.addr + add,
	} {
		_, resp := w.connect(t, target)
		if !strings.HasPrefix(resp.Status, want) {
			t.Errorf("CONNECT %s: %q, want %q", target, resp.Status, want)
		}
	}
	// In absolute form, without CONNECT.
	for line, want := range map[string]string{
		"GET http://api.github.com/repos/acme/rockets":         notRockets,
		"GET HTTP://API.GITHUB.COM./repos/acme/rockets":        notRockets,
		"GET https://api.github.com/repos/acme/rockets":        notRockets,
		"GET http://x:y@api.github.com/repos/acme/rockets":     notRockets,
		"GET http://api.github.com:80/repos/globex/tools":      notTools,
		"GET http://api.github.com:443/repos/globex/tools":     "403 port 443 of api.github.com is not served",
		"GET http://api.github.com:8080/":                      "403 port 8080 of api.github.com is not served",
		"GET http://codeload.github.com/globex/tools/zip/main": "403 client agent may not reach codeload.github.com (client.agent.hosts)",
		"GET http://\uff41pi.github.com/":                      "400 the host name",
		"GET http://169.254.169.254/latest/meta-data/":         "403 egress to 169.254.169.254:80 is not allowed",
		"GET http://[::ffff:127.0.0.1]/":                       "403 egress to 127.0.0.1:80 is not allowed",
		"GET http://2130706433/":                               "400",
		"GET http://127.1/":                                    "400",
		"GET http://evil.example/":                             "403 egress to evil.example:80 is not allowed",
		"GET http://" + objects + ":22/":                       "403 egress to " + objects + ":22 is not allowed",
		"GET ftp://evil.example/":                              "400 a ftp URL in absolute form",
		"GET file:///etc/passwd":                               "4",
		"GET https://" + objects + "/":                         "400 a https URL in absolute form",
		"POST http://api.github.com/graphql?query=x":           "403 client agent has limits",
	} {
		w.compare(t, attack{what: line, want: want}, w.answerOf(t, w.dial(t), line+" HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	w.compare(t, attack{what: "two hosts", want: "400"}, w.answerOf(t, w.dial(t), "GET http://api.github.com/ HTTP/1.1\r\nHost: evil.example\r\nHost: api.github.com\r\n\r\n"))
}

// What is said in TLS does not lead elsewhere. A name that leads to another
// address when it is connected to is TestRebinding.
func TestAttackServerNames(t *testing.T) {
	w := compromise(t, func(s *setup, _ *policy.Client) { s.upstream.Egress = egress(t, true, objects, "") })
	for name, want := range map[string]string{
		"github.com":       "421 the request's TLS server name is \"github.com\", but the connection is to api.github.com",
		"evil.example.com": "421 the request's TLS server name is \"evil.example.com\"",
		"api.github.com":   notRockets,
		"API.GITHUB.COM":   notRockets,
		"":                 notRockets,
		"127.0.0.1":        notRockets, // crypto/tls sends none then
	} {
		conn := w.intercepted(t, "api.github.com", &tls.Config{ServerName: name, InsecureSkipVerify: true})
		w.compare(t, attack{what: "server name " + name, want: want}, w.answerOf(t, conn, spell("api.github.com", "GET /repos/acme/rockets")))
	}
	for _, name := range []string{"api.github.com", "evil.example.com", objects + ".evil.example.com", ""} {
		conn, resp := w.connect(t, objects+":443")
		if resp.StatusCode != 200 {
			t.Fatalf("CONNECT: %s", resp.Status)
		}
		if err := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake(); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("a tunnel to %s with server name %q: %v, want access denied", objects, name, err)
		}
	}
}
