package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"
)

// signer is a CA, or somebody to whom one gave a certificate.
type signer struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// sign makes a certificate by a signer, nil for one by itself.
func sign(t *testing.T, by *signer, key *ecdsa.PrivateKey, template x509.Certificate) *signer {
	t.Helper()
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	template.SerialNumber, template.BasicConstraintsValid = big.NewInt(time.Now().UnixNano()), true
	made := &signer{key: key}
	if by == nil {
		by = &signer{key, &template}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, by.cert, key.Public(), by.key)
	if err == nil {
		made.cert, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestByCertificate: a client is one by its certificate until the first of the chain ends
// that lasts longest, by the clock that counts, and with those between that it sends along.
func TestByCertificate(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	authority := func(name string, ends time.Duration) x509.Certificate {
		return x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ends)}
	}
	leaf := func(ends time.Duration, uris ...string) x509.Certificate {
		c := x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ends), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		for _, text := range uris {
			u, err := url.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs = append(c.URIs, u)
		}
		return c
	}
	const agent = "spiffe://example.org/agent"
	root := sign(t, nil, nil, authority("root", 10*time.Hour))
	short := sign(t, root, nil, authority("between", 2*time.Hour))
	long := sign(t, root, short.key, authority("between", 3*time.Hour)) // the same, with another end
	by := &Certificate{URI: agent, Roots: x509.NewCertPool(), RootsPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw})}
	by.Roots.AddCert(root.cert)
	set, faults := NewSet([]*Client{{Name: "agent", Certificate: by}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	direct, below := sign(t, root, nil, leaf(time.Hour, agent)).cert, sign(t, short, nil, leaf(5*time.Hour, agent)).cert
	for name, test := range map[string]struct {
		shown Presented
		at    time.Duration // from now
		until time.Duration
		want  string // part of the error, "" for none
	}{
		"by the root":                  {Presented{direct}, 0, time.Hour, ""},
		"just before its end":          {Presented{direct}, time.Hour - time.Second, time.Hour, ""},
		"after its end":                {Presented{direct}, time.Hour + time.Second, 0, "has expired"},
		"before its begin":             {Presented{direct}, -2 * time.Hour, 0, "not yet valid"},
		"by one between":               {Presented{below, short.cert}, 0, 2 * time.Hour, ""},
		"by the longer of two between": {Presented{below, short.cert, long.cert}, 0, 3 * time.Hour, ""},
		"in another order":             {Presented{below, long.cert, short.cert}, 0, 3 * time.Hour, ""},
		"when one between has ended":   {Presented{below, short.cert}, 150 * time.Minute, 0, "expired"},
		"without who is between":       {Presented{below}, 0, 0, "unknown authority"},
		"with a root of its own":       {Presented{sign(t, sign(t, nil, nil, authority("root", time.Hour)), nil, leaf(time.Hour, agent)).cert}, 0, 0, "unknown authority"},
		"another URI":                  {Presented{sign(t, root, nil, leaf(time.Hour, agent+"/x")).cert}, 0, 0, "no client has its names"},
		"two URIs, its own first":      {Presented{sign(t, root, nil, leaf(time.Hour, agent, "spiffe://example.org/x")).cert}, 0, 0, "no client has its names"},
		"two URIs, its own last":       {Presented{sign(t, root, nil, leaf(time.Hour, "spiffe://example.org/x", agent)).cert}, 0, 0, "no client has its names"},
	} {
		client, until, err := set.ByCertificate(test.shown, now.Add(test.at))
		switch {
		case test.want == "" && (err != nil || client.Name != "agent" || !until.Equal(now.Add(test.until))):
			t.Errorf("%s: %v until %v, %v", name, client, until.Sub(now), err)
		case test.want != "" && (err == nil || client != nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, %v, want %q", name, client, err, test.want)
		}
	}
}

// TestSameCertificate: two clients that the same certificates make are a fault.
func TestSameCertificate(t *testing.T) {
	_, faults := NewSet([]*Client{
		{Name: "a", Certificate: &Certificate{URI: "spiffe://x/a", DNS: "a", RootsPEM: []byte("one")}},
		{Name: "another URI", Certificate: &Certificate{URI: "spiffe://x/b", DNS: "a", RootsPEM: []byte("one")}},
		{Name: "another name", Certificate: &Certificate{URI: "spiffe://x/a", DNS: "b", RootsPEM: []byte("one")}},
		{Name: "another CA", Certificate: &Certificate{URI: "spiffe://x/a", DNS: "a", RootsPEM: []byte("two")}},
		{Name: "none"},
		{Name: "the same", Certificate: &Certificate{URI: "spiffe://x/a", DNS: "a", RootsPEM: []byte("one")}},
	})
	if len(faults) != 1 || faults[0].Client != "the same" || faults[0].Key != "certificate" || !strings.Contains(faults[0].Problem, "[client.a]") {
		t.Errorf("%+v", faults)
	}
}
