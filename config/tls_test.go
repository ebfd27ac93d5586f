package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testPair is a certificate with its key, in PEM.
func testPair(t *testing.T, change func(*x509.Certificate)) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"proxy.example.com"}}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))
}

func TestListenForms(t *testing.T) {
	for text, want := range map[string]struct {
		listen string
		form   Form
		names  []string
		fault  string
	}{
		`listen = "127.0.0.1:1"`:          {"127.0.0.1:1", FormPlain, nil, ""},
		`listen = "http://127.0.0.1:1/"`:  {"127.0.0.1:1", FormPlain, nil, ""},
		`listen = "HTTPS://127.0.0.1:1"`:  {"127.0.0.1:1", FormTLS, []string{"localhost"}, ""},
		`listen = "http+https://[::1]:1"`: {"[::1]:1", FormBoth, []string{"localhost"}, ""},
		"listen = \"https://0.0.0.0:1\"\n[tls]\nnames = [\"Proxy.Example.com.\", \"proxy\"]": {"0.0.0.0:1", FormTLS, []string{"proxy.example.com", "proxy"}, ""},
		`listen = "https://0.0.0.0:1"`:                                                {fault: "no name is known by which clients call the proxy"},
		`listen = "ftp://127.0.0.1:1"`:                                                {fault: `https or http+https to a proxy, not "ftp"`},
		`listen = "https://127.0.0.1"`:                                                {fault: "must be an address and a port"},
		"[tls]\nnames = [\"192.0.2.1\"]":                                              {fault: "is an IP address"},
		"[tls]\ncert_file = \"tls.crt\"":                                              {fault: "key_file is missing"},
		"[tls]\nkey_file = \"tls.key\"":                                               {fault: "cert_file is missing"},
		"[tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\nnames = [\"proxy\"]": {fault: "cert_file is given as well"},
	} {
		cfg, errText := load(t, text+"\n"+minimal, nil)
		switch {
		case want.fault != "":
			if !strings.Contains(errText, want.fault) {
				t.Errorf("%s: %s, want %q", text, errText, want.fault)
			}
		case errText != "" || cfg.Listen != want.listen || cfg.Form != want.form || !slices.Equal(cfg.TLS.Names, want.names):
			t.Errorf("%s: %s %+v", text, errText, cfg)
		}
	}
	// Without a file, the flag alone says it.
	for listen, fault := range map[string]string{"https://127.0.0.1:1": "", "https://0.0.0.0:1": "no name is known", "x://127.0.0.1:1": "not \"x\""} {
		cfg, errText := loadIn(t, t.TempDir(), Source{Listen: listen, NoApp: true, HomeDir: t.TempDir()})
		if fault == "" && (errText != "" || cfg.Form != FormTLS || cfg.Listen != "127.0.0.1:1") || !strings.Contains(errText, fault) {
			t.Errorf("%s: %s %+v, want %q", listen, errText, cfg, fault)
		}
	}
}

func TestTLSFiles(t *testing.T) {
	good, key := testPair(t, nil)
	_, other := testPair(t, nil)
	expired, expiredKey := testPair(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	early, earlyKey := testPair(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
	nameless, namelessKey := testPair(t, func(c *x509.Certificate) { c.DNSNames = nil })
	numbered, numberedKey := testPair(t, func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.IPv4(192, 0, 2, 1)} })
	for name, test := range map[string]struct {
		cert, key string
		mode      os.FileMode
		fault     string
		warning   string
	}{
		"good":            {good, key, 0o600, "", ""},
		"one file":        {good + key, good + key, 0o600, "", ""},
		"another's key":   {good, other, 0o600, "private key does not match public key", ""},
		"no certificate":  {"text", key, 0o600, "failed to find any PEM data", ""},
		"read by others":  {good, key, 0o644, "", "key_file"},
		"expired":         {expired, expiredKey, 0o600, "", "expired on"},
		"not good yet":    {early, earlyKey, 0o600, "", "not good before"},
		"without a name":  {nameless, namelessKey, 0o600, "", "for no name"},
		"of an address":   {numbered, numberedKey, 0o600, "", ""},
		"a missing key":   {good, "", 0o600, "key_file", ""},
		"nothing at all":  {"", "", 0o600, "cert_file", ""},
		"key as the cert": {key, key, 0o600, "failed to find certificate PEM data", ""},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "app.pem"), testPEM())
		for name, text := range map[string]string{"tls.crt": test.cert, "tls.key": test.key} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), test.mode); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(dir, "config.toml"), "listen = \"https://0.0.0.0:1\"\n[tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n"+minimal)
		reading := new(Reading)
		cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), HomeDir: dir, Reading: reading})
		if (errText == "") != (test.fault == "") || !strings.Contains(errText, test.fault) {
			t.Errorf("%s: %s, want %q", name, errText, test.fault)
		}
		if errText == "" {
			if all := strings.Join(cfg.Warnings, "\n"); (all == "") != (test.warning == "") || !strings.Contains(all, test.warning) {
				t.Errorf("%s: it warns %q, want %q", name, all, test.warning)
			}
		}
		for _, file := range []string{"tls.crt", "tls.key"} {
			if !slices.Contains(reading.Files(), filepath.Join(dir, file)) {
				t.Errorf("%s: %s is not watched", name, file)
			}
		}
	}
}

