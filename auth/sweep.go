package auth

import "time"

// sweepEvery is how long what can no longer be used may stay in memory.
const sweepEvery = time.Minute

// keep files a token that is good for a time, and sees to it that it is
// dropped then.
func (s *Source) keep(key string, m *minted, use time.Duration) {
	s.tokens.set(key, m, use)
	s.startSweep()
}

// startSweep sees to it that somebody drops what expires.
func (s *Source) startSweep() {
	if s.sweeping.CompareAndSwap(false, true) {
		s.spawn(s.sweep)
	}
}

// sweep drops what has expired, until nothing is left or the Source is closed.
func (s *Source) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.lifetime.Done():
			return
		case <-tick.C:
		}
		if s.dropExpired() > 0 {
			continue
		}
		s.sweeping.Store(false)
		// Something may have been kept before that, by somebody who saw us at work.
		if s.dropExpired() == 0 || !s.sweeping.CompareAndSwap(false, true) {
			return
		}
	}
}

// dropExpired drops it from all caches, and returns how many tokens and
// installations are left.
func (s *Source) dropExpired() int {
	for _, c := range []interface{ dropExpired() int }{s.refusals, s.replaced, s.facts, s.listings, s.confined, s.covering, s.absent} {
		c.dropExpired()
	}
	left := s.tokens.dropExpired()
	for _, apps := range s.apps {
		for _, app := range apps {
			left += app.known.dropExpired()
			app.vanished.dropExpired()
			app.doubted.dropExpired()
		}
	}
	return left
}
