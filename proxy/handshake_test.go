package proxy_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// tunnelled opens a connection to a served host, as a client, before TLS.
func (w *world) tunnelled(t testing.TB, host string) net.Conn {
	t.Helper()
	conn := w.dial(t)
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", host, basicAuth("agent", agentSecret))
	if resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"}); err != nil || resp.StatusCode != 200 {
		t.Fatalf("CONNECT: %v, %v", resp, err)
	}
	return conn
}

// TestHandshakeFaults: what goes wrong first is in the log, with whose it is and
// what to do.
func TestHandshakeFaults(t *testing.T) {
	const host = "api.github.com"
	distrust := errors.New("no trust")
	for name, test := range map[string]struct {
		config *tls.Config
		after  bool // the handshake succeeds, and the client leaves then
		want   string
	}{
		"an unknown CA":                     {&tls.Config{ServerName: host, RootCAs: x509.NewCertPool()}, false, "does not trust the proxy's CA"},
		"an unknown CA, TLS 1.2":            {&tls.Config{ServerName: host, RootCAs: x509.NewCertPool(), MaxVersion: tls.VersionTLS12}, false, "does not trust the proxy's CA"},
		"the certificate is looked at late": {&tls.Config{ServerName: host, InsecureSkipVerify: true}, true, "may not trust the CA"},
		"an old version":                    {&tls.Config{ServerName: host, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false, "no version of TLS in common"},
		"another name":                      {&tls.Config{ServerName: "github.com"}, false, "another host than the tunnel's"},
		"another pin": {&tls.Config{ServerName: host, InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { return distrust }},
			false, "does not trust the proxy's CA"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret()) })
			for range 10 {
				conn := w.tunnelled(t, host)
				if err := tls.Client(conn, test.config).Handshake(); (err == nil) != test.after {
					t.Fatalf("the handshake ends with %v", err)
				}
				conn.Close()
			}
			var warnings []string
			w.eventually(t, "the warning", func() bool {
				warnings = nil
				for line := range strings.Lines(w.log.String()) {
					if strings.Contains(line, "level=WARN") {
						warnings = append(warnings, line)
					}
				}
				return len(warnings) == 3 && strings.Count(w.log.String(), "host="+host) == 10
			})
			for _, part := range []string{test.want, "client=agent", "host=" + host, "remedy="} {
				if !strings.Contains(warnings[0], part) {
					t.Errorf("the warning is %s, want %s in it", warnings[0], part)
				}
			}
		})
	}
}

// TestHandshakeLeftEarly: who looks whether somebody is there is no news.
func TestHandshakeLeftEarly(t *testing.T) {
	w := start(t, func(s *setup) { s.options.Clients = clients(t, withSecret()) })
	w.tunnelled(t, "api.github.com").Close()
	w.eventually(t, "the line", func() bool { return strings.Contains(w.log.String(), "a TLS handshake failed") })
	if text := w.log.String(); strings.Contains(text, "level=WARN") {
		t.Errorf("the log has a warning:\n%s", text)
	}
}
