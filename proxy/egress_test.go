package proxy_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"ghapp-proxy/event"
	"ghapp-proxy/policy"
)

// egress is a policy: allow and deny are patterns with spaces between them.
func egress(t testing.TB, denyUnlisted bool, allow, deny string) *policy.Egress {
	t.Helper()
	parse := func(list string) (patterns []policy.HostPattern) {
		for _, text := range strings.Fields(list) {
			p, err := policy.ParseHostPattern(text)
			if err != nil {
				t.Fatal(err)
			}
			patterns = append(patterns, p)
		}
		return patterns
	}
	return &policy.Egress{DenyUnlisted: denyUnlisted, Allow: parse(allow), Deny: parse(deny)}
}

// connect asks for a tunnel and returns what was answered.
func (w *world) connect(t testing.TB, target string) (net.Conn, *http.Response) {
	t.Helper()
	conn := w.dial(t)
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatalf("CONNECT %s: %v", target, err)
	}
	return conn, resp
}

// sink is a listener that notes what each connection brings.
type sink struct {
	addr string
	mu   sync.Mutex
	got  []string
}

func startSink(t testing.TB, addr string) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skip(err) // no IPv6
	}
	t.Cleanup(func() { ln.Close() })
	s := &sink{addr: ln.Addr().String()}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				body, _ := io.ReadAll(conn)
				s.mu.Lock()
				s.got = append(s.got, string(body))
				s.mu.Unlock()
			}()
		}
	}()
	return s
}

func (s *sink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func TestEgressRefusesConnect(t *testing.T) {
	closed := egress(t, true, "allowed.example.com *.wild.example.com", "bad.wild.example.com")
	open := egress(t, false, "", "")
	const add = "; add it to egress.allow"
	w := start(t, func(s *setup) { s.upstream.Egress = closed })
	for target, want := range map[string]string{
		"internal.example.com:443":   "403 ghapp-proxy: egress to internal.example.com:443 is not allowed" + add,
		"Internal.Example.com.:443":  "403 ghapp-proxy: egress to internal.example.com:443 is not allowed" + add,
		"allowed.example.com:22":     "403 ghapp-proxy: egress to allowed.example.com:22 is not allowed" + add,
		"allowed.example.com:80":     "403 ghapp-proxy: egress to allowed.example.com:80 is not allowed: tunnels to port 80 must be listed",
		"bad.wild.example.com:443":   "403 ghapp-proxy: egress to bad.wild.example.com:443 is not allowed: egress.deny[1] forbids it",
		"wild.example.com:443":       "403 ghapp-proxy: egress to wild.example.com:443 is not allowed" + add,
		"127.0.0.1:443":              "403 ghapp-proxy: egress to 127.0.0.1:443 is not allowed" + add,
		"[::ffff:127.0.0.1]:443":     "403 ghapp-proxy: egress to 127.0.0.1:443 is not allowed" + add,
		"0x7f.1:443":                 "400 ghapp-proxy: ",
		"017700000001:443":           "400 ghapp-proxy: ",
		"allowed.example.com:0":      "400 ghapp-proxy: ",
		"allowed.example.com..:443":  "400 ghapp-proxy: ",
		"api.github.com:80":          "403 ghapp-proxy: port 80 of api.github.com is not served",
		"api.github.com.evil.io:443": "403 ghapp-proxy: egress to api.github.com.evil.io:443 is not allowed" + add,
	} {
		_, resp := w.connect(t, target)
		if !strings.HasPrefix(resp.Status, want) || resp.Header.Get("Proxy-Status") == "" {
			t.Errorf("closed: CONNECT %s: %q, %q, want %q", target, resp.Status, resp.Header.Get("Proxy-Status"), want)
		}
	}
	w = start(t, func(s *setup) { s.upstream.Egress = open })
	for target, want := range map[string]string{
		"127.0.0.1:443":               "egress to 127.0.0.1:443 is not allowed: it is a loopback address",
		"[::1]:443":                   "egress to [::1]:443 is not allowed: it is a loopback address",
		"[::ffff:169.254.169.254]:80": "egress to 169.254.169.254:80 is not allowed: it is a link-local address",
		"[64:ff9b::a9fe:a9fe]:80":     "egress to [64:ff9b::a9fe:a9fe]:80 is not allowed: it is a link-local address",
		"[fd00:ec2::254]:80":          "egress to [fd00:ec2::254]:80 is not allowed: it is cloud metadata",
		"LOCALHOST:443":               "egress to localhost:443 is not allowed: it is this machine",
		"example.com:25":              "egress to example.com:25 is not allowed: ports other than 443 and 80 must be listed",
		w.addr:                        "egress to " + w.addr + " is not allowed",
	} {
		if _, resp := w.connect(t, target); !strings.HasPrefix(resp.Status, "403 ghapp-proxy: "+want) {
			t.Errorf("open: CONNECT %s: %q, want 403 and %q", target, resp.Status, want)
		}
	}
	// The served hosts need not be listed.
	w = start(t, func(s *setup) { s.upstream.Egress = egress(t, true, "", "") })
	if status, body := get(t, w.client(t, false), "https://api.github.com/repos/acme/widgets"); status != 200 {
		t.Errorf("a served host: %d %s", status, body)
	}
}

// What is decided by name is decided again by address.
func TestEgressRefusesAddress(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0"} {
		s := startSink(t, listen)
		_, port, _ := net.SplitHostPort(s.addr)
		tests := []struct {
			allow, target string
			ok            bool
		}{
			{"*:" + port, s.addr, false},
			{s.addr, s.addr, true},
			{"127.0.0.0/8:" + port + " ::1/128:" + port, s.addr, true},
			{"*:" + port + " localhost", "localhost:" + port, false},
			{"*:" + port, "localhost:" + port, false},
			{"*:" + port + " 127.0.0.1:443", "localhost:" + port, false},
			{"localhost:" + port, "localhost:" + port, false},
			{"localhost:" + port + " 127.0.0.1:" + port + " [::1]:" + port, "localhost:" + port, true},
		}
		if listen[0] == '[' || !hasLocalhost(t) { // not everywhere is localhost ::1
			tests = tests[:3]
		}
		for _, test := range tests {
			w := start(t, func(s *setup) { s.upstream.Egress = egress(t, false, test.allow, "") })
			_, resp := w.connect(t, test.target)
			switch {
			case test.ok && resp.StatusCode != 200:
				t.Errorf("CONNECT %s with allow = %s: %q, want 200", test.target, test.allow, resp.Status)
			case !test.ok && resp.StatusCode != 403:
				t.Errorf("CONNECT %s with allow = %s: %q, want 403", test.target, test.allow, resp.Status)
			}
		}
	}
}

