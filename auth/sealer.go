package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// sealLabel is what a Signer signs for the keys of Seal. It is no JWT, nor could it
// become one: it has no dot.
const sealLabel = "ghapp-proxy: key for placeholders, 1"

const (
	sealVersion = 1
	sealIDSize  = 4 // tells keys apart
)

// sealer seals by a key that is derived from an App's private key.
type sealer struct {
	id   [sealIDSize]byte
	aead cipher.AEAD
}

// sealers are those of an App's Signers. It is safe for concurrent use.
type sealers struct {
	label   string // that is signed
	prefix  string // of what is sealed: the same after a restart
	flight  string // in which the keys are made
	signers []Signer

	mu     sync.Mutex
	by     []*sealer // of each Signer, nil where it could not sign
	failed time.Time // when one could not sign last
}

// seal seals by a key.
func (k *sealers) seal(key *sealer, text []byte, about string) []byte {
	sealed := append([]byte{sealVersion}, key.id[:]...)
	nonce := make([]byte, key.aead.NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	sealed = append(sealed, nonce...)
	return key.aead.Seal(sealed, nonce, text, k.sealedFor(about))
}

// open opens what was sealed by one of the keys.
func (k *sealers) open(keys []*sealer, sealed []byte, about string) (text []byte, ok bool) {
	id, rest := [sealIDSize]byte(sealed[1:]), sealed[1+sealIDSize:]
	for _, key := range keys {
		if key == nil || key.id != id || len(rest) < key.aead.NonceSize() {
			continue
		}
		size := key.aead.NonceSize()
		if text, err := key.aead.Open(nil, rest[:size], rest[size:], k.sealedFor(about)); err == nil {
			return text, true
		}
	}
	return nil, false
}

// derived are the keys that have been made.
func (k *sealers) derived() []*sealer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.by
}

// due reports whether there are some to be made: all, or that of a Signer that
// failed some time ago.
func (k *sealers) due() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.by == nil || !k.failed.IsZero() && time.Since(k.failed) >= keyRetry
}

// sealedFor is the associated data: what was sealed for one App, or about one
// thing, opens for no other.
func (k *sealers) sealedFor(about string) []byte { return fmt.Appendf(nil, "%s|%q", k.prefix, about) }

// derive makes the keys that are not there yet.
func (k *sealers) derive(ctx context.Context, before []*sealer) []*sealer {
	made, failed := make([]*sealer, len(k.signers)), time.Time{}
	copy(made, before)
	for i, signer := range k.signers {
		if made[i] != nil {
			continue
		}
		signature, err := signer.Sign(ctx, []byte(k.label))
		if err == nil {
			made[i], err = newSealer(signature, k.label)
		}
		if err != nil { // told where a JWT is needed
			failed = time.Now()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.by, k.failed = made, failed
	return made
}

// newSealer derives a key (RFC 5869) from what only who has the private key can
// make: RSASSA-PKCS1-v1_5 gives the same signature every time (RFC 8017, section 8.2),
// also where the private key itself is out of reach.
func newSealer(signature []byte, label string) (*sealer, error) {
	secret, err := hkdf.Key(sha256.New, signature, nil, label, 32+sealIDSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret[:32])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{[sealIDSize]byte(secret[32:]), aead}, nil
}
