package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/proxy"
)

// abort makes closing a connection reset it.
func abort(t *testing.T, conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Error(err)
	}
	conn.Close()
}

// Each way in which a host can fail has its name in Proxy-Status (RFC 9209,
// section 2.3).
func TestFaults(t *testing.T) {
	type host func(t *testing.T, conn net.Conn, r *bufio.Reader)
	says := func(answer string) host {
		return func(_ *testing.T, conn net.Conn, r *bufio.Reader) {
			if _, err := readMessage(r); err == nil {
				io.WriteString(conn, answer)
			}
		}
	}
	for name, test := range map[string]struct {
		host   host
		status int
		want   string
	}{
		"closes":         {says(""), 502, "connection_terminated"},
		"resets":         {func(t *testing.T, conn net.Conn, r *bufio.Reader) { readMessage(r); abort(t, conn) }, 502, "connection_terminated"},
		"half a head":    {says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), 502, "http_response_incomplete"},
		"no HTTP":        {says("SSH-2.0-OpenSSH_9.6\r\n"), 502, "http_protocol_error"},
		"bad field":      {says("HTTP/1.1 200 OK\r\nno field\r\n\r\n"), 502, "http_protocol_error"},
		"bad length":     {says("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), 502, "http_protocol_error"},
		"bad coding":     {says("HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n"), 502, "http_protocol_error"},
		"too large head": {says("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 128<<10) + "\r\n\r\n"), 502, "http_response_header_section_size"},
		"other protocol": {says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), 502, "http_protocol_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := respond(t, func(conn net.Conn, r *bufio.Reader) { test.host(t, conn, r) })
			wantFault(t, w, "POST", test.status, test.want)
		})
	}
}

// wantFault sends a request to codeload and checks how it failed.
func wantFault(t *testing.T, w *world, method string, status int, want string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, "https://"+codeload+"/acme/widgets/tar.gz/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.client(t, false).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := resp.Header.Get("Proxy-Status")
	if resp.StatusCode != status || !strings.HasPrefix(got, "ghapp-proxy; error="+want+";") {
		t.Errorf("%s: %d, Proxy-Status: %s; want %d, %s", method, resp.StatusCode, got, status, want)
	}
	return resp
}

// Before there is a connection.
func TestFaultsOfConnecting(t *testing.T) {
	listen := func(t *testing.T, serve func(net.Conn)) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
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
				go serve(conn)
			}
		}()
		return ln.Addr().String()
	}
	config, trust := upstreamTLS(t)
	strict := config.Clone()
	strict.MinVersion = tls.VersionTLS13
	strict.ClientAuth = tls.RequireAnyClientCert
	handshake := func(config *tls.Config) func(net.Conn) {
		return func(conn net.Conn) {
			defer conn.Close()
			io.Copy(io.Discard, tls.Server(conn, config))
		}
	}
	for name, test := range map[string]struct {
		addr   string
		status int
		want   string
	}{
		"refused":     {"127.0.0.1:1", 502, "connection_refused"},
		"no name":     {"nowhere.invalid:443", 502, "dns_error"},
		"plain HTTP":  {listen(t, func(conn net.Conn) { io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n"); conn.Close() }), 502, "tls_protocol_error"},
		"no TLS":      {listen(t, func(conn net.Conn) { io.WriteString(conn, "SSH-2.0-OpenSSH_9.6\r\n"); conn.Close() }), 502, "tls_protocol_error"},
		"wants more":  {listen(t, handshake(strict)), 502, "tls_alert_received; alert-message=\"certificate required\""},
		"closes":      {listen(t, func(conn net.Conn) { conn.Close() }), 502, "connection_terminated"},
		"unreachable": {"[2001:db8::1]:443", 502, "destination_ip_unroutable"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "unreachable" {
				if conn, err := net.Dial("udp", test.addr); err == nil {
					conn.Close()
					t.Skip("there is a route to documentation addresses")
				}
			}
			w := behind(t, test.addr, trust)
			wantFault(t, w, "GET", test.status, test.want)
		})
	}
	t.Run("itself", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w := start(t, func(s *setup) { s.upstream.ConnectTo[codeload+":443"] = ln.Addr().String() })
		go w.proxy.Serve(ln)
		resp, err := http.Get("http://" + ln.Addr().String() + "/ca.pem") // until it is served
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		wantFault(t, w, "GET", 403, "proxy_loop_detected")
	})
}

