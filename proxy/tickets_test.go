package proxy_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"testing"

	"ghapp-proxy/certs"
)

// TestSessionsOutliveTheProxy: with the same secret a session of TLS 1.3 is resumed by
// another proxy; one of TLS 1.2 only by its own.
func TestSessionsOutliveTheProxy(t *testing.T) {
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{"github.com", "api.github.com"}})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	proxyWith := func(secret []byte) *world {
		w := start(t, func(s *setup) { s.options.Certificate, s.options.TicketSecret = ca.Certificate, secret })
		w.roots = roots
		return w
	}
	ours, secret := ca.Secret("one"), ca.Secret("one")
	one, same, other, none := proxyWith(ours), proxyWith(secret), proxyWith(ca.Secret("two")), proxyWith(nil)
	// resumes makes a session with one proxy, and tries it with another.
	resumes := func(version uint16, host string, first, second *world) bool {
		config := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1), MinVersion: version, MaxVersion: version}
		var resumed bool
		for i, w := range []*world{first, second} {
			conn := w.intercepted(t, host, config)
			state := conn.ConnectionState()
			if i == 0 && state.DidResume {
				t.Fatal("a session before the first")
			}
			if state.DidResume && state.CurveID == 0 && version == tls.VersionTLS13 {
				t.Error("a session was resumed without new secrets")
			}
			resumed = state.DidResume
			if version == tls.VersionTLS13 && state.CurveID != tls.X25519MLKEM768 {
				t.Errorf("%v was negotiated, want ML-KEM", state.CurveID)
			}
			io.WriteString(conn, "GET /repos/acme/widgets HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			conn.Close()
		}
		return resumed
	}
	for _, host := range []string{"api.github.com", "github.com"} {
		for _, test := range []struct {
			what          string
			version       uint16
			first, second *world
			want          bool
		}{
			{"its own", tls.VersionTLS13, one, one, true},
			{"another with the same secret", tls.VersionTLS13, one, same, true},
			{"another with another secret", tls.VersionTLS13, one, other, false},
			{"another without a secret", tls.VersionTLS13, one, none, false},
			{"its own, without a secret", tls.VersionTLS13, none, none, true},
			{"its own", tls.VersionTLS12, one, one, true},
			{"another with the same secret", tls.VersionTLS12, one, same, false},
		} {
			if got := resumes(test.version, host, test.first, test.second); got != test.want {
				t.Errorf("%s, %s of %s: resumed %v, want %v", host, tls.VersionName(test.version), test.what, got, test.want)
			}
		}
	}
}
