// Package certs makes and keeps the certificate authority of the proxy, and
// signs the server certificates the proxy shows to its clients.
//
// The authority is a chain. A root, whose key is thrown away as soon as it has
// signed, vouches for one intermediate; the intermediate is limited by critical
// name constraints (RFC 5280, section 4.2.1.10) to the served hosts and the domains
// of the instance, and signs the leaves. Clients trust the root and receive leaf and intermediate. The
// constraints sit below the root because RFC 5280, section 6.1 does not apply
// what a trust anchor says about itself: Java ignores constraints on a trusted
// root and enforces them on an intermediate.
//
// Typical use:
//
//	ca, err := certs.New(certs.Spec{
//		Instance: "github.com",
//		Hosts:    []string{"github.com", "api.github.com"},
//	})
//	if err != nil {
//		return err // a *certs.Error names the file, the fault and the remedy
//	}
//	config := &tls.Config{
//		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
//			return ca.Certificate(hello.ServerName)
//		},
//	}
//	os.Stdout.Write(ca.PEM()) // what clients must trust
//
// [Open] keeps CAs in a directory. A root cannot be widened: hosts that it does
// not permit get one beside it. [Renew] lets the CA before go on for a while, and
// has the new root certify the old one, for clients that trust only one of them.
//
// # Limitations
//
// Name constraints limit what a stolen key can do, not how long: nothing here
// is revocable, and the key stays good for the permitted names and all below
// them until the intermediate expires or clients stop trusting the root.
// Certificates name no CRL or OCSP service, so a client that insists on one
// refuses them: Windows' schannel, and Java where it is told to. docs/tools.md
// says what to set.
//
// The constraints cover DNS names and IP addresses. A client so old that it
// takes the host from the common name and does not constrain that name
// (OpenSSL before 1.1.0) is not protected by them. libgit2 built with mbedTLS
// refuses every certificate below a constrained one; [Spec.Unconstrained] is
// for it.
//
// Go cannot wipe memory: the root's key is unreachable once the root has
// signed, but its bytes stay in the process until they are overwritten.
//
// Hosts are DNS names. A server that is reached by an IP address cannot be
// served. [Open] needs a file system with hard links. File permissions are not
// checked on Windows.
package certs

import (
	"crypto"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"time"
)

// How long certificates live.
const (
	// AuthorityLifetime is the life of root and intermediate. They share one
	// because without the root's key neither can be replaced alone. Five years
	// outlast most machines that a root is installed on, so that few people
	// install one twice, and end before 2038 for clients whose time_t has 32 bits.
	AuthorityLifetime = 5 * 365 * 24 * time.Hour

	// LeafLifetime is the life of a leaf, [Backdate] included. A leaf is renewed
	// after two thirds of what is left of it when it is made, so a connection
	// always starts with a certificate that is good for a day. Limits
	// that clients set are far above: 825 days for any root on Apple's systems
	// (https://support.apple.com/en-us/103769).
	LeafLifetime = 72*time.Hour + Backdate

	// Backdate is how far in the past certificates begin to be valid, for
	// clients whose clock is slow: by the hours of a time zone, or by a day, as
	// that of a machine which was suspended.
	Backdate = 48 * time.Hour

	// RenewalMargin is the remaining life under which [Open] refuses a CA. A
	// start is when somebody looks; the end of the root, noticed by every
	// client at once, is not a good time to hand out a new one.
	RenewalMargin = 7 * 24 * time.Hour
)

// CA is a certificate authority for the hosts of one GitHub instance. Its
// methods may be called concurrently.
type CA struct {
	instance string
	key      crypto.Signer       // of chain[0]
	chain    []*x509.Certificate // the signing certificate, its issuers, the root
	before   *overlap            // nil for none
	origin   origin
	path     string
	leaves   map[string]*leaf // host → its certificate; the map itself never changes
}

// New makes a CA that exists in memory only, for a proxy that lives as long as
// the one command it serves.
func New(spec Spec) (*CA, error) {
	spec, err := spec.normalize()
	if err != nil {
		return nil, err
	}
	m, _, err := generate(spec, nil)
	if err != nil {
		return nil, fmt.Errorf("make CA for %s: %w", spec.Instance, err)
	}
	return assemble(m, spec, origin{hint: "start the proxy again"})
}

// PEM returns the root, which clients must trust, in PEM. For a while after a
// renewal it is followed by the root before. The caller owns the slice.
func (ca *CA) PEM() []byte {
	roots := []*x509.Certificate{ca.root()}
	if !ca.OverlapEnd().IsZero() {
		roots = append(roots, ca.before.root)
	}
	return encodeCertificates(roots...)
}

// OverlapEnd returns until when, after a renewal, clients may trust the root
// before or the new one; zero if there is nothing but the CA itself.
func (ca *CA) OverlapEnd() time.Time {
	if ca.before == nil || !time.Now().Before(ca.before.until()) {
		return time.Time{}
	}
	return ca.before.until()
}

// Secret derives a secret from the CA's key (RFC 5869): the same wherever the key is the
// same, another one for each purpose, and useless for finding the key.
func (ca *CA) Secret(purpose string) []byte {
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return nil // it is no key that Load or generate gives
	}
	secret, err := hkdf.Key(sha256.New, key, nil, "ghapp-proxy: "+purpose, sha256.Size)
	if err != nil {
		return nil // it is not too long
	}
	return secret
}

// Hosts returns the hosts that the CA signs for, sorted.
func (ca *CA) Hosts() []string { return slices.Sorted(maps.Keys(ca.leaves)) }

// Path returns the name of a file that holds [CA.PEM] and no secret, or "" if
// there is none: for a CA from [New], and for one that [Load] found in a file
// together with other certificates or a key.
func (ca *CA) Path() string { return ca.path }

// Expires returns when the first certificate of the CA expires. From then on
// [CA.Certificate] returns an error.
func (ca *CA) Expires() time.Time { return firstEnd(ca.chain) }

// Expiring returns a fault that says what to do if the CA expires within
// [Notice], or has, else nil.
func (ca *CA) Expiring() *Error {
	if err := checkEnd(ca.chain, time.Now().Add(Notice)); err != nil {
		return ca.origin.fault(err)
	}
	return nil
}

// String names the CA by its root, and never shows the key.
func (ca *CA) String() string {
	return fmt.Sprintf("CA for %s (%s)", ca.instance, ca.root().Subject)
}

// GoString is [CA.String], so that %#v does not show the key either.
func (ca *CA) GoString() string { return ca.String() }

func (ca *CA) signer() *x509.Certificate { return ca.chain[0] }

func (ca *CA) root() *x509.Certificate { return ca.chain[len(ca.chain)-1] }

func encodeCertificates(certificates ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certificates {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}
