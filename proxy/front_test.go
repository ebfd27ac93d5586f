package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/certs"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// frontWorld is a world whose proxy speaks a form, as "localhost".
func frontWorld(t *testing.T, form proxy.Form, clients *policy.Set, change ...func(*setup)) (*world, *x509.CertPool) {
	t.Helper()
	own, err := certs.New(certs.Spec{Instance: "ghapp-proxy", Hosts: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(own.PEM())
	return start(t, func(s *setup) {
		s.options.Form, s.options.Clients = form, clients
		s.options.OwnCertificate = func(string) (*tls.Certificate, error) { return own.Certificate("localhost") }
		for _, change := range change {
			change(s)
		}
	}), roots
}

// secureClient uses the proxy by TLS.
func (w *world) secureClient(t *testing.T, config *tls.Config) *http.Client {
	t.Helper()
	transport := w.transport(t, false)
	transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy"})
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(slowly{conn}, config)
		return secure, secure.HandshakeContext(ctx)
	}
	return &http.Client{Transport: noLeaks{t, w.github, transport}}
}

// slowly writes one octet at a time.
type slowly struct{ net.Conn }

func (s slowly) Write(p []byte) (int, error) {
	for i := range p {
		if n, err := s.Conn.Write(p[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(p), nil
}

// TestFront: what a listener of each form makes of each client.
func TestFront(t *testing.T) {
	for _, form := range []proxy.Form{proxy.FormPlain, proxy.FormTLS, proxy.FormBoth} {
		w, roots := frontWorld(t, form, nil)
		for _, url := range throughAll {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				resp, err := w.secureClient(t, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: version, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}}).Get(url)
				switch {
				case form == proxy.FormPlain:
					if err == nil || !strings.Contains(err.Error(), "first record does not look like a TLS handshake") {
						t.Errorf("TLS to a plain port: %v", err)
					}
				case err != nil || resp.StatusCode != 200:
					t.Errorf("form %d, TLS %x, %s: %v %v", form, version, url, resp, err)
				}
			}
			resp, err := w.client(t, false).Get(url)
			switch plain := form != proxy.FormTLS; {
			case !plain && strings.HasPrefix(url, "https"):
				if err == nil || !strings.Contains(err.Error(), "speaks TLS") {
					t.Errorf("CONNECT without TLS: %v", err)
				}
			case err != nil || plain != (resp.StatusCode == 200):
				t.Errorf("form %d, without TLS, %s: %v %v", form, url, resp, err)
			case !plain:
				refused(t, resp, 400, "set HTTPS_PROXY to https://HOST:PORT")
			}
		}
		if form == proxy.FormPlain {
			continue
		}
		if heard := hear(t, w.dial(t), "\x05\x01\x00"); heard != "\x05\xff" {
			t.Errorf("to SOCKS5 it says %q", heard)
		}
		for name, config := range map[string]*tls.Config{
			"an old version": {MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10},
			"h2 alone":       {NextProtos: []string{"h2"}},
		} {
			config.InsecureSkipVerify = true
			if err := tls.Client(w.dial(t), config).Handshake(); err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
				t.Errorf("%s: %v, want an alert", name, err)
			}
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := &tls.Config{MaxVersion: version, RootCAs: roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(8)}
			for range 2 {
				again := tls.Client(w.dial(t), config)
				fmt.Fprint(again, "GET /ca.pem HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, again)
				if state := again.ConnectionState(); !state.HandshakeComplete || state.DidResume {
					t.Errorf("a second handshake: complete %v, resumed %v", state.HandshakeComplete, state.DidResume)
				}
			}
		}
		stranger := tls.Client(w.dial(t), &tls.Config{RootCAs: roots, ServerName: "evil.example.com"})
		if err := stranger.Handshake(); err == nil || !strings.Contains(err.Error(), "localhost") {
			t.Errorf("by a strange name: %v", err)
		}
	}
}

// TestFrontLimits: what is too large or no request is answered in our name within TLS.
func TestFrontLimits(t *testing.T) {
	w, roots := frontWorld(t, proxy.FormTLS, nil)
	for text, want := range map[string]struct {
		status int
		title  string
	}{
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 200<<10): {431, "larger than 128 KiB"},
		"hello\r\n\r\n": {400, "could not be read"},
	} {
		secure := tls.Client(w.dial(t), &tls.Config{RootCAs: roots, ServerName: "localhost"})
		io.WriteString(secure, text)
		refused(t, readHead(t, bufio.NewReader(secure)), want.status, want.title)
	}
	own := tls.Client(w.dial(t), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	fmt.Fprint(own, "GET /ca.pem HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if resp := readHead(t, bufio.NewReader(own)); resp.StatusCode != 200 {
		t.Errorf("/ca.pem: %s", resp.Status)
	}
}

// TestFrontTunnel: a tunnel passes bytes both ways, and each end learns of the other's.
func TestFrontTunnel(t *testing.T) {
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	go func() {
		conn, err := elsewhere.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		text, _ := io.ReadAll(conn)
		conn.Write(bytes.ToUpper(text))
	}()
	w, roots := frontWorld(t, proxy.FormBoth, nil)
	raw := &keeping{Conn: w.dial(t)}
	secure := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12})
	fmt.Fprintf(secure, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\nearly", elsewhere.Addr())
	r := bufio.NewReader(secure)
	if resp, err := http.ReadResponse(r, &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	fmt.Fprint(secure, " and late")
	secure.CloseWrite()
	if got, err := io.ReadAll(r); string(got) != "EARLY AND LATE" || err != nil {
		t.Errorf("it came back as %q, %v", got, err)
	}
	if last := raw.lastRecord(); last != 21 { // close_notify: RFC 5246, section 7.2.1. Some take an end without it for an attack
		t.Errorf("the last record is of type %d, want an alert", last)
	}
}

// keeping keeps what is read.
type keeping struct {
	net.Conn
	read []byte
}

func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.Conn.Read(p)
	k.read = append(k.read, p[:n]...)
	return n, err
}

