package auth

import "time"

// sweepEvery is how long a token that can no longer be used may stay in memory.
const sweepEvery = time.Minute

// keep files a token that is good for a time, and sees to it that it is
// dropped then.
func (s *Source) keep(key string, m *minted, use time.Duration) {
	s.tokens.set(key, m, use)
	if s.sweeping.CompareAndSwap(false, true) {
		s.spawn(s.sweep)
	}
}

// sweep drops what has expired, until no token is left or the Source is closed.
func (s *Source) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.lifetime.Done():
			return
		case <-tick.C:
		}
		if s.tokens.dropExpired() > 0 {
			continue
		}
		s.sweeping.Store(false)
		// One may have been kept before that, by somebody who saw us at work.
		if s.tokens.dropExpired() == 0 || !s.sweeping.CompareAndSwap(false, true) {
			return
		}
	}
}
