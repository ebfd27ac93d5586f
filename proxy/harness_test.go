package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/certs"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/governor"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// world is a fake GitHub, a proxy in front of it, and what the proxy logged.
type world struct {
	github *githubtest.Server
	proxy  *proxy.Proxy
	source *auth.Source
	addr   string // of the proxy
	roots  *x509.CertPool
	log    *logBuffer
	audit  *logBuffer // what the audit log got
}

// logBuffer collects a log that many goroutines write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// enterprises are the instances that the fake GitHub plays besides github.com.
var enterprises = []string{"ghe.example.com", "octo.ghe.com"}

// setup is what a test may change before the proxy starts.
type setup struct {
	github   *githubtest.Server
	apps     []*auth.App
	upstream proxy.UpstreamOptions
	options  proxy.Options
	fallback auth.Fallback
	governor *governor.Governor // nil for none
	own      []*proxy.Listener
	forbid   []string                        // further listeners of this process
	listener func(net.Listener) net.Listener // stands before the proxy's, nil for none
}

// apps are the two Apps of the demo world: ci-bot maps acme and discovers the
// rest, release-bot maps globex.
func apps(t testing.TB, fake *githubtest.Server) []*auth.App {
	t.Helper()
	var list []*auth.App
	for _, slug := range []string{"ci-bot", "release-bot"} {
		fake := fake.App(slug)
		key, err := auth.ParseKey(fake.PrivateKeyPEM())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, &auth.App{
			Name: slug, Instance: "github.com", API: github.GitHubCom.APIURL(), ID: fake.ID, Signers: []auth.Signer{auth.NewKey(key)},
		})
	}
	list[0].Installations = map[string]github.InstallationID{"acme": 111}
	list[1].Installations = map[string]github.InstallationID{"globex": 222}
	return list
}

// loopback are the networks of the tests' clients.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// clients makes a set of them.
func clients(t testing.TB, list ...*policy.Client) *policy.Set {
	t.Helper()
	set, faults := policy.NewSet(list)
	for _, f := range faults {
		t.Errorf("client %s: %s", f.Client, f.Problem)
	}
	return set
}

// withRelay is turned off to have all tests ask by net/http's server.
var withRelay = flag.Bool("relay", true, "relay requests of HTTP/1.1")

// start starts a world. change, if not nil, may alter its parts first.
func start(t testing.TB, change func(*setup)) *world {
	t.Helper()
	return startOn(t, "127.0.0.1:0", change)
}

// startOn is start for a proxy that listens on another address.
func startOn(t testing.TB, listen string, change func(*setup)) *world {
	t.Helper()
	return startBefore(t, githubtest.Start(t, githubtest.Options{Instances: enterprises}), listen, change)
}

// startBefore starts a proxy in front of a fake GitHub.
func startBefore(t testing.TB, fake *githubtest.Server, listen string, change func(*setup)) *world {
	t.Helper()
	w := &world{github: fake, log: &logBuffer{}, audit: &logBuffer{}, roots: x509.NewCertPool()}
	upstreamRoots := x509.NewCertPool()
	upstreamRoots.AppendCertsFromPEM(fake.CAPEM())

	spec := certs.Spec{Instance: "github.com"}
	for _, instance := range append([]string{"github.com"}, enterprises...) {
		for _, host := range github.Instance(instance).Hosts() {
			spec.Hosts = append(spec.Hosts, host.Name)
		}
	}
	ca, err := certs.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	w.roots.AppendCertsFromPEM(ca.PEM())

	s := &setup{
		github:   fake,
		apps:     apps(t, fake),
		upstream: proxy.UpstreamOptions{ConnectTo: fake.ConnectTo(), RootCAs: upstreamRoots},
		options: proxy.Options{
			Configuration: proxy.Configuration{
				Hosts: github.GitHubCom.Hosts(), Certificate: ca.Certificate, CAPEM: ca.PEM(), PlainHTTP: true, Audit: w.audit, WithoutRelay: !*withRelay,
			},
			Patience: 100 * time.Millisecond, // most who wait in tests do it in vain
			Log:      slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
	}
	if change != nil {
		change(s)
	}
	upstream := proxy.NewUpstream(s.upstream)
	for _, addr := range s.forbid {
		upstream.Forbid(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	}
	source := auth.New(s.apps, auth.Options{Transport: upstream.Transport(), Log: s.options.Log, Fallback: s.fallback, Governor: s.governor})
	s.options.Upstream, s.options.Credentials = upstream, source
	p := proxy.New(s.options)
	w.proxy, w.source = p, source

	ln, err := net.Listen("tcp", listen)
	if err != nil {
		t.Skip(err) // no IPv6
	}
	w.addr = ln.Addr().String()
	if s.listener != nil {
		ln = s.listener(ln)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln, s.own...) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		source.Close()
		upstream.Close()
		for name, text := range map[string]string{"log": w.log.String(), "audit log": w.auditText()} {
			if leaks := fake.Leaks([]byte(text)); len(leaks) > 0 {
				t.Errorf("the %s contains %d secrets:\n%s", name, len(leaks), text)
			}
		}
		checkRecords(t, w.auditText())
	})
	return w
}