// lastRecord is the type of the last record of TLS 1.2 that was read.
func (k *keeping) lastRecord() (last byte) {
	for text := k.read; len(text) >= 5; text = text[min(len(text), 5+int(text[3])<<8+int(text[4])):] {
		last = text[0]
	}
	return last
}

// TestFrontHalf: handshakes that are given up, wrong, or cut off leave nothing behind.
func TestFrontHalf(t *testing.T) {
	w, roots := frontWorld(t, proxy.FormBoth, nil)
	if resp, err := w.secureClient(t, &tls.Config{RootCAs: roots, ServerName: "localhost"}).Get(throughAll[0]); err != nil {
		t.Fatal(resp, err)
	}
	hello := clientHello(t)
	before := runtime.NumGoroutine()
	var open []net.Conn
	for i := range 40 {
		conn := w.dial(t)
		open = append(open, conn)
		switch i % 5 {
		case 0:
			conn.Write(hello[:len(hello)/2])
		case 1:
			conn.Write(hello[:1])
		case 2: // and never reads
			conn.Write(hello)
		case 3: // an alert in place of what is to follow
			conn.Write(hello)
			conn.Write([]byte{21, 3, 3, 0, 2, 2, 48})
		case 4: // what is no hello
			hear(t, conn, "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00")
		}
	}
	for _, conn := range open {
		conn.Close()
	}
	w.eventually(t, "the goroutines of before", func() bool { return runtime.NumGoroutine() <= before+2 })
	w.eventually(t, "a warning", func() bool {
		return strings.Contains(w.log.String(), "level=WARN msg=\"a TLS handshake of a client with the proxy failed\"")
	})
	if n := strings.Count(w.log.String(), "level=WARN msg=\"a TLS handshake"); n > 5 {
		t.Errorf("%d warnings", n)
	}
}

// TestFrontAlert: why there is no TLS arrives, whatever the client has sent besides.
func TestFrontAlert(t *testing.T) {
	w, _ := frontWorld(t, proxy.FormTLS, nil)
	conn := w.dial(t)
	conn.Write(append([]byte("\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"), make([]byte, 1<<20)...))
	conn.(*net.TCPConn).CloseWrite()
	if heard, err := io.ReadAll(conn); err != nil || len(heard) != 7 || heard[0] != 21 {
		t.Errorf("it hears %x, %v, want an alert", heard, err)
	}
}

