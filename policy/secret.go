package policy

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
)

// SecretHash is the SHA-256 of a client's secret. A fast hash is right for
// secrets that NewSecret made: there are too many to try. The zero value is the
// hash of no secret.
type SecretHash [sha256.Size]byte

const hashPrefix = "sha256:"

// NewSecret makes a secret of at least 128 random bits. It consists of capital
// letters and digits, so that it fits into a URL, a header and a shell as it is.
func NewSecret() string { return rand.Text() }

// HashSecret returns the hash that the configuration keeps of a secret.
func HashSecret(secret string) SecretHash { return sha256.Sum256([]byte(secret)) }

// ParseSecretHash reads "sha256:" and 64 hexadecimal digits. Its error does not
// quote the text, which could be the secret itself.
func ParseSecretHash(s string) (SecretHash, error) {
	var h SecretHash
	digits, ok := strings.CutPrefix(s, hashPrefix)
	if n, err := hex.Decode(h[:], []byte(digits[:min(len(digits), 2*len(h))])); !ok || err != nil || n != len(h) || len(digits) != 2*len(h) {
		return SecretHash{}, errors.New("not sha256: and 64 hexadecimal digits")
	}
	if h == (SecretHash{}) {
		return h, errors.New("not the hash of a secret")
	}
	return h, nil
}

// String returns the form that ParseSecretHash reads.
func (h SecretHash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }

// matches reports whether h is the hash of the secret, in a time that does not
// depend on either.
func (h SecretHash) matches(secret string) bool {
	got := HashSecret(secret)
	return subtle.ConstantTimeCompare(got[:], h[:]) == 1 && h != (SecretHash{})
}
