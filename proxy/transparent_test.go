package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/transparent"
)

// network is a listener to which a network leads whatever is connected to: it says of each connection
// that it is to another address.
type network struct {
	net.Listener
	to    atomic.Pointer[net.TCPAddr]
	names *transparent.Names
}

// led is such a connection. It does not let the kernel be asked where it was to lead.
type led struct {
	net.Conn
	to net.Addr
}

func (c led) LocalAddr() net.Addr { return c.to }
func (c led) CloseWrite() error   { return c.Conn.(*net.TCPConn).CloseWrite() }

func (n *network) Accept() (net.Conn, error) {
	conn, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return led{conn, n.to.Load()}, nil
}

// newNetwork is a transparent listener of the proxy that is set up.
func newNetwork(t testing.TB, s *setup) *network {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{Listener: ln, names: transparent.NewNames(transparent.DefaultRanges)}
	s.own = append(s.own, &proxy.Listener{Listener: n, Names: n.names})
	return n
}

// dial connects to a port of a name, or of an address. It is not for several at once.
func (n *network) dial(t testing.TB, host string, port int) net.Conn {
	t.Helper()
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if addr, _, err = n.names.Assign(host, netip.Addr{}); err != nil {
			t.Fatal(err)
		}
	}
	n.to.Store(&net.TCPAddr{IP: addr.AsSlice(), Port: port})
	conn, err := net.Dial("tcp", n.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// get asks for a path of a host by TLS, on a connection to a name or an address, and returns what was answered.
func (n *network) get(t testing.TB, w *world, to, host, path string) string {
	t.Helper()
	conn := tls.Client(n.dial(t, to, 443), &tls.Config{ServerName: host, RootCAs: w.roots, NextProtos: []string{"http/1.1"}, InsecureSkipVerify: strings.HasSuffix(host, ".example.com")})
	if err := conn.Handshake(); err != nil {
		return closed(err)
	}
	return said(t, conn, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nUser-Agent: test\r\nConnection: close\r\n\r\n")
}

// closed is what an error says, "closed" where the connection was, in whatever way.
func closed(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return "closed"
	}
	return err.Error()
}

// said sends a request and returns the status, and the body after it.
func said(t testing.TB, conn net.Conn, request string) string {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		return err.Error()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return closed(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.Status + " " + string(body)
}

// elsewhere is a host that is not served, and answers by TLS or without.
func elsewhere(t testing.TB) (secure, plain *httptest.Server) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "elsewhere ", r.Host, r.URL.Path) })
	secure, plain = httptest.NewTLSServer(answer), httptest.NewServer(answer)
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	return secure, plain
}

