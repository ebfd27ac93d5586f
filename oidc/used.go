package oidc

import (
	"crypto/sha256"
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

func newUsed() *used { return &used{by: make(map[[sha256.Size]byte]time.Time)} }

// use notes that a token is used, and refuses one that was. Where there is no room for
// one more it is refused: or who has many tokens could use one again.
func (u *used) use(t *token, now time.Time) error {
	if t.id == "" {
		return fault(Forged, "the token has no jti, by which it could be known that it was not used")
	}
	hash := sha256.Sum256([]byte(t.issuer.URL + "\x00" + t.issuer.TrustDomain + "\x00" + t.id))
	u.mu.Lock()
	defer u.mu.Unlock()
	if end, ok := u.by[hash]; ok && now.Before(end) {
		return fault(Spent, "the token was used before")
	}
	if len(u.by) >= maxUsed {
		maps.DeleteFunc(u.by, func(_ [sha256.Size]byte, end time.Time) bool { return !now.Before(end) })
	}
	if len(u.by) >= maxUsed {
		return fault(Unusable, "too many tokens are remembered that were used")
	}
	u.by[hash] = t.expires
	return nil
}