// TestFrontGivenUp: who leaves in the middle of a handshake, or without a word, is worth no warning.
func TestFrontGivenUp(t *testing.T) {
	w, _ := frontWorld(t, proxy.FormTLS, nil)
	hello := clientHello(t)
	for range 5 {
		w.dial(t).Close()
		conn := w.dial(t)
		conn.Write(hello)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
	}
	w.eventually(t, "lines of handshakes that failed", func() bool {
		return strings.Count(w.log.String(), "a TLS handshake of a client with the proxy failed") == 5
	})
	if log := w.log.String(); strings.Contains(log, "level=WARN") {
		t.Errorf("the log warns:\n%s", log)
	}
}

// TestFrontWithoutCertificate: a proxy that has nothing to show fails, and says why.
func TestFrontWithoutCertificate(t *testing.T) {
	w, roots := frontWorld(t, proxy.FormTLS, nil, func(s *setup) { s.options.OwnCertificate = nil })
	err := tls.Client(w.dial(t), &tls.Config{RootCAs: roots, ServerName: "localhost"}).Handshake()
	if err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
		t.Errorf("%v, want an alert", err)
	}
	w.eventually(t, "why", func() bool { return strings.Contains(w.log.String(), "the proxy has no certificate of its own") })
}

// TestFrontFarewell: a connection that the proxy closes ends with a farewell, or what was
// answered could have been cut off.
func TestFrontFarewell(t *testing.T) {
	w, roots := frontWorld(t, proxy.FormTLS, nil)
	raw := &keeping{Conn: w.dial(t)}
	secure := tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12})
	fmt.Fprint(secure, "GET /ca.pem HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if text, err := io.ReadAll(secure); err != nil || !bytes.Contains(text, []byte("BEGIN CERTIFICATE")) {
		t.Errorf("%q, %v", text, err)
	}
	if last := raw.lastRecord(); last != 21 {
		t.Errorf("the last record is of type %d, want an alert", last)
	}
}

// clientHello is what a client begins with.
func clientHello(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	go tls.Client(theirs, &tls.Config{ServerName: "localhost"}).Handshake()
	defer theirs.Close()
	text := make([]byte, 4<<10)
	n, err := ours.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return text[:n]
}

// TestFrontRenegotiation: nobody negotiates anew.
func TestFrontRenegotiation(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	w, _ := frontWorld(t, proxy.FormTLS, nil)
	cmd := exec.CommandContext(t.Context(), "openssl", "s_client", "-tls1_2", "-connect", w.addr, "-servername", "localhost")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(in, "R\n") // s_client(1): renegotiate. Its end would be that of the program
	if out, _ := cmd.CombinedOutput(); !bytes.Contains(out, []byte("RENEGOTIATING")) || !bytes.Contains(out, []byte("alert")) {
		t.Errorf("openssl says:\n%s", out)
	}
}

// clientCA signs certificates of clients.
type clientCA struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newClientCA(t *testing.T) *clientCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &clientCA{key, cert}
}

// named is what a client is told by that has the names in a certificate of the CA.
func (ca *clientCA) named(uri, dns string) *policy.Certificate {
	c := &policy.Certificate{Roots: x509.NewCertPool(), URI: uri, DNS: dns}
	c.Roots.AddCert(ca.cert)
	c.RootsPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
	return c
}

