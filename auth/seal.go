package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
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
	mu     sync.Mutex
	by     []*sealer // of each Signer, nil where it could not sign
	failed time.Time // when one could not sign last
}

// Seal encrypts a text, and what it is about with it, so that a Source with the same
// private key of the App, of that name and host, can open it and nobody else. The
// key comes from the first of the App's Signers that can sign.
func (s *Source) Seal(ctx context.Context, host, app string, text []byte, about string) ([]byte, error) {
	for _, a := range s.candidates(host, app) {
		for _, key := range s.sealersOf(ctx, a) {
			if key == nil {
				continue
			}
			sealed := append([]byte{sealVersion}, key.id[:]...)
			nonce := make([]byte, key.aead.NonceSize())
			_, _ = rand.Read(nonce) // it never fails
			sealed = append(sealed, nonce...)
			return key.aead.Seal(sealed, nonce, text, a.sealedFor(about)), nil
		}
	}
	return nil, errors.New("none of the App's keys can sign")
}

// Open returns what was sealed by one of the keys of an App of the host, and that
// App's name. ok is false for everything else.
func (s *Source) Open(ctx context.Context, host string, sealed []byte, about string) (app string, text []byte, ok bool) {
	if len(sealed) < 1+sealIDSize || sealed[0] != sealVersion {
		return "", nil, false
	}
	for _, a := range s.apps[host] {
		text, ok := a.open(a.sealers.there(), sealed, about)
		if !ok && a.sealers.due() {
			text, ok = a.open(s.sealersOf(ctx, a), sealed, about)
		}
		if ok {
			return a.Name, text, true
		}
	}
	return "", nil, false
}

// open opens what was sealed by one of the keys.
func (a *appState) open(keys []*sealer, sealed []byte, about string) (text []byte, ok bool) {
	id, rest := [sealIDSize]byte(sealed[1:]), sealed[1+sealIDSize:]
	for _, key := range keys {
		if key == nil || key.id != id || len(rest) < key.aead.NonceSize() {
			continue
		}
		size := key.aead.NonceSize()
		if text, err := key.aead.Open(nil, rest[:size], rest[size:], a.sealedFor(about)); err == nil {
			return text, true
		}
	}
	return nil, false
}

// there are the keys that have been made.
func (k *sealers) there() []*sealer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.by
}

// due reports whether there are some to be made: all, or that of a Signer that
// failed some time ago.
func (k *sealers) due() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.by == nil || !k.failed.IsZero() && time.Since(k.failed) >= refusedFor
}

// sealedFor is the associated data: what was sealed for one App, or about one
// thing, opens for no other.
func (a *appState) sealedFor(about string) []byte { return fmt.Appendf(nil, "%s|%q", a.prefix, about) }

// sealersOf makes the keys once. Where a Signer fails it is asked again after ten
// seconds.
func (s *Source) sealersOf(ctx context.Context, a *appState) []*sealer {
	by := a.sealers.there()
	if !a.sealers.due() {
		return by
	}
	made, err := once(ctx, s, "sealers|"+a.prefix, func(ctx context.Context) ([]*sealer, error) {
		return a.makeSealers(ctx, by), nil
	})
	if err != nil {
		return by
	}
	return made
}

// makeSealers makes the keys that are not there yet.
func (a *appState) makeSealers(ctx context.Context, before []*sealer) []*sealer {
	made, failed := make([]*sealer, len(a.Signers)), time.Time{}
	copy(made, before)
	for i, signer := range a.Signers {
		if made[i] != nil {
			continue
		}
		signature, err := signer.Sign(ctx, []byte(sealLabel))
		if err == nil {
			made[i], err = newSealer(signature)
		}
		if err != nil { // told where a JWT is needed
			failed = time.Now()
		}
	}
	a.sealers.mu.Lock()
	defer a.sealers.mu.Unlock()
	a.sealers.by, a.sealers.failed = made, failed
	return made
}

// newSealer derives a key (RFC 5869) from what only who has the private key can
// make: RSASSA-PKCS1-v1_5 gives the same signature every time (RFC 8017, section 8.2),
// also where the private key itself is out of reach.
func newSealer(signature []byte) (*sealer, error) {
	secret, err := hkdf.Key(sha256.New, signature, nil, sealLabel, 32+sealIDSize)
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