// What the next proxy refuses names it and how to mend it, and is not asked for
// again and again.
func TestUpstreamProxyRefuses(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   []string
	}{
		{407, "proxy_configuration_error", []string{"the upstream proxy (upstream.proxy) answered 407 Proxy Authentication Required", "USER:PASSWORD@ before the host in upstream.proxy"}},
		{403, "destination_unavailable", []string{"the upstream proxy (upstream.proxy) answered 403 Forbidden", "ask those who run it"}},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 16)
			parent := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r.RequestURI
				w.Header().Set("Proxy-Authenticate", "Basic")
				w.WriteHeader(test.status)
			})}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go parent.Serve(ln)
			t.Cleanup(func() { parent.Close() })
			w := start(t, func(s *setup) {
				s.upstream.Proxy = through(&url.URL{Scheme: "http", Host: ln.Addr().String()})
				s.upstream.ConnectTo = nil
			})
			urls := []string{"https://api.github.com/repos/acme/widgets", "https://" + codeload + "/acme/widgets/tar.gz/x"}
			if test.status == 407 { // another answer is passed on
				urls = append(urls, "http://elsewhere.example.com/")
			}
			for _, url := range urls {
				resp, err := w.client(t, false).Get(url)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				for _, want := range test.want {
					if !strings.Contains(string(body), want) {
						t.Errorf("GET %s: %s, want %q", url, body, want)
					}
				}
				if got := resp.Header.Get("Proxy-Status"); resp.StatusCode != 502 || !strings.Contains(got, "error="+test.code) {
					t.Errorf("GET %s: %d, Proxy-Status: %s; want 502, %s", url, resp.StatusCode, got, test.code)
				}
				if n := len(asked); n != 1 {
					t.Errorf("GET %s: the proxy was asked %d times", url, n)
				}
				for len(asked) > 0 {
					<-asked
				}
			}
			_, resp := w.connect(t, "objects.githubusercontent.com:443")
			if !strings.Contains(resp.Status, test.want[0]) || resp.StatusCode != 502 {
				t.Errorf("a tunnel: %s, want %q", resp.Status, test.want[0])
			}
		})
	}
}

// A proxy that is not there is not the host's fault.
func TestUpstreamProxyIsGone(t *testing.T) {
	w := start(t, func(s *setup) {
		s.upstream.Proxy = func(*url.URL) *proxy.NextProxy {
			return &proxy.NextProxy{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, Name: "HTTPS_PROXY"}
		}
		s.upstream.ConnectTo = map[string]string{"api.github.com:443": s.upstream.ConnectTo["api.github.com:443"]}
	})
	for _, url := range []string{"https://" + codeload + "/acme/widgets/tar.gz/x", "http://elsewhere.example.com/"} {
		resp, err := w.client(t, false).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, resp, 502, "the upstream proxy (HTTPS_PROXY) could not be used")
		if got := resp.Header.Get("Proxy-Status"); !strings.Contains(got, "error=connection_refused") || strings.Contains(got, "127.0.0.1") {
			t.Errorf("GET %s: Proxy-Status: %s", url, got)
		}
	}
}

// Requests that only read share a connection, whatever their method; those that
// may change something have their own.
func TestConnectionsOfTheirOwn(t *testing.T) {
	conns := make(chan net.Conn, 64)
	w := start(t, func(s *setup) {
		relay, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { relay.Close() })
		to := s.upstream.ConnectTo["api.github.com:443"]
		s.upstream.ConnectTo["api.github.com:443"] = relay.Addr().String()
		go func() {
			for {
				conn, err := relay.Accept()
				if err != nil {
					return
				}
				conns <- conn
				host, err := net.Dial("tcp", to)
				if err != nil {
					conn.Close()
					continue
				}
				go func() { io.Copy(host, conn); host.Close() }()
				go func() { io.Copy(conn, host); conn.Close() }()
			}
		}()
	})
	client := w.client(t, false)
	get(t, client, "https://api.github.com/repos/acme/widgets") // and the mint
	get(t, client, "https://api.github.com/repos/globex/tools")
	w.eventually(t, "that the proxy has asked whose the installations are", func() bool {
		asked := 0
		for _, r := range w.github.Requests() {
			if r.Method == "GET" && strings.HasPrefix(r.Path(), "/app/installations/") && r.Status != 0 {
				asked++
			}
		}
		return asked == 2
	})
	for len(conns) > 0 {
		<-conns
	}
	graphql := func(operation string) *strings.Reader {
		return strings.NewReader(`{"query":"` + operation + ` { viewer { login } repository(owner: \"acme\", name: \"widgets\") { id } }"}`)
	}
	for _, test := range []struct {
		method, path string
		body         io.Reader
		own          int
	}{
		{"GET", "/repos/acme/widgets", nil, 0},
		{"POST", "/graphql", graphql("query"), 0},
		{"GET", "/repos/acme/widgets", nil, 0},
		{"POST", "/graphql", graphql("mutation"), 1},
		{"POST", "/repos/acme/widgets/issues", strings.NewReader(`{"title":"x"}`), 1},
		{"DELETE", "/repos/acme/widgets/issues/1/lock", nil, 1},
		{"GET", "/repos/globex/tools", nil, 0},
	} {
		req, err := http.NewRequest(test.method, "https://api.github.com"+test.path, test.body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.Header.Get("Proxy-Status") != "" {
			t.Errorf("%s %s: %d %s", test.method, test.path, resp.StatusCode, body)
		}
		if n := len(conns); n != test.own {
			t.Errorf("%s %s opened %d connections, want %d", test.method, test.path, n, test.own)
		}
		for len(conns) > 0 {
			<-conns
		}
		time.Sleep(10 * time.Millisecond) // the connection goes back to the pool
	}
}
