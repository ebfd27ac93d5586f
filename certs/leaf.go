package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// leaf is the current certificate of one host.
type leaf struct {
	current atomic.Pointer[minted] // nil until the first request
	minting sync.Mutex             // held to replace current
}

// minted is a certificate with the span in which it is handed out. The times
// carry no monotonic clock reading, so that they compare by the wall clock: a
// laptop's monotonic clock stands still while it sleeps, certificates age.
type minted struct {
	certificate  *tls.Certificate
	begin, renew time.Time
}

// fresh reports whether m can be handed out at now. The clock may have been set
// back since m was made, to before it begins.
func (m *minted) fresh(now time.Time) bool {
	return m != nil && !now.Before(m.begin) && now.Before(m.renew)
}

// Certificate returns a leaf for host, followed by the intermediate, to present
// to clients. Hosts that are not in [Spec.Hosts] are refused, also when they lie
// below one that is. Leaves are cached, and replaced well before they expire;
// goroutines that ask for the same new leaf share one. The result is shared
// too: do not modify it.
func (ca *CA) Certificate(host string) (*tls.Certificate, error) {
	l, ok := ca.leaves[host]
	if !ok {
		l, ok = ca.leaves[foldName(host)]
	}
	if !ok {
		return nil, fmt.Errorf("sign certificate: %q is not a served host of %s", host, ca.instance)
	}
	if m := l.current.Load(); m.fresh(time.Now()) {
		return m.certificate, nil
	}
	return ca.renewLeaf(l, foldName(host))
}

func (ca *CA) renewLeaf(l *leaf, host string) (*tls.Certificate, error) {
	l.minting.Lock()
	defer l.minting.Unlock()
	now := time.Now().Round(0) // drops the monotonic clock reading
	if m := l.current.Load(); m.fresh(now) {
		return m.certificate, nil
	}
	if err := checkEnd(ca.chain, now); err != nil {
		return nil, ca.origin.fault(err)
	}
	m, err := ca.mint(host, now)
	if err != nil {
		return nil, fmt.Errorf("sign certificate for %s: %w", host, err)
	}
	l.current.Store(m)
	return m.certificate, nil
}

func (ca *CA) mint(host string, now time.Time) (*minted, error) {
	signer, signerKey, limit := ca.signer(), ca.key, ca.Expires()
	sent := ca.chain[:len(ca.chain)-1] // clients have the root
	if old := ca.before; old.signs(host, now) {
		signer, signerKey, limit = old.signer, old.key, old.until()
		sent = []*x509.Certificate{old.signer, old.cross}
	}
	key, certificate, err := signLeaf([]string{host}, now, signer, signerKey)
	if err != nil {
		return nil, err
	}
	chain := [][]byte{certificate.Raw}
	for _, issuer := range sent {
		chain = append(chain, issuer.Raw)
	}
	renew := now.Add(certificate.NotAfter.Sub(now) / 3 * 2)
	if renew.After(limit) {
		renew = limit
	}
	return &minted{
		certificate: &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: certificate},
		begin:       certificate.NotBefore,
		renew:       renew,
	}, nil
}

// signLeaf makes a server certificate for hosts that expires no later than its
// issuer. It has no subject: RFC 9525, section 2 forbids clients to look for the
// host there.
func signLeaf(hosts []string, now time.Time, issuer *x509.Certificate, issuerKey any) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	id, err := keyID(key)
	if err != nil {
		return nil, nil, err
	}
	end := now.Add(LeafLifetime - Backdate)
	if issuer.NotAfter.Before(end) {
		end = issuer.NotAfter
	}
	certificate, err := sign(&x509.Certificate{
		DNSNames:              hosts,
		SubjectKeyId:          id,
		NotBefore:             now.Add(-Backdate),
		NotAfter:              end,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, issuer, key.Public(), issuerKey)
	return key, certificate, err
}