// issue is a client's certificate.
func (ca *clientCA) issue(t *testing.T, uris, dns []string, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: dns,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, u)
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestClientCertificate: who a client is by its certificate, and that no other makes it
// one.
func TestClientCertificate(t *testing.T) {
	const spiffe = "spiffe://example.com/agent"
	ca, other := newClientCA(t), newClientCA(t)
	set := func(by *clientCA) *policy.Set {
		return clients(t, withSecret(),
			&policy.Client{Name: "by-uri", Certificate: by.named(spiffe, "")},
			&policy.Client{Name: "by-dns", Certificate: by.named("", "agent.example.com")},
			&policy.Client{Name: "by-both", Certificate: by.named("spiffe://example.com/both", "both.example.com")})
	}
	w, roots := frontWorld(t, proxy.FormTLS, set(ca))
	var asked atomic.Int64 // for a certificate
	as := func(pairs ...tls.Certificate) *http.Client {
		// It is sent whatever CAs the proxy names.
		return w.secureClient(t, &tls.Config{RootCAs: roots, ServerName: "localhost", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked.Add(1)
			return &append(pairs, tls.Certificate{})[0], nil
		}})
	}
	good := ca.issue(t, []string{spiffe}, nil, nil)
	for name, test := range map[string]struct {
		pair tls.Certificate
		want string // name of the client, or part of the refusal
	}{
		"by its URI":        {good, "by-uri"},
		"by its name":       {ca.issue(t, nil, []string{"other.example.com", "Agent.Example.com"}, nil), "by-dns"},
		"by both":           {ca.issue(t, []string{"spiffe://example.com/both"}, []string{"both.example.com"}, nil), "by-both"},
		"of two":            {ca.issue(t, []string{spiffe}, []string{"agent.example.com"}, nil), "that of several clients"},
		"one of both":       {ca.issue(t, []string{"spiffe://example.com/both"}, nil, nil), "no client has its names"},
		"none":              {tls.Certificate{}, "Proxy Authentication Required"},
		"of another CA":     {other.issue(t, []string{spiffe}, nil, nil), "unknown authority"},
		"expired":           {ca.issue(t, []string{spiffe}, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "has expired"},
		"not good yet":      {ca.issue(t, []string{spiffe}, nil, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }), "not yet valid"},
		"a server's":        {ca.issue(t, []string{spiffe}, nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "incompatible key usage"},
		"another URI":       {ca.issue(t, []string{spiffe + "/x"}, nil, nil), "no client has its names"},
		"two URIs":          {ca.issue(t, []string{"spiffe://example.com/x", spiffe}, nil, nil), "no client has its names"},
		"a wildcard":        {ca.issue(t, nil, []string{"*.example.com"}, nil), "no client has its names"},
		"a common name":     {ca.issue(t, nil, nil, func(c *x509.Certificate) { c.Subject.CommonName = "agent.example.com" }), "no client has its names"},
		"the CA's own":      {tls.Certificate{Certificate: [][]byte{ca.cert.Raw}, PrivateKey: ca.key}, "no client has its names"},
		"somebody's, named": {other.issue(t, []string{"spiffe://example.com/both"}, []string{"both.example.com"}, nil), "that of client by-both"},
	} {
		t.Run(name, func(t *testing.T) {
			w.github.Reset()
			status, got, text := w.askedAs(t, as(test.pair), "https://api.github.com/repos/acme/widgets")
			if isRefusal := strings.Contains(test.want, " "); isRefusal && !strings.Contains(text, test.want) || !isRefusal && (status != 200 || got != test.want) {
				t.Errorf("%d as %q: %s, want %s", status, got, text, test.want)
			}
			if status, _, text := w.askedAs(t, as(test.pair), "http://api.github.com/repos/acme/widgets"); (status == 200) != !strings.Contains(test.want, " ") {
				t.Errorf("http://: %d %s, want %s", status, text, test.want)
			}
			if n := len(w.github.Requests()); strings.Contains(test.want, " ") && n > 0 {
				t.Errorf("%d requests left", n)
			}
		})
	}

	// A CA that is replaced ends what is open, and all that is new.
	client := as(good)
	if status, _, text := w.askedAs(t, client, throughAll[0]); status != 200 {
		t.Fatal(text)
	}
	w.proxy.ReplacePolicy(proxy.Policy{Clients: set(other)})
	for _, url := range throughAll {
		if status, _, text := w.askedAs(t, client, url); !strings.Contains(text, "unknown authority") {
			t.Errorf("with another CA: %d %s", status, text)
		}
	}
	// Where nobody is told by a certificate, none is asked for.
	w.proxy.ReplacePolicy(proxy.Policy{Clients: clients(t, withSecret())})
	asked.Store(0)
	if status, _, text := w.askedAs(t, as(good), throughAll[0]); !strings.Contains(text, "Proxy Authentication Required") || asked.Load() > 0 {
		t.Errorf("where no certificate counts: %d %s, and one was asked for %d times", status, text, asked.Load())
	}
}
