package cli

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/certs"
	"ghapp-proxy/config"
)

// pairFor is a certificate for names and addresses, of which only those are looked at.
func pairFor(dns []string, addresses ...net.IP) *tls.Certificate {
	return &tls.Certificate{Leaf: &x509.Certificate{DNSNames: dns, IPAddresses: addresses, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}}
}

// TestOwnURL: the name by which clients call the proxy is one of its certificate.
func TestOwnURL(t *testing.T) {
	for _, test := range []struct {
		listen string
		form   config.Form
		tls    config.TLS
		want   string
	}{
		{"127.0.0.1:8080", config.FormPlain, config.TLS{}, "http://127.0.0.1:8080"},
		{"127.0.0.1:8080", config.FormTLS, config.TLS{Names: []string{"localhost"}}, "https://localhost:8080"},
		{"0.0.0.0:8443", config.FormBoth, config.TLS{Names: []string{"proxy.example.com", "proxy"}}, "https://proxy.example.com:8443"},
		{"192.0.2.1:8443", config.FormTLS, config.TLS{Certificate: pairFor([]string{"a.example.com"}, net.IPv4(192, 0, 2, 1))}, "https://192.0.2.1:8443"},
		{"192.0.2.1:8443", config.FormTLS, config.TLS{Certificate: pairFor([]string{"*.example.com", "a.example.com"})}, "https://a.example.com:8443"},
		{"192.0.2.1:8443", config.FormTLS, config.TLS{Certificate: pairFor([]string{"*.example.com"})}, "https://192.0.2.1:8443"},
	} {
		cfg := &config.Config{Fixed: config.Fixed{Listen: test.listen, Form: test.form}, Live: config.Live{TLS: test.tls}}
		if got := ownURL(cfg).String(); got != test.want {
			t.Errorf("%s with %+v: %s, want %s", test.listen, test.tls, got, test.want)
		}
	}
}

// TestOwnCertificate: by a strange name, or none, the first is shown.
func TestOwnCertificate(t *testing.T) {
	cfg := &config.Config{Fixed: config.Fixed{Form: config.FormTLS}, Live: config.Live{TLS: config.TLS{Names: []string{"one.example.com", "two.example.com"}}, CA: config.CA{NameConstraints: true}}}
	cas, err := openAuthorities(cfg, inMemory(cfg))
	if err != nil {
		t.Fatal(err)
	}
	own := ownCertificate(cfg, cas)
	for name, want := range map[string]string{"": "one.example.com", "one.example.com": "one.example.com", "TWO.example.com": "two.example.com", "github.com": "one.example.com"} {
		if pair, err := own(name); err != nil || !slices.Equal(pair.Leaf.DNSNames, []string{want}) {
			t.Errorf("as %q: %v, %v, want %s", name, pair, err, want)
		}
	}
	if leaf, _ := own(""); leaf != nil {
		issuer, err := x509.ParseCertificate(leaf.Certificate[1])
		if err != nil || !issuer.PermittedDNSDomainsCritical || !slices.Equal(issuer.PermittedDNSDomains, cfg.TLS.Names) {
			t.Errorf("the CA may sign for %v", issuer.PermittedDNSDomains)
		}
	}
	cfg.TLS = config.TLS{Certificate: pairFor([]string{"x"})}
	if pair, err := ownCertificate(cfg, cas)("one.example.com"); pair != cfg.TLS.Certificate || err != nil {
		t.Errorf("with files it is %v, %v", pair, err)
	}
	cfg.TLS = config.TLS{}
	if pair, err := ownCertificate(cfg, cas)(""); err == nil {
		t.Errorf("without any it is %v", pair)
	}
}

