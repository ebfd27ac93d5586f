package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// Shared is what replicas of the proxy share: octets that are sealed, each for an App and
// for what they are filed under. It is safe for concurrent use. One that cannot be reached
// behaves as if it was empty, and keeps nobody waiting.
//
// A value begins with its generation, eight octets.
type Shared interface {
	// Claim returns what is filed under a key, unless it is of the generation that it should
	// not be, 0 for any. If there is nothing, done is not nil for the one replica that shall make it: it is called
	// with what was made and how long that is good for, or with nil. The others wait meanwhile. Both are nil where
	// nobody can tell.
	Claim(ctx context.Context, key string, besides uint64) (value []byte, done func(value []byte, ttl time.Duration))
	// Get returns what is filed under a key, nil if that is nothing or nobody can tell.
	Get(ctx context.Context, key string) []byte
	// Put files a value, in place of any other, and Offer where there is none. Neither waits.
	Put(key string, value []byte, ttl time.Duration)
	Offer(key string, value []byte, ttl time.Duration)
	// Delete removes a value of a generation. It does not wait.
	Delete(key string, generation uint64)
	// Replace removes a value of a generation, which happens once in a time for all. It reports whether
	// the caller, or somebody else, may put another one in its place; ok is false where nobody can tell.
	Replace(ctx context.Context, key string, generation uint64, once time.Duration) (may, ok bool)
	// Tell tells all replicas something, and Hear has a function called with what is told. Who is not
	// connected does not hear it.
	Tell(topic string, says []byte)
	Hear(topic string, f func(says []byte))
	// Back has a function called each time that the store is there again after it was not.
	Back(f func())
	// Dropped counts a value that does not open.
	Dropped()
}

// alone shares nothing.
type alone struct{}

func (alone) Claim(context.Context, string, uint64) ([]byte, func([]byte, time.Duration)) {
	return nil, nil
}
func (alone) Get(context.Context, string) []byte  { return nil }
func (alone) Put(string, []byte, time.Duration)   {}
func (alone) Offer(string, []byte, time.Duration) {}
func (alone) Delete(string, uint64)               {}
func (alone) Tell(string, []byte)                 {}
func (alone) Hear(string, func([]byte))           {}
func (alone) Back(func())                         {}
func (alone) Dropped()                            {}
func (alone) Replace(context.Context, string, uint64, time.Duration) (may, ok bool) {
	return false, false
}

// secretSigner is a Signer for a vault that has a secret of its own, in place of an App's keys. GitHub
// knows nothing of it.
type secretSigner []byte

// Sign implements Signer.
func (s secretSigner) Sign(_ context.Context, input []byte) ([]byte, error) {
	mac := hmac.New(sha256.New, s)
	mac.Write(input)
	return mac.Sum(nil), nil
}

// String implements Signer.
func (s secretSigner) String() string { return redacted }

// signersOf are those of a vault's secrets.
func signersOf(secrets [][]byte) (signers []Signer) {
	for _, secret := range secrets {
		signers = append(signers, secretSigner(secret))
	}
	return signers
}
