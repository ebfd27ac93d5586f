package certs

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// encodeAll returns a PEM file of key and certificates.
func encodeAll(t testing.TB, key crypto.Signer, certificates ...*x509.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return append(data, encodeCertificates(certificates...)...)
}

// plainCA returns a self-signed CA like `openssl req -x509` makes.
func plainCA(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "company CA"},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestLoadSharedChain(t *testing.T) {
	stored := open(t, t.TempDir(), github)
	private := stored.origin.file
	replica, err := Load(private, private, github)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(replica.PEM(), stored.PEM()) {
		t.Error("the replica has another root")
	}
	if replica.Path() != "" {
		t.Errorf("Path() = %q, want none, since the file holds the key", replica.Path())
	}
	if err := verify(stored.PEM(), leafFor(t, replica, "github.com").Certificate, "github.com"); err != nil {
		t.Error(err)
	}
}

func TestLoadPlainCA(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{rsaKey(t), edKey} {
		dir := t.TempDir()
		certFile, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
		write(t, certFile, encodeCertificates(plainCA(t, key, func(*x509.Certificate) {})), 0o644)
		write(t, keyFile, encodeAll(t, key), 0o644)
		ca, err := Load(certFile, keyFile, github)
		if err != nil {
			t.Fatal(err)
		}
		if ca.Path() != certFile {
			t.Errorf("Path() = %q, want %q", ca.Path(), certFile)
		}
		c := leafFor(t, ca, "api.github.com")
		if len(c.Certificate) != 1 {
			t.Errorf("chain has %d certificates, want the leaf alone", len(c.Certificate))
		}
		if err := verify(ca.PEM(), c.Certificate, "api.github.com"); err != nil {
			t.Errorf("%T: %v", key, err)
		}
	}
}

func TestLoadUnfit(t *testing.T) {
	key := rsaKey(t)
	wrap := func(change func(*x509.Certificate)) []byte { return encodeAll(t, key, plainCA(t, key, change)) }
	stored := newCA(t, github)
	file := filepath.Join(t.TempDir(), "ca.pem")
	for name, test := range map[string]struct {
		data []byte
		text string
	}{
		"expired":       {wrap(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), "expired on"},
		"no CA":         {wrap(func(c *x509.Certificate) { c.IsCA = false }), "root"},
		"wrong usage":   {wrap(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), "root"},
		"clients only":  {wrap(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "incompatible key usage"},
		"other hosts":   {wrap(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }), `"api.github.com" is not permitted`},
		"without root":  {encodeAll(t, stored.key, stored.signer()), "holds no root"},
		"encrypted key": {append(encodeCertificates(stored.chain...), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})...), "private key"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, file, test.data, 0o644)
			_, err := Load(file, file, github)
			wantFault(t, err, file+": ", test.text, "cert_file and key_file")
		})
	}
	missing := file + ".missing"
	_, err := Load(missing, file, github)
	wantFault(t, err, missing+": no such file")
	_, err = Load(file, missing, github)
	wantFault(t, err, missing+": no such file")
}

// TestLoadShortLived: who shares a CA may renew it as often as they like.
func TestLoadShortLived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := rsaKey(t)
		file := filepath.Join(t.TempDir(), "ca.pem")
		write(t, file, encodeAll(t, key, plainCA(t, key, func(*x509.Certificate) {})), 0o600)
		ca, err := Load(file, file, github)
		if err != nil {
			t.Fatal(err)
		}
		if c := leafFor(t, ca, "github.com"); !c.Leaf.NotAfter.Equal(ca.Expires()) {
			t.Errorf("leaf ends %v, want the CA's end %v", c.Leaf.NotAfter, ca.Expires())
		}
		time.Sleep(2 * time.Hour)
		_, err = ca.Certificate("github.com")
		wantFault(t, err, "expired", "cert_file")
	})
}

func FuzzLoad(f *testing.F) {
	key := rsaKey(f)
	plain := plainCA(f, key, func(*x509.Certificate) {})
	ca := newCA(f, github)
	whole := encodeAll(f, ca.key, ca.chain...)
	f.Add(whole, whole)
	f.Add(whole[:len(whole)-100], whole)
	f.Add(encodeCertificates(plain), encodeAll(f, key))
	f.Add(encodeCertificates(ca.root(), ca.signer()), encodeAll(f, ca.key))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte(nil))
	spec, err := github.normalize()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, certPEM, keyPEM []byte) {
		ca, err := loadPEM(certPEM, keyPEM, spec, origin{"ca.pem", hintFiles})
		if err != nil {
			wantFault(t, err, "ca.pem: ")
			return
		}
		if err := verify(ca.PEM(), leafFor(t, ca, "github.com").Certificate, "github.com"); err != nil {
			t.Errorf("accepted a CA whose leaves do not verify: %v", err)
		}
		if _, err := ca.Certificate("evil.example.com"); err == nil {
			t.Error("signed for a host outside the list")
		}
	})
}

func TestErrorsHideTheKey(t *testing.T) {
	ca := open(t, t.TempDir(), github)
	data, err := os.ReadFile(ca.origin.file)
	if err != nil {
		t.Fatal(err)
	}
	canary := strings.Split(string(data), "\n")[1][:20] // of the private key
	for i := 0; i < len(data); i += 31 {
		data[i] ^= 0x10
		if _, err := loadPEM(data, data, github, origin{}); err != nil && strings.Contains(err.Error(), canary) {
			t.Fatalf("error shows the key: %v", err)
		}
		data[i] ^= 0x10
	}
}

// TestSecret: whoever has the same key has the same secrets, another one for each
// purpose.
func TestSecret(t *testing.T) {
	one, another := newCA(t, github), newCA(t, github)
	if a, b := one.Secret("x"), one.Secret("x"); len(a) != 32 || !bytes.Equal(a, b) {
		t.Errorf("Secret = %x, then %x", a, b)
	}
	if a, b := one.Secret("x"), one.Secret("y"); bytes.Equal(a, b) {
		t.Error("two purposes have one secret")
	}
	if a, b := one.Secret("x"), another.Secret("x"); bytes.Equal(a, b) {
		t.Error("two CAs have one secret")
	}
	for _, key := range []crypto.Signer{rsaKey(t), one.key} {
		ca := &CA{key: key}
		if s := ca.Secret("x"); len(s) != 32 {
			t.Errorf("of a %T: %x", key, s)
		}
	}
}