// clientAs is client for one that sends the proxy a name and a secret.
func (w *world) clientAs(t testing.TB, name, secret string, h2 bool) *http.Client {
	client := w.client(t, h2)
	client.Transport = noLeaks{t, w.github, w.transportAs(t, name, secret, h2)}
	return client
}

func (w *world) transportAs(t testing.TB, name, secret string, h2 bool) *http.Transport {
	transport := w.transport(t, h2)
	transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword(name, secret), Host: w.addr})
	return transport
}

// client returns a client that uses the proxy, with HTTP/2 if h2 is set, and
// looks for secrets in what it gets.
func (w *world) client(t testing.TB, h2 bool) *http.Client {
	return &http.Client{Transport: noLeaks{t, w.github, w.transport(t, h2)}, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func (w *world) transport(t testing.TB, h2 bool) *http.Transport {
	transport := &http.Transport{
		Proxy:               http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr}),
		TLSClientConfig:     &tls.Config{RootCAs: w.roots},
		ForceAttemptHTTP2:   h2,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 256,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// noLeaks fails the test if the head of an answer contains a secret.
type noLeaks struct {
	tb     testing.TB
	github *githubtest.Server
	next   *http.Transport
}

func (n noLeaks) CloseIdleConnections() { n.next.CloseIdleConnections() }

func (n noLeaks) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(req)
	if err == nil {
		if leaks := n.github.Leaks(fmt.Append(nil, resp.Status, resp.Header)); len(leaks) > 0 {
			n.tb.Errorf("%s %s: the answer's head contains %d secrets", req.Method, req.URL, len(leaks))
		}
	}
	return resp, err
}

// dial opens a raw connection to the proxy.
func (w *world) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// intercepted opens a connection to a served host through the proxy, and
// negotiates TLS with it.
func (w *world) intercepted(t testing.TB, host string, config *tls.Config) *tls.Conn {
	t.Helper()
	conn := w.dial(t)
	if _, err := conn.Write([]byte("CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + ":443\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	const established = "HTTP/1.1 200 Connection established\r\n\r\n"
	head := make([]byte, len(established))
	if _, err := readFull(conn, head); err != nil || string(head) != established {
		t.Fatalf("CONNECT %s: %q, %v", host, head, err)
	}
	if config == nil {
		config = &tls.Config{}
	}
	config.RootCAs = w.roots
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.Handshake(); err != nil {
		t.Fatalf("handshake with %s: %v", host, err)
	}
	return secure
}

// last returns the last request that arrived at the fake GitHub for a path.
func (w *world) last(t testing.TB, path string) *githubtest.Request {
	t.Helper()
	requests := w.github.Requests()
	for i := len(requests) - 1; i >= 0; i-- {
		if requests[i].Path() == path {
			return requests[i]
		}
	}
	t.Fatalf("no request for %s arrived; these did: %v", path, requests)
	return nil
}

// needGit skips the test where git is not installed, without which the
// repositories of the fake GitHub are empty.
func needGit(t *testing.T) {
	t.Helper()
	if !githubtest.HasGit() {
		t.Skip("git is not installed")
	}
}

// hasLocalhost reports whether the name has an address: a system that is bare
// enough has no /etc/hosts.
func hasLocalhost(t *testing.T) bool {
	t.Helper()
	_, err := net.DefaultResolver.LookupHost(t.Context(), "localhost")
	if err != nil {
		t.Log("left out:", err)
	}
	return err == nil
}

// overHTTP2 speaks HTTP/2 over one connection.
func overHTTP2(t testing.TB, conn *tls.Conn) *http.ClientConn {
	t.Helper()
	transport := &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, Protocols: new(http.Protocols), DisableCompression: true,
	}
	transport.Protocols.SetHTTP2(true)
	client, err := transport.NewClientConn(t.Context(), "https", "host:443")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// lastOfClient is the last request of a client's, and not of the proxy's own.
func lastOfClient(t testing.TB, requests []*githubtest.Request) *githubtest.Request {
	t.Helper()
	for _, r := range slices.Backward(requests) {
		if r.Header.Get("User-Agent") != "ghapp-proxy" {
			return r
		}
	}
	t.Fatal("no request of a client's arrived")
	return nil
}