func TestTransparent(t *testing.T) {
	secure, plain := elsewhere(t)
	ssh := startSink(t, "127.0.0.1:0")
	var n *network
	w := start(t, func(s *setup) {
		n = newNetwork(t, s)
		s.upstream.Egress = egress(t, true, "host.example.com host.example.com:22 host.example.com:8443", "")
		s.upstream.ConnectTo["host.example.com:443"] = secure.Listener.Addr().String()
		s.upstream.ConnectTo["host.example.com:8443"] = secure.Listener.Addr().String()
		s.upstream.ConnectTo["host.example.com:80"] = plain.Listener.Addr().String()
		s.upstream.ConnectTo["host.example.com:22"] = ssh.addr
	})
	hello := proxy.HelloFor(t, &tls.Config{ServerName: "host.example.com"})
	const public = "192.0.2.1" // stands for no name
	for _, tt := range []struct{ to, host, path, want string }{
		{"api.github.com", "api.github.com", "/repos/acme/widgets", `200 OK {`},
		{public, "api.github.com", "/repos/acme/widgets", `200 OK {`},
		{"api.github.com.corp.example", "api.github.com", "/repos/acme/widgets", `200 OK {`},
		{"host.example.com", "host.example.com", "/a", "200 OK elsewhere host.example.com/a"},
		{"host.example.com", "HOST.example.com", "/a", "200 OK elsewhere HOST.example.com/a"},
		{public, "host.example.com", "/a", "200 OK elsewhere host.example.com/a"},
		{"host.example.com", "api.github.com", "/", "access denied"},
		{"api.github.com", "host.example.com", "/", "access denied"},
		{"host.example.com", "other.example.com", "/", "access denied"},
		{"other.example.com", "other.example.com", "/", "access denied"}, // by the egress policy
		{public, "other.example.com", "/", "access denied"},
		{"198.18.77.77", "host.example.com", "/", "closed"}, // nobody was given it
	} {
		if got := n.get(t, w, tt.to, tt.host, tt.path); !strings.Contains(got, tt.want) {
			t.Errorf("https://%s%s at %s: %s, want %s", tt.host, tt.path, tt.to, got, tt.want)
		}
	}
	for _, tt := range []struct{ to, request, want string }{
		{"api.github.com", "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n", "200 OK {"},
		{"api.github.com", "GET /repos/acme/widgets HTTP/1.0\r\nHost: api.github.com\r\n", "200 OK {"},
		{"host.example.com", "GET /a HTTP/1.1\r\nHost: host.example.com\r\n", "200 OK elsewhere host.example.com/a"},
		{"host.example.com", "GET /a HTTP/1.1\r\nHost: HOST.example.com:80\r\n", "200 OK elsewhere HOST.example.com"},
		{public, "GET /a HTTP/1.1\r\nHost: host.example.com\r\n", "200 OK elsewhere host.example.com/a"},
		{"host.example.com", "GET http://host.example.com/a HTTP/1.1\r\nHost: host.example.com\r\n", "200 OK elsewhere host.example.com/a"},
		{"host.example.com", "GET http://host.example.com/a HTTP/1.1\r\nHost: other.example.com\r\n", "200 OK elsewhere host.example.com/a"}, // RFC 9112, section 3.2.2
		{"host.example.com", "GET http://other.example.com/a HTTP/1.1\r\nHost: host.example.com\r\n", "421 "},
		{"host.example.com", "GET https://host.example.com/a HTTP/1.1\r\nHost: host.example.com\r\n", "400 Bad Request ghapp-proxy: a https URL"},
		{"host.example.com", "GET /a HTTP/1.1\r\nHost: api.github.com\r\n", "421 "},
		{"api.github.com", "GET /a HTTP/1.1\r\nHost: host.example.com\r\n", "421 "},
		{"host.example.com", "GET /a HTTP/1.1\r\nHost: host.example.com:8443\r\n", "421 "},
		{"host.example.com", "GET /a HTTP/1.1\r\nHost: \r\n", "400 Bad Request ghapp-proxy: the request to host.example.com has no Host"},
		{"host.example.com", "GET /a HTTP/1.0\r\n", "400 Bad Request ghapp-proxy: the request to host.example.com has no Host"},
		{"host.example.com", "GET /a HTTP/1.1\r\nHost: host.example.com\r\nHost: api.github.com\r\n", "400 ghapp-proxy: the request could not be read"},
		{"host.example.com", "CONNECT api.github.com:443 HTTP/1.1\r\nHost: api.github.com:443\r\n", "400 Bad Request ghapp-proxy: CONNECT is not for a connection to a host"},
		{"other.example.com", "GET /ca.pem HTTP/1.1\r\nHost: other.example.com\r\n", "403 Forbidden ghapp-proxy: egress to other.example.com:80 is not allowed"},
		{public, "GET / HTTP/1.1\r\nHost: 169.254.169.254\r\n", "403 Forbidden ghapp-proxy: egress to 169.254.169.254:80 is not allowed"},
		{"198.18.77.77", "GET / HTTP/1.1\r\nHost: host.example.com\r\n", "closed"},
	} {
		if got := said(t, n.dial(t, tt.to, 80), tt.request+"User-Agent: test\r\nConnection: close\r\n\r\n"); !strings.Contains(got, tt.want) {
			t.Errorf("%q at %s: %s, want %s", tt.request, tt.to, got, tt.want)
		}
	}
	for name, tt := range map[string]struct {
		port       int
		sent, want string
	}{
		"HTTP at 443":  {443, "GET / HTTP/1.1\r\nHost: host.example.com\r\n\r\n", "a request without TLS"},
		"SSH at 443":   {443, "SSH-2.0-x\r\n", ""},
		"TLS at 80":    {80, string(hello), "TLS"},
		"nothing":      {443, "", ""},
		"half a hello": {443, string(hello[:40]), ""},
	} {
		conn := n.dial(t, "host.example.com", tt.port)
		io.WriteString(conn, tt.sent)
		conn.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(conn); err != nil || !strings.Contains(string(got), tt.want) || tt.want == "" && len(got) > 0 {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
		}
	}
	// Of other ports the address is enough, if egress lists them.
	conn := n.dial(t, "host.example.com", 22)
	io.WriteString(conn, "SSH-2.0-x\r\n")
	conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("port 22: %q, %v", rest, err)
	}
	w.eventually(t, "what was sent to port 22", func() bool { return fmt.Sprint(ssh.all()) == "[SSH-2.0-x\r\n]" })
	if rest, err := io.ReadAll(n.dial(t, "host.example.com", 23)); err != nil || len(rest) > 0 {
		t.Errorf("port 23: %q, %v", rest, err)
	}
	tunnel := tls.Client(n.dial(t, public, 8443), &tls.Config{ServerName: "host.example.com", InsecureSkipVerify: true})
	if got := said(t, tunnel, "GET / HTTP/1.1\r\nHost: host.example.com\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "200 OK elsewhere") {
		t.Errorf("port 8443 of an address: %s", got)
	}
	for _, r := range w.github.Requests() {
		if r.Path() == "/repos/acme/widgets" && !strings.HasPrefix(r.Authorization(), "Bearer ghs_") {
			t.Errorf("%v arrived without the App's token", r)
		}
	}
	for _, want := range []string{
		`"transparent":true,"method":"GET","host":"api.github.com"`, `"transparent":true,"method":"CONNECT","host":"host.example.com:443"`, // a tunnel
		`"transparent":true,"method":"GET","host":"host.example.com"`, `"transparent":true,"method":"CONNECT","host":"other.example.com:443"`, // refused
		`"transparent":true,"method":"CONNECT","host":"198.18.77.77:443"`,
	} {
		w.eventually(t, want+" in the audit log", func() bool { return strings.Contains(w.auditText(), want) })
	}
	for _, text := range []string{
		"198.18.77.77 stands for no name", `the ClientHello is for \"api.github.com\", but the connection is to host.example.com`, "egress to host.example.com:23 is not allowed",
	} {
		if !strings.Contains(w.log.String(), text) {
			t.Errorf("the log does not say %q:\n%s", text, w.log)
		}
	}
}

