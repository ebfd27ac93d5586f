package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"sync"
	"time"
)

// maxUsed bounds the tokens that are remembered because they were used.
const maxUsed = 100_000

// used are tokens that were used, until they end.
type used struct {
	mu sync.Mutex
	by map[[sha256.Size]byte]time.Time // hash of issuer and jti → the end
}

// Shared is where replicas file what was used: a shared.Store is one.
type Shared interface {
	// Claim returns what is filed under a key; or done, to file it, for the first who asks; or
	// neither, where nobody can tell.
	Claim(ctx context.Context, key string, besides uint64) (value []byte, done func(value []byte, ttl time.Duration))
}

// usedValue is what is filed of a token that was used: a generation, and nothing more.
var usedValue = []byte{0, 0, 0, 0, 0, 0, 0, 1}

func newUsed() *used { return &used{by: make(map[[sha256.Size]byte]time.Time)} }

var errUsed = fault(Spent, "the token was used before")

// use notes that a token is used, here and in what is shared, and refuses one that was.
// Where nobody can tell whether another replica has taken it, it is good.
func (u *used) use(ctx context.Context, t *token, now time.Time, all Shared) error {
	if t.id == "" {
		return fault(Forged, "the token has no jti, by which it could be known that it was not used")
	}
	hash := sha256.Sum256([]byte(t.issuer.URL + "\x00" + t.issuer.TrustDomain + "\x00" + t.id))
	if err := u.useHere(hash, t.expires, now); err != nil || all == nil {
		return err
	}
	value, done := all.Claim(ctx, "used token|"+hex.EncodeToString(hash[:]), 0)
	switch {
	case value != nil:
		return errUsed
	case done != nil:
		done(usedValue, t.expires.Sub(now))
	}
	return nil
}

// useHere is use for this process. Where there is no room for one more it is refused: or
// who has many tokens could use one again.
func (u *used) useHere(hash [sha256.Size]byte, until, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if end, ok := u.by[hash]; ok && now.Before(end) {
		return errUsed
	}
	if len(u.by) >= maxUsed {
		maps.DeleteFunc(u.by, func(_ [sha256.Size]byte, end time.Time) bool { return !now.Before(end) })
	}
	if len(u.by) >= maxUsed {
		return fault(Unusable, "too many tokens are remembered that were used")
	}
	u.by[hash] = until
	return nil
}
