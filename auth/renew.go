package auth

import (
	"context"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// maxUse bounds how long a token is used whatever its expires_at: GitHub
	// may revoke it for reasons of its own, and the cache keeps nothing longer.
	maxUse = 24 * time.Hour
	// maxPace bounds the interval after which a renewal that failed is tried
	// again, before jitter.
	maxPace = 30 * time.Second
)

// minted is an installation token in the cache. Its times are GitHub's.
type minted struct {
	*header
	inst   *installation
	narrow *Narrowing

	expires time.Time
	until   time.Time     // it is handed out before this
	pace    time.Duration // between renewals that fail, before jitter
	renewal atomic.Int64  // the request after this, in Unix nanoseconds, starts a renewal
}

// newMinted returns a token that expires at a time, as of now.
func newMinted(h *header, inst *installation, narrow *Narrowing, expires, now time.Time) *minted {
	use := min(usable(expires.Sub(now)), maxUse)
	m := &minted{header: h, inst: inst, narrow: narrow, expires: expires, until: now.Add(use)}
	m.pace = min(maxPace, use/40)
	// At four fifths, and a little earlier: tokens of one moment part.
	m.renewal.Store(now.Add(use*4/5 - jitter(use/40)).UnixNano())
	return m
}

// usable is how long a token that expires after left is handed out: up to a
// minute before it expires, or for half its life where that is shorter. It is
// negative if the token expired long ago, or GitHub did not say when it will.
func usable(left time.Duration) time.Duration {
	if left < 2*time.Minute {
		return left / 2
	}
	return left - time.Minute
}

// due reports, once, that it is time for a renewal.
func (m *minted) due(now time.Time) bool {
	at := m.renewal.Load()
	return now.UnixNano() >= at && m.renewal.CompareAndSwap(at, math.MaxInt64)
}

// renew replaces a token that is still good, while it is used on. A failure
// changes nothing until the token's end; a request after some time tries again.
func (s *Source) renew(key string, m *minted) {
	s.spawn(func() {
		_, err := once(s.lifetime, s, key, func(ctx context.Context) (*minted, error) {
			return s.mintAndKeep(ctx, key, m.inst, m.narrow)
		})
		if err == nil || s.lifetime.Err() != nil {
			return
		}
		wait := m.pace + jitter(m.pace)
		m.renewal.Store(m.inst.app.clock.now().Add(wait).UnixNano())
		s.log.Warn("could not renew a token, which is used until its end",
			"app", m.inst.app.Name, "installation", int64(m.inst.id), "until", m.until, "again in", wait, "error", err)
	})
}

// jitter is a random duration below d, 0 if that is not positive.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