func TestEgressOfPlainRequests(t *testing.T) {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Host: "+r.Host) })}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	addr := ln.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	w := start(t, func(s *setup) {
		s.upstream.Egress = egress(t, true, "allowed.example.com "+addr+" *.localhost:"+port, "")
		s.upstream.ConnectTo["allowed.example.com:80"] = addr
	})
	client := w.client(t, false)
	for url, want := range map[string]int{
		"http://allowed.example.com/":          200,
		"http://ALLOWED.example.com:80/":       200,
		"http://allowed.example.com:8080/":     403,
		"http://internal.example.com/":         403,
		"http://" + addr + "/":                 200,
		"http://[::ffff:127.0.0.1]:" + port:    200,
		"http://0x7f.1:" + port + "/":          400,
		"http://localhost:" + port + "/":       403,
		"http://x.localhost:" + port + "/":     403,
		"http://169.254.169.254/latest/":       403,
		"http://api.github.com.:80/rate_limit": 200,
	} {
		resp, err := client.Get(url)
		if err != nil {
			t.Errorf("GET %s: %v", url, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || want != 200 && !strings.HasPrefix(string(body), "ghapp-proxy: ") {
			t.Errorf("GET %s: %d %s, want %d", url, resp.StatusCode, body, want)
		}
		if want != 200 && !strings.HasPrefix(resp.Header.Get("Proxy-Status"), "ghapp-proxy; error=") {
			t.Errorf("GET %s: Proxy-Status %q", url, resp.Header.Get("Proxy-Status"))
		}
	}
	// The Host field is that of the URL: no other site on the same address.
	conn := w.dial(t)
	fmt.Fprintf(conn, "GET http://allowed.example.com/ HTTP/1.1\r\nHost: secret.example.com\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "Host: allowed.example.com" {
		t.Errorf("a request with another Host arrived with %q", body)
	}
}

// tapped is a connection whose writes are changed first.
type tapped struct {
	net.Conn
	change func([]byte) [][]byte
}

func (c *tapped) Write(p []byte) (int, error) {
	for _, part := range c.change(p) {
		if _, err := c.Conn.Write(part); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// inSmallRecords cuts a ClientHello into records of 40 bytes, and those into
// two segments each.
func inSmallRecords(p []byte) (parts [][]byte) {
	if p[0] != 22 || p[5] != 1 {
		return [][]byte{p}
	}
	for rest := p[5:]; len(rest) > 0; {
		n := min(40, len(rest))
		record := append([]byte{22, 3, 1, 0, byte(n)}, rest[:n]...)
		parts, rest = append(parts, record[:3], record[3:]), rest[n:]
	}
	return parts
}

const objects = "objects.githubusercontent.com" // the fake GitHub plays it, unserved

// A tunnel is used for the host that it was opened for.
func TestTunnelServerName(t *testing.T) {
	w := start(t, func(s *setup) {
		s.upstream.Egress = egress(t, true, objects+" 127.0.0.1 ::1", "")
		s.upstream.ConnectTo["127.0.0.1:443"] = s.upstream.ConnectTo[objects+":443"]
		s.upstream.ConnectTo["[::1]:443"] = s.upstream.ConnectTo[objects+":443"]
	})
	tests := []struct {
		target, name string
		change       func([]byte) [][]byte
		ok           bool
	}{
		{objects, objects, nil, true},
		{objects, strings.ToUpper(objects), nil, true},
		{strings.ToUpper(objects) + ".", objects, nil, true},
		{objects, objects, inSmallRecords, true},
		{objects, "api.github.com", nil, false},
		{objects, "api.github.com", inSmallRecords, false},
		{objects, objects + ".evil.example.com", nil, false},
		{objects, "", nil, false},
		{"127.0.0.1", "", nil, true},
		{"127.0.0.1", "api.github.com", nil, false},
		{"127.0.0.1", objects, nil, false},
		{"[::1]", "", nil, true},
		{"[::1]", "api.github.com", nil, false},
	}
	for _, test := range tests {
		conn, resp := w.connect(t, test.target+":443")
		if resp.StatusCode != 200 {
			t.Errorf("CONNECT %s: %s", test.target, resp.Status)
			continue
		}
		if test.change != nil {
			conn = &tapped{conn, test.change}
		}
		err := tls.Client(conn, &tls.Config{ServerName: test.name, InsecureSkipVerify: true}).Handshake()
		if test.ok && err != nil || !test.ok && (err == nil || !strings.Contains(err.Error(), "access denied")) {
			t.Errorf("%s with server name %q: %v, want allowed %v", test.target, test.name, err, test.ok)
		}
	}
	for _, want := range []string{`the ClientHello is for \"api.github.com\"`, "the ClientHello has no server name"} {
		waitFor(t, func() bool { return strings.Contains(w.log.String(), want) }, want)
	}
	refusals := 0
	for _, test := range tests {
		if !test.ok {
			refusals++
		}
	}
	w.eventually(t, "a record of each refusal", func() bool {
		n := 0
		for _, record := range w.records(t) {
			if record.Kind == event.Tunnel && record.Phase == event.End && record.Decision == event.Refused && strings.Contains(record.Reason, "ClientHello") {
				n++
			}
		}
		return n == refusals && strings.Count(w.log.String(), "level=WARN msg=refused") == n
	})
	// Requests pass in both directions, keep-alive and all.
	transport := w.transport(t, false)
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	w.github.Handle(objects, "/x", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	for range 2 {
		body := strings.Repeat("x", 1<<20)
		resp, err := (&http.Client{Transport: transport}).Post("https://"+objects+"/x", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(resp.Body); string(got) != body {
			t.Errorf("of %d bytes %d came back", len(body), len(got))
		}
		resp.Body.Close()
	}
}

// Nothing of what is refused arrives, and what is no TLS is not answered in TLS.
func TestTunnelWithoutTLS(t *testing.T) {
	s := startSink(t, "127.0.0.1:0")
	w := start(t, func(set *setup) {
		set.upstream.Egress = egress(t, true, "allowed.example.com allowed.example.com:8443", "")
		set.upstream.ConnectTo["allowed.example.com:443"] = s.addr
		set.upstream.ConnectTo["allowed.example.com:8443"] = s.addr
	})
	for _, data := range []string{"GET / HTTP/1.1\r\nHost: secret.example.com\r\n\r\n", "SSH-2.0-x\r\n", "\x16\x03\x01", ""} {
		conn, resp := w.connect(t, "allowed.example.com:443")
		if resp.StatusCode != 200 {
			t.Fatalf("CONNECT: %s", resp.Status)
		}
		io.WriteString(conn, data)
		conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("%q: %v", data, err)
		}
		if isTLS := data == "" || data[0] == 22; !isTLS && len(answer) > 0 {
			t.Errorf("%q was answered with %q", data, answer)
		}
	}
	waitFor(t, func() bool { return len(s.all()) == 4 }, "four connections")
	if got := strings.Join(s.all(), ""); got != "" {
		t.Errorf("these bytes arrived: %q", got)
	}
	// A port of its own that is listed is not read.
	conn, _ := w.connect(t, "allowed.example.com:8443")
	io.WriteString(conn, "SSH-2.0-x\r\n")
	conn.(*net.TCPConn).CloseWrite()
	waitFor(t, func() bool { return strings.Join(s.all(), "") == "SSH-2.0-x\r\n" }, "what was sent to port 8443")
}

// A hello that comes right behind its CONNECT.
func TestTunnelEarlyHello(t *testing.T) {
	w := start(t, func(s *setup) { s.upstream.Egress = egress(t, false, "", "*.example.com") })
	for name, ok := range map[string]bool{objects: true, "api.github.com": false} {
		early := &earlyConn{Conn: w.dial(t), head: "CONNECT " + objects + ":443 HTTP/1.1\r\nHost: x\r\n\r\n"}
		err := tls.Client(early, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
		if (err == nil) != ok {
			t.Errorf("server name %q: %v, want allowed %v", name, err, ok)
		}
	}
}

// Behind another proxy the names are its to resolve, and ours to decide about.
func TestEgressBehindProxy(t *testing.T) {
	var asked <-chan string
	w := start(t, func(s *setup) {
		s.upstream.Egress = egress(t, true, objects+" allowed.example.com 10.0.0.0/8 *:9418", "")
		parent, notes := parentProxy(t, s.upstream.ConnectTo)
		s.upstream.Proxy, asked = through(parent), notes
		s.upstream.ConnectTo = nil
	})
	for target, want := range map[string]int{
		objects + ":443": 200, "internal.example.com:443": 403, "127.0.0.1:443": 403, "169.254.169.254:9418": 403, "localhost:9418": 403, "localhost.localdomain:9418": 403, "ip6-localhost:9418": 403,
		"[64:ff9b::7f00:1]:9418": 403,
	} {
		if _, resp := w.connect(t, target); resp.StatusCode != want {
			t.Errorf("CONNECT %s: %s, want %d", target, resp.Status, want)
		}
	}
	for target, want := range map[string]int{"http://allowed.example.com/": 200, "http://internal.example.com/": 403, "http://10.0.0.1/": 200} {
		if status, body := get(t, w.client(t, false), target); status != want {
			t.Errorf("GET %s: %d %s, want %d", target, status, body, want)
		}
	}
	for range 3 {
		if got := <-asked; !strings.Contains(got, objects) && !strings.Contains(got, "allowed.example.com") && !strings.Contains(got, "10.0.0.1") {
			t.Errorf("the parent was asked %q", got)
		}
	}
	select {
	case got := <-asked:
		t.Errorf("the parent was asked %q as well", got)
	default:
	}
}

// However the proxy's own address is spelled.
func TestProxyIsUnreachableThroughItself(t *testing.T) {
	w := startOn(t, "0.0.0.0:0", nil)
	_, port, _ := net.SplitHostPort(w.addr)
	hosts := []string{"127.0.0.1", "127.9.9.9", "[::ffff:127.0.0.1]", "0.0.0.0"}
	if hasLocalhost(t) {
		hosts = append(hosts, "localhost")
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ipnet, ok := addr.(*net.IPNet); ok && ipnet.IP.To4() != nil {
			hosts = append(hosts, ipnet.IP.String())
		}
	}
	for _, host := range hosts {
		if _, resp := w.connect(t, host+":"+port); !strings.HasPrefix(resp.Status, "403 ghapp-proxy: the proxy does not connect to itself") {
			t.Errorf("CONNECT %s:%s: %s", host, port, resp.Status)
		}
	}
}

// Both logs name the client that was refused, however it asked.
func TestRefusalNamesTheClient(t *testing.T) {
	audit := new(logBuffer)
	w := start(t, func(s *setup) {
		s.options.Audit = audit
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Networks: loopback, Limits: policy.Limits{MaxConnections: 1}})
	})
	answered := func(resp *http.Response, want int) {
		t.Helper()
		if resp.StatusCode != want {
			t.Errorf("answered %s, want %d", resp.Status, want)
		}
	}
	_, resp := w.connect(t, "api.github.com:443") // stays open
	answered(resp, http.StatusOK)
	_, resp = w.connect(t, "a.example.com:443")
	answered(resp, http.StatusTooManyRequests)
	resp, err := w.client(t, false).Get("http://b.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answered(resp, http.StatusTooManyRequests)

	for host, method := range map[string]string{"a.example.com:443": "CONNECT", "b.example.com": "GET"} {
		record := regexp.MustCompile(`"client":"agent","address":"127.0.0.1:\d+","method":"` + method + `","host":"` + host + `",("path":"/",)?"decision":"refused"`)
		waitFor(t, func() bool { return record.MatchString(audit.String()) }, "agent's refusal of "+host+" in the audit log")
		line := regexp.MustCompile(`msg=refused id=\w+ client=agent method=` + method + ` host=` + host)
		waitFor(t, func() bool { return line.MatchString(w.log.String()) }, line.String()+" in the log")
	}
}