// Half a ClientHello, and a connection without any, do not keep the proxy, nor anything of it.
func TestTransparentHellos(t *testing.T) {
	var n *network
	w := start(t, func(s *setup) { n = newNetwork(t, s) })
	hello := proxy.HelloFor(t, &tls.Config{ServerName: "api.github.com"})
	before := runtime.NumGoroutine()
	for i := range 20 {
		conn := n.dial(t, "api.github.com", 443)
		conn.Write(hello[:i])
		if i%2 == 0 {
			conn.Close()
		}
	}
	w.eventually(t, "the connections", func() bool { return runtime.NumGoroutine() >= before+10 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.proxy.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	w.eventually(t, "the end of their goroutines", func() bool { return runtime.NumGoroutine() <= before })
}

// Clients are told by their network, or by the listener; who is none is refused without being asked for a secret.
func TestTransparentClients(t *testing.T) {
	var theirs, agents *network
	agent := &policy.Client{Name: "agent", Repositories: repositories(t, "acme/widgets")}
	w := start(t, func(s *setup) {
		theirs, agents = newNetwork(t, s), newNetwork(t, s)
		s.options.Clients = clients(t, agent, &policy.Client{Name: "other", Secret: policy.HashSecret("secret")})
		s.own[1].Admission = proxy.Admission{Private: true, As: s.options.Clients.All()[0]}
	})
	if got := theirs.get(t, w, "api.github.com", "api.github.com", "/repos/acme/widgets"); !strings.Contains(got, "access denied") {
		t.Errorf("nobody: %s", got)
	}
	for _, sent := range []string{"", "Proxy-Authorization: Basic b3RoZXI6c2VjcmV0\r\n"} {
		got := said(t, theirs.dial(t, "api.github.com", 80), "GET /repos/acme/widgets HTTP/1.1\r\nHost: api.github.com\r\n"+sent+"Connection: close\r\n\r\n")
		if !strings.HasPrefix(got, `403 Forbidden {"message":"ghapp-proxy: who does not know of the proxy`) {
			t.Errorf("nobody over http://: %s", got)
		}
	}
	for path, want := range map[string]string{"/repos/acme/widgets": "200 OK", "/repos/acme/rockets": "403 Forbidden"} {
		if got := agents.get(t, w, "api.github.com", "api.github.com", path); !strings.HasPrefix(got, want) {
			t.Errorf("agent, %s: %s, want %s", path, got, want)
		}
	}
}
