package proxy

import (
	"sync"
	"time"

	"ghapp-proxy/grant"

	"golang.org/x/time/rate"
)

// maxPaces is how many links of a client's grants are paced at once.
const maxPaces = 10_000

// paces bound the requests a minute of grants' links. All grants that have a link share
// its pace: or who holds one would make many of it. The zero value is usable.
type paces struct {
	mu sync.Mutex
	of map[grant.ID]*rate.Limiter // link → its pace
}

// reserve takes a turn of a link's, and returns how long that is to be waited for:
// then it is not taken. It is not ok if there is no room for one more link.
func (p *paces) reserve(id grant.ID, perMinuteAllowed int) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limiter, known := p.of[id]
	if !known {
		if len(p.of) >= maxPaces && !p.dropIdle() {
			return 0, false
		}
		if p.of == nil {
			p.of = make(map[grant.ID]*rate.Limiter)
		}
		limiter = perMinute(nil, perMinuteAllowed, burstOf(perMinuteAllowed))
		p.of[id] = limiter
	}
	now := time.Now()
	turn := limiter.ReserveN(now, 1)
	if wait = turn.DelayFrom(now); wait > 0 {
		turn.CancelAt(now)
	}
	return wait, true
}

// dropIdle drops the paces that are as new, and reports whether there are any.
func (p *paces) dropIdle() bool {
	now, before := time.Now(), len(p.of)
	for id, limiter := range p.of {
		if limiter.TokensAt(now) >= float64(limiter.Burst()) {
			delete(p.of, id)
		}
	}
	return len(p.of) < before
}

// burstOf is how many of the requests of a minute may come at once: ten seconds' worth.
func burstOf(perMinute int) int { return max(1, perMinute/6) }

// perMinute allows n in a minute, and a burst of them at once; nil if n is 0.
// It goes on with the limiter of before, if there was one.
func perMinute(before *rate.Limiter, n, burst int) *rate.Limiter {
	each := rate.Limit(float64(n) / 60)
	switch {
	case n == 0:
		return nil
	case before == nil:
		return rate.NewLimiter(each, burst)
	}
	before.SetLimit(each)
	before.SetBurst(burst)
	return before
}
