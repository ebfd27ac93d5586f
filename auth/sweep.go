package auth

import (
	"context"
	"sync/atomic"
	"time"
)

// sweepEvery is how long what can no longer be used may stay in memory.
const sweepEvery = time.Minute

// expirer drops what has expired, and returns how much is left.
type expirer interface{ dropExpired() int }

// sweeper drops what expires from caches.
type sweeper struct {
	*flights
	sweeping atomic.Bool // a goroutine does so
	lasting  []expirer   // while something is in these, the sweeper is at work
	others   []expirer
}

// start sees to it that somebody drops what expires.
func (s *sweeper) start() {
	if s.sweeping.CompareAndSwap(false, true) {
		s.spawn(s.sweep)
	}
}

// sweep drops what has expired, until nothing is left or all is closed.
func (s *sweeper) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.dropExpired() > 0 {
			continue
		}
		s.sweeping.Store(false)
		// Something may have been filed before that, by somebody who saw us at work.
		if s.dropExpired() == 0 || !s.sweeping.CompareAndSwap(false, true) {
			return
		}
	}
}

// dropExpired drops it from all caches, and returns how much of what lasts is left.
func (s *sweeper) dropExpired() (left int) {
	for _, c := range s.others {
		c.dropExpired()
	}
	for _, c := range s.lasting {
		left += c.dropExpired()
	}
	return left
}
