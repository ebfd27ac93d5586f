package proxy

import "time"

// shares are who took how much of a request's time: what is left is the proxy's own.
type shares struct {
	queued  time.Duration // it waited for its turn
	github  time.Duration // GitHub was waited for: for credentials, and for the head of its answer
	client  time.Duration // the client was waited for: for what had to be read before
	settled time.Time     // when that head had been dealt with; from then on bodies pass
}

// since adds the time since then to a share. It is called as
//
//	defer since(&x.github, time.Now())
func since(share *time.Duration, then time.Time) { *share += time.Since(then) }

// own is the proxy's own share of a request that began then and takes so long: what
// of it came before the body of an answer, and was nobody else's.
func (s *shares) own(began time.Time, takes time.Duration) time.Duration {
	if !s.settled.IsZero() {
		takes = s.settled.Sub(began)
	}
	return max(0, takes-s.queued-s.github-s.client)
}