// TestCheckOwnCertificate: what `check` says of the certificate.
func TestCheckOwnCertificate(t *testing.T) {
	ca, err := certs.New(certs.Spec{Instance: "ghapp-proxy", Hosts: []string{"proxy.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	good, err := ca.Certificate("proxy.example.com")
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(*x509.Certificate)) *tls.Certificate {
		leaf := *good.Leaf
		change(&leaf)
		return &tls.Certificate{Certificate: good.Certificate, Leaf: &leaf}
	}
	for name, test := range map[string]struct {
		pair   *tls.Certificate
		listen string
		form   config.Form
		want   string
		state  state
	}{
		"of no use": {good, "0.0.0.0:1", config.FormPlain, "[tls] is of no use", stateWarning},
		"untrusted": {good, "0.0.0.0:1", config.FormTLS, "this machine does not", stateWarning},
		"expired":   {changed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) }), "0.0.0.0:1", config.FormTLS, "expired on", stateFailed},
		"soon":      {changed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Minute) }), "0.0.0.0:1", config.FormTLS, "it ends on", stateWarning},
		"elsewhere": {changed(func(c *x509.Certificate) { c.DNSNames = []string{"*.example.com"} }), "192.0.2.1:1", config.FormBoth, "not for 192.0.2.1", stateWarning},
		"clients":   {changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "0.0.0.0:1", config.FormTLS, "not for servers", stateFailed},
	} {
		cfg := &config.Config{Fixed: config.Fixed{Listen: test.listen, Form: test.form}, Live: config.Live{TLS: config.TLS{Certificate: test.pair}}}
		if list := checkOwnCertificate(cfg); !slices.ContainsFunc(list, func(f finding) bool { return f.State == test.state && strings.Contains(f.Text, test.want) }) {
			t.Errorf("%s: %+v, want %q", name, list, test.want)
		}
	}
}

// TestOpenToJava: by which proxy Java goes, which sends no password and speaks no TLS to it.
func TestOpenToJava(t *testing.T) {
	for _, test := range []struct {
		flag, address string
		form          config.Form
		want          string // "" for none
	}{
		{"", "http://127.0.0.1:1", config.FormPlain, "http://127.0.0.1:1"},
		{"", "https://localhost:1", config.FormTLS, ""},
		{"", "https://localhost:1", config.FormBoth, "http://localhost:1"},
		{"https://proxy:1", "https://proxy:1", config.FormBoth, ""}, // which may be another proxy
		{"", "https://a:b@localhost:1", config.FormBoth, ""},
	} {
		address, err := url.Parse(test.address)
		if err != nil {
			t.Fatal(err)
		}
		flags := envFlags{proxyURL: test.flag}
		open, note := flags.open(&config.Config{Fixed: config.Fixed{Form: test.form}}, address)
		if (open == nil) != (test.want == "") || open != nil && open.String() != test.want || (note == "") != (open != nil) {
			t.Errorf("%+v: %v, %q", test, open, note)
		}
	}
}

// TestReloadKeepsTLS: what needs a restart leaves clients that speak TLS what they know.
func TestReloadKeepsTLS(t *testing.T) {
	cfg := &config.Config{Fixed: config.Fixed{Form: config.FormTLS}, Live: config.Live{
		Apps: []*auth.App{appFor(t, "bot")}, StateDir: t.TempDir(), CA: config.CA{NameConstraints: true}, Upstream: toNobody, TLS: config.TLS{Names: []string{"localhost"}},
	}}
	l := reloading(t, cfg)
	defer l.control.close()
	for _, step := range []func(){
		func() { cfg.Form, cfg.TLS = config.FormPlain, config.TLS{} },
		func() { cfg.Form, cfg.TLS.Names = config.FormTLS, []string{"another", "localhost"} },
	} {
		step()
		if err := l.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		given, _ := l.inForce()
		if pair, err := given.OwnCertificate("localhost"); err != nil || !slices.Equal(pair.Leaf.DNSNames, []string{"localhost"}) {
			t.Errorf("with %+v: %v, %v", cfg.TLS, pair, err)
		}
	}
	if got := l.state.get().Restart; len(got) > 0 {
		t.Errorf("a restart is needed for %q", got)
	}
}
