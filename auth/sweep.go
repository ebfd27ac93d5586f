package auth

import (
	"context"
	"slices"
	"sync"
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

	mu      sync.Mutex
	lasting []expirer // while something is in these, the sweeper is at work
	others  []expirer
}

// keep adds caches: those that last, and others.
func (s *sweeper) keep(lasting, others []expirer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lasting, s.others = append(s.lasting, lasting...), append(s.others, others...)
}

// leave takes caches out.
func (s *sweeper) leave(caches []expirer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := func(e expirer) bool { return slices.Contains(caches, e) }
	s.lasting, s.others = slices.DeleteFunc(slices.Clone(s.lasting), gone), slices.DeleteFunc(slices.Clone(s.others), gone)
}

// all are the caches. What is returned is not changed later.
func (s *sweeper) all() (lasting, others []expirer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lasting), slices.Clone(s.others)
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
	lasting, others := s.all()
	for _, c := range others {
		c.dropExpired()
	}
	for _, c := range lasting {
		left += c.dropExpired()
	}
	return left
}
