package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/files"
)

// maxFile is far above any chain with its key; a file beyond it is a mistake.
const maxFile = 1 << 20

// Load returns the CA in certFile, to share one between replicas. certFile is
// PEM: the certificate that signs, then its issuers up to the root. One
// self-signed certificate alone is a CA too, though a client such as Java then
// ignores its name constraints. keyFile is the key of the first certificate, in
// PEM. Both may be the same file, such as the private one that [Open] keeps.
//
// The chain must be able to sign for the hosts of spec; whether it is limited to
// them is up to whoever made it, so [Spec.Unconstrained] has no effect. Nor are
// owners and permissions of the files checked.
//
// Errors about the files are of type [*Error].
func Load(certFile, keyFile string, spec Spec) (*CA, error) {
	spec, err := spec.normalize()
	if err != nil {
		return nil, err
	}
	certPEM, _, err := files.Read(certFile, maxFile)
	if err != nil {
		return nil, origin{certFile, hintFiles}.fault(err)
	}
	keyPEM, _, err := files.Read(keyFile, maxFile)
	if err != nil {
		return nil, origin{keyFile, hintFiles}.fault(err)
	}
	ca, err := loadPEM(certPEM, keyPEM, spec, origin{certFile, hintFiles})
	if err != nil {
		return nil, err
	}
	if bytes.Count(certPEM, []byte("-----BEGIN ")) == 1 { // the root and nothing else
		ca.path = certFile
	}
	return ca, nil
}

func loadPEM(certPEM, keyPEM []byte, spec Spec, from origin) (*CA, error) {
	m, err := parse(certPEM, keyPEM)
	if err != nil {
		return nil, from.fault(err)
	}
	return assemble(m, spec, from)
}

// material is what a CA consists of.
type material struct {
	key          crypto.Signer
	certificates []*x509.Certificate // one at least; the first is for key
}

// parse returns the material in PEM data. The key's type is any that crypto/x509
// can sign with.
func parse(certPEM, keyPEM []byte) (material, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return material{}, errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return material{}, errors.New("the private key cannot sign")
	}
	m := material{key, make([]*x509.Certificate, len(pair.Certificate))}
	for i, der := range pair.Certificate {
		if m.certificates[i], err = x509.ParseCertificate(der); err != nil {
			return material{}, fmt.Errorf("certificate %d: %w", i+1, err)
		}
	}
	return m, nil
}

// assemble returns the CA of m, after it proved by a trial that clients will
// accept its leaves for all hosts.
func assemble(m material, spec Spec, from origin) (*CA, error) {
	chain, err := m.trial(spec.Hosts)
	if err != nil {
		return nil, from.fault(err)
	}
	ca := &CA{
		instance: spec.Instance,
		key:      m.key,
		chain:    chain,
		origin:   from,
		leaves:   make(map[string]*leaf, len(spec.Hosts)),
	}
	for _, host := range spec.Hosts {
		ca.leaves[host] = new(leaf)
	}
	return ca, nil
}

// trial signs a leaf for all hosts at once, verifies it like a client that
// trusts the self-signed certificates of m, and returns the issuers of the leaf
// up to the root.
func (m material) trial(hosts []string) ([]*x509.Certificate, error) {
	now := time.Now()
	if err := checkEnd(m.certificates, now); err != nil {
		return nil, err
	}
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range m.certificates {
		if isSelfSigned(c) {
			roots.AddCert(c)
		} else {
			others.AddCert(c)
		}
	}
	if !slices.ContainsFunc(m.certificates, isSelfSigned) {
		return nil, errors.New("holds no root (a self-signed CA certificate)")
	}
	_, leaf, err := signLeaf(hosts, now, m.certificates[0], m.key)
	if err != nil {
		return nil, fmt.Errorf("sign with the CA: %w", err)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, CurrentTime: now})
	if err != nil {
		return nil, fmt.Errorf("clients would refuse what the CA signs: %w", err)
	}
	return chains[0][1:], nil
}

func isSelfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(c) == nil
}

// checkEnd returns an error if one of certificates ends before the deadline.
func checkEnd(certificates []*x509.Certificate, deadline time.Time) error {
	end := firstEnd(certificates)
	if end.After(deadline) {
		return nil
	}
	if end.After(time.Now()) {
		return fmt.Errorf("the CA expires soon, on %s", end.Format(time.DateOnly))
	}
	return fmt.Errorf("the CA expired on %s", end.Format(time.DateOnly))
}

func firstEnd(certificates []*x509.Certificate) time.Time {
	first := certificates[0].NotAfter
	for _, c := range certificates[1:] {
		if c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}