func TestClientCertificates(t *testing.T) {
	ca, _ := testPair(t, nil)
	for text, fault := range map[string]string{
		`{ ca_file = "ca.pem", uri = "spiffe://example.com/agent" }`:   "",
		`{ ca_file = "ca.pem", dns = "Agent.Example.com" }`:            "",
		`{ ca_file = "ca.pem" }`:                                       "uri or dns is missing",
		`{ uri = "spiffe://example.com/agent" }`:                       "ca_file is missing",
		`{ ca_file = "none.pem", uri = "spiffe://example.com/agent" }`: "none.pem",
		`{ ca_file = "app.pem", uri = "spiffe://example.com/agent" }`:  "app.pem holds PEM of type",
		`{ ca_file = "ca.pem", uri = "agent" }`:                        "not a URI",
		`{ ca_file = "ca.pem", uri = "spiffe://example.com/a b" }`:     "not a URI",
		`{ ca_file = "ca.pem", uri = "//example.com/agent" }`:          "not a URI",
		`{ ca_file = "ca.pem", uri = "spiffe:/agent" }`:                "not a URI",
		`{ ca_file = "ca.pem", dns = "*.example.com" }`:                "is not a DNS name",
		`{ ca_file = "ca.pem", dns = "192.0.2.1" }`:                    "is an IP address",
		`{ ca_file = "ca.pem", dns = "agent.example.com", cn = "x" }`:  "cn: unknown key",
		`"ca.pem"`: "must be a table",
		"{ ca_file = \"ca.pem\", dns = \"two.example.com\" }\n[client.two]\ncertificate = { ca_file = \"ca.pem\", dns = \"two.example.com\" }": "[client.agent] has the same",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "app.pem"), testPEM())
		write(t, filepath.Join(dir, "ca.pem"), ca)
		write(t, filepath.Join(dir, "config.toml"), minimal+"[client.agent]\ncertificate = "+text+"\n")
		cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), HomeDir: dir})
		if (errText == "") != (fault == "") || !strings.Contains(errText, fault) {
			t.Errorf("%s: %s, want %q", text, errText, fault)
		}
		if errText == "" && (cfg.Clients.All()[0].Certificate.Roots == nil || len(cfg.Warnings) > 0) {
			t.Errorf("%s: %+v", text, cfg)
		}
		if errText == "" && strings.Contains(text, "dns") && cfg.Clients.All()[0].Certificate.DNS != "agent.example.com" {
			t.Errorf("%s: %+v", text, cfg.Clients.All()[0].Certificate)
		}
	}
}

// TestCertificatesOfOthers: of files that others can write there is a warning.
func TestCertificatesOfOthers(t *testing.T) {
	cert, key := testPair(t, nil)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app.pem"), testPEM())
	for name, text := range map[string]string{"tls.crt": cert, "tls.key": key, "ca.pem": cert} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "tls.key" {
			if err := os.Chmod(path, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, filepath.Join(dir, "config.toml"), "listen = \"https://0.0.0.0:1\"\n[tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n"+minimal+"[client.agent]\ncertificate = { ca_file = \"ca.pem\", dns = \"x\" }\n")
	cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), HomeDir: dir})
	if errText != "" {
		t.Fatal(errText)
	}
	all := strings.Join(cfg.Warnings, "\n")
	for _, file := range []string{"cert_file", "ca_file"} {
		if !strings.Contains(all, file) {
			t.Errorf("it warns %q, and not of %s", all, file)
		}
	}
}
