package governor

import "time"

// Stats are what a Governor has done since the start.
type Stats struct {
	Waited  map[string]uint64 // limit → requests that waited for it
	Refused map[string]uint64 // limit → requests that it turned away
	Waiting time.Duration     // that they waited, all together
}

// Stats says what the Governor has done.
func (g *Governor) Stats() Stats {
	s := Stats{Waited: make(map[string]uint64), Refused: make(map[string]uint64), Waiting: time.Duration(g.waiting.Load())}
	for l := range Limit(limits) {
		if n := g.waited[l].Load(); n > 0 {
			s.Waited[l.String()] = n
		}
		if n := g.refused[l].Load(); n > 0 {
			s.Refused[l.String()] = n
		}
	}
	return s
}

// BucketStats are what there is to say of a bucket.
type BucketStats struct {
	Under   int       // requests under way
	Waiting int       // for their turn
	Why     string    // the limit that the next waits for, "" for none
	Paused  time.Time // until when GitHub wants nothing, zero for no such time
	Used    []Used    // of limits with a span
}

// Used is how much is used of a limit within its span.
type Used struct {
	Limit      string
	Used, Most int
}

// Stats says how the bucket is.
func (b *Bucket) Stats() (s BucketStats) {
	if b == nil {
		return s
	}
	s.Paused = b.PausedUntil()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.follow() {
		return s
	}
	now := b.now()
	s.Under = b.under
	for i := range b.windows {
		w, l := &b.windows[i], Mints+Limit(i)
		if w.limit == 0 {
			continue
		}
		if w.advance(now); w.used() > 0 {
			s.Used = append(s.Used, Used{l.String(), w.used(), w.limit})
		}
	}
	if b.queue == nil {
		return s
	}
	s.Waiting = b.queue.waiting
	if c, ok := b.queue.next([classes]bool{}); ok {
		s.Why = b.reason(b.queue.first(c), now).first().String()
	}
	return s
}
