package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var github = Spec{
	Instance: "github.com",
	Hosts:    []string{"github.com", "api.github.com", "raw.githubusercontent.com"},
}

func newCA(t testing.TB, spec Spec) *CA {
	t.Helper()
	ca, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func leafFor(t testing.TB, ca *CA, host string) *tls.Certificate {
	t.Helper()
	c, err := ca.Certificate(host)
	if err != nil {
		t.Fatalf("Certificate(%q): %v", host, err)
	}
	return c
}

// verify checks chain like a client that knows nothing but the PEM root.
func verify(root []byte, chain [][]byte, host string) error {
	options := x509.VerifyOptions{DNSName: host, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	options.Roots.AppendCertsFromPEM(root)
	var certificates []*x509.Certificate
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		certificates = append(certificates, c)
	}
	for _, c := range certificates[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := certificates[0].Verify(options)
	return err
}

// forge signs what a thief of ca's key would: a leaf for any name.
func forge(t *testing.T, ca *CA, names ...string) [][]byte {
	t.Helper()
	key, template, err := authority(Spec{}, "")
	if err != nil {
		t.Fatal(err)
	}
	template.IsCA = false
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	c, err := sign(template, ca.signer(), key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{c.Raw, ca.signer().Raw}
}

func TestVerifies(t *testing.T) {
	for _, unconstrained := range []bool{false, true} {
		spec := github
		spec.Unconstrained = unconstrained
		ca := newCA(t, spec)
		for _, host := range spec.Hosts {
			if err := verify(ca.PEM(), leafFor(t, ca, host).Certificate, host); err != nil {
				t.Errorf("Unconstrained = %v: verify %s: %v, want nil", unconstrained, host, err)
			}
		}
	}
}

func TestStolenKey(t *testing.T) {
	free := github
	free.Unconstrained = true
	constrained, unconstrained := newCA(t, github), newCA(t, free)
	for _, names := range [][]string{
		{"evil.example.com"},
		{"192.0.2.7"},
		{"2001:db8::7"},
		{"notgithub.com"},
		{"github.com.example.com"},
		{"githubusercontent.com"},
		{"github.com", "evil.example.com"},
		{"github.com", "192.0.2.7"},
	} {
		last := names[len(names)-1]
		if err := verify(constrained.PEM(), forge(t, constrained, names...), last); err == nil {
			t.Errorf("verify leaf for %q of a constrained CA = nil, want an error", names)
		}
		if err := verify(unconstrained.PEM(), forge(t, unconstrained, names...), last); err != nil {
			t.Errorf("verify leaf for %q of an unconstrained CA = %v, want nil", names, err)
		}
	}
}

func TestIntermediateSignsNoAuthority(t *testing.T) {
	ca := newCA(t, github)
	key, below, err := authority(Spec{}, "below")
	if err != nil {
		t.Fatal(err)
	}
	if below, err = sign(below, ca.signer(), key.Public(), ca.key); err != nil {
		t.Fatal(err)
	}
	_, leaf, err := signLeaf([]string{"github.com"}, time.Now(), below, key)
	if err != nil {
		t.Fatal(err)
	}
	chain := [][]byte{leaf.Raw, below.Raw, ca.signer().Raw}
	if err := verify(ca.PEM(), chain, "github.com"); err == nil {
		t.Error("verify leaf of an authority below the intermediate = nil, want an error")
	}
}

func TestLeafShape(t *testing.T) {
	ca := newCA(t, github)
	c := leafFor(t, ca, "api.github.com")
	leaf := c.Leaf
	if leaf == nil || !bytes.Equal(leaf.Raw, c.Certificate[0]) {
		t.Fatal("Leaf is not the first certificate of the chain")
	}
	if len(c.Certificate) != 2 || !bytes.Equal(c.Certificate[1], ca.signer().Raw) {
		t.Errorf("chain has %d certificates, want leaf and intermediate", len(c.Certificate))
	}
	if !slices.Equal(leaf.DNSNames, []string{"api.github.com"}) {
		t.Errorf("DNSNames = %q, want the one host", leaf.DNSNames)
	}
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature ||
		!slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("IsCA = %v, KeyUsage = %b, ExtKeyUsage = %v", leaf.IsCA, leaf.KeyUsage, leaf.ExtKeyUsage)
	}
	if len(leaf.SubjectKeyId) == 0 || !bytes.Equal(leaf.AuthorityKeyId, ca.signer().SubjectKeyId) {
		t.Errorf("SubjectKeyId = %x, AuthorityKeyId = %x, want one and %x",
			leaf.SubjectKeyId, leaf.AuthorityKeyId, ca.signer().SubjectKeyId)
	}
	if got := leaf.NotAfter.Sub(leaf.NotBefore); got != LeafLifetime {
		t.Errorf("leaf lives %v, want %v", got, LeafLifetime)
	}
}

// TestWrongClocks: clients whose clock is wrong by almost two days take the
// certificates that were made just now.
func TestWrongClocks(t *testing.T) {
	ca := newCA(t, github)
	c := leafFor(t, ca, "api.github.com")
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(ca.root())
	between.AddCert(ca.signer())
	for _, wrong := range []time.Duration{-47 * time.Hour, 0, 47 * time.Hour} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: "api.github.com", Roots: roots, Intermediates: between, CurrentTime: time.Now().Add(wrong)}); err != nil {
			t.Errorf("a clock that is wrong by %v: %v", wrong, err)
		}
	}
}

