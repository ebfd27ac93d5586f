package auth

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"

	"ghapp-proxy/leak"

	"github.com/golang-jwt/jwt/v5"
)

// Signer is one of an App's private keys, or somebody who has it. It must be
// safe for concurrent use.
type Signer interface {
	// Sign returns the RS256 signature of signingInput (RFC 7518, section
	// 3.3). The same key gives the same signature for the same input: that is
	// how a key that has been replaced behind the Signer is noticed. The error
	// may have a method Remedy() string; nothing in it is secret.
	Sign(ctx context.Context, signingInput []byte) (signature []byte, err error)
	// String names the key in logs; nothing in it is secret.
	String() string
}

// Key is a private key as a Signer. It prints as its fingerprint.
type Key struct {
	private     *rsa.PrivateKey
	fingerprint string
	marks       *leak.Marks
}

// NewKey returns the Signer that has the key, which must not be changed afterwards.
func NewKey(private *rsa.PrivateKey) *Key {
	return &Key{private: private, fingerprint: fingerprint(&private.PublicKey), marks: leak.Of(keyLines(private)...)}
}

// fingerprint is what GitHub shows for a key on the App's page: docs.github.com
// "Managing private keys for GitHub Apps", "Verifying private keys".
func fingerprint(public *rsa.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "unknown" // it is an RSA key, which always has a form
	}
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.StdEncoding.EncodeToString(sum[:])
}

// Sign implements Signer.
func (k *Key) Sign(_ context.Context, signingInput []byte) ([]byte, error) {
	return jwt.SigningMethodRS256.Sign(string(signingInput), k.private)
}

// String returns the fingerprint, "SHA256:…", as the App's page on GitHub shows it.
func (k *Key) String() string { return k.fingerprint }

// Format implements fmt.Formatter with the fingerprint, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.fingerprint) }

// Marks are some lines of the key's PEM: see Credential.Marks.
func (k *Key) Marks() *leak.Marks { return k.marks }

// Equal reports whether both are the same key.
func (k *Key) Equal(other *Key) bool { return k.private.Equal(other.private) }

// marksOf are the marks of secrets and of the keys that Signers have.
func marksOf(signers []Signer, secrets ...string) *leak.Marks {
	marks := leak.Of(secrets...)
	for _, signer := range signers {
		if key, ok := signer.(interface{ Marks() *leak.Marks }); ok { // else the key is not here
			marks = marks.And(key.Marks())
		}
	}
	return marks
}
