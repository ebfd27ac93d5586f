package policy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Certificate is by what certificates a client is told: those that one of the Roots
// has signed, for use by clients, with the names.
type Certificate struct {
	Roots    *x509.CertPool
	RootsPEM []byte // the same
	URI      string // among its names, as "spiffe://example.com/agent"; "" for any
	DNS      string // among its names, in lower case; "" for any
}

// Presented is the certificate that a client has shown, and has the key of, with those
// that it sent along.
type Presented []*x509.Certificate

// Why a certificate makes nobody a client.
var (
	errNoName     = errors.New("no client has its names")
	errTwoClients = errors.New("it is that of several clients")
)

// named reports whether a certificate has the names. An X.509-SVID has one URI
// (SPIFFE, "The X.509 SPIFFE Verifiable Identity Document", section 2), so one with
// several is nobody's by its URI.
func (c *Certificate) named(leaf *x509.Certificate) bool {
	if c.URI != "" && (len(leaf.URIs) != 1 || leaf.URIs[0].String() != c.URI) {
		return false
	}
	return c.DNS == "" || slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return strings.EqualFold(name, c.DNS) })
}

// until verifies a certificate, and returns when the first of its chain ends.
func (c *Certificate) until(shown Presented, now time.Time) (time.Time, error) {
	others := x509.NewCertPool()
	for _, other := range shown[1:] {
		others.AddCert(other)
	}
	chains, err := shown[0].Verify(x509.VerifyOptions{
		Roots: c.Roots, Intermediates: others, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return time.Time{}, errors.New(strings.TrimPrefix(err.Error(), "x509: "))
	}
	var last time.Time
	for _, chain := range chains {
		first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
		if first.After(last) {
			last = first
		}
	}
	return last, nil
}

// ByCertificate returns the client whose certificate was shown, and until when it is
// that. The certificate must not be empty.
func (s *Set) ByCertificate(shown Presented, now time.Time) (client *Client, until time.Time, err error) {
	err = errNoName
	for _, c := range s.All() {
		if c.Certificate == nil || !c.Certificate.named(shown[0]) {
			continue
		}
		end, why := c.Certificate.until(shown, now)
		switch {
		case why == nil && client != nil:
			return nil, time.Time{}, errTwoClients
		case why == nil:
			client, until = c, end
		default:
			err = fmt.Errorf("that of client %s: %w", c.Name, why)
		}
	}
	if client == nil {
		return nil, time.Time{}, err
	}
	return client, until, nil
}

// Roots are those of all certificates by which clients are told, nil where none is.
func (s *Set) Roots() *x509.CertPool {
	if s == nil {
		return nil
	}
	return s.roots
}