func TestAuthorityShape(t *testing.T) {
	ca := newCA(t, github)
	signer, root := ca.signer(), ca.root()
	if !signer.MaxPathLenZero || signer.MaxPathLen != 0 || root.MaxPathLen != 2 {
		t.Errorf("MaxPathLen = %d, %d, want 0, 2", signer.MaxPathLen, root.MaxPathLen)
	}
	want := []string{"github.com", "raw.githubusercontent.com"} // api. is below the first
	if !slices.Equal(signer.PermittedDNSDomains, want) || !signer.PermittedDNSDomainsCritical {
		t.Errorf("PermittedDNSDomains = %q (critical: %v), want %q", signer.PermittedDNSDomains, signer.PermittedDNSDomainsCritical, want)
	}
	if !bytes.Equal(signer.AuthorityKeyId, root.SubjectKeyId) {
		t.Errorf("AuthorityKeyId = %x, want %x", signer.AuthorityKeyId, root.SubjectKeyId)
	}
	if root.SerialNumber.BitLen() > 127 || root.SerialNumber.Cmp(signer.SerialNumber) == 0 {
		t.Errorf("serial numbers %v and %v", root.SerialNumber, signer.SerialNumber)
	}
	if other := newCA(t, github).root().Subject.CommonName; other == root.Subject.CommonName {
		t.Errorf("two roots are called %q", other)
	}
	long := newCA(t, Spec{Instance: strings.Repeat("a", 60) + ".example.com", Hosts: github.Hosts})
	if cn := long.root().Subject.CommonName; len(cn) != 64 {
		t.Errorf("common name %q has %d characters, want 64", cn, len(cn))
	}
}

func TestSpec(t *testing.T) {
	for _, test := range []struct {
		instance string
		hosts    []string
		want     string // in the error
	}{
		{"", []string{"github.com"}, `instance ""`},
		{"../github.com", []string{"github.com"}, "is not a DNS name"},
		{"github.com", nil, "no hosts"},
		{"github.com", []string{"192.0.2.7"}, "is an IP address"},
		{"github.com", []string{"[2001:db8::7]"}, "is an IP address"},
		{"github.com", []string{"*.github.com"}, "is not a DNS name"},
		{"github.com", []string{"github.com:443"}, "is not a DNS name"},
		{"github.com", []string{".github.com"}, "is not a DNS name"},
		{"github.com", []string{"gîthub.com"}, "xn--"},
		{"github.com", []string{strings.Repeat("a.", 127) + "com"}, "is not a DNS name"},
	} {
		_, err := New(Spec{Instance: test.instance, Hosts: test.hosts})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(%q, %q) = %v, want an error with %q", test.instance, test.hosts, err, test.want)
		}
	}
}

func TestNamesFold(t *testing.T) {
	ca := newCA(t, Spec{Instance: "GHES.Example.com", Hosts: []string{"GHES.Example.com.", "ghes.example.com"}})
	if a, b := leafFor(t, ca, "ghes.example.com"), leafFor(t, ca, "GHES.example.COM."); a != b {
		t.Error("Certificate distinguishes names by case or by a final dot")
	}
}

func TestKeyIsNotPrinted(t *testing.T) {
	ca := newCA(t, github)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, ca); got != ca.String() {
			t.Errorf("Sprintf(%q) = %q, want %q", verb, got, ca.String())
		}
	}
}

// TestOpenSSL asks a second implementation, in the mode that Python 3.13 uses.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on PATH")
	}
	dir := t.TempDir()
	ca := newCA(t, github)
	write(t, filepath.Join(dir, "root.pem"), ca.PEM(), 0o600)
	check := func(chain [][]byte, flag, name string) (string, error) {
		var text []byte
		for _, der := range chain {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		write(t, filepath.Join(dir, "chain.pem"), text, 0o600)
		cmd := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-no-CApath",
			"-CAfile", "root.pem", "-untrusted", "chain.pem", flag, name, "chain.pem")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, host := range github.Hosts {
		if out, err := check(leafFor(t, ca, host).Certificate, "-verify_hostname", host); err != nil {
			t.Errorf("openssl verify %s: %v\n%s", host, err, out)
		}
	}
	for flag, name := range map[string]string{"-verify_hostname": "evil.example.com", "-verify_ip": "192.0.2.7"} {
		out, err := check(forge(t, ca, name), flag, name)
		if err == nil || !strings.Contains(out, "subtree violation") {
			t.Errorf("openssl verify %s: %v, want a subtree violation\n%s", name, err, out)
		}
	}
}

func TestHandshake(t *testing.T) {
	ca := newCA(t, github)
	server, client := net.Pipe()
	defer server.Close()
	defer client.Close()
	go tls.Server(server, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return ca.Certificate(hello.ServerName)
	}}).Handshake()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	if err := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "api.github.com"}).Handshake(); err != nil {
		t.Error(err)
	}
}

func write(t testing.TB, name string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // not subject to the umask
		t.Fatal(err)
	}
}
