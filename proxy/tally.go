package proxy

import (
	"sync/atomic"
	"time"
)

// shareFor is for how long somebody is followed who has used nothing here.
const shareFor = time.Minute

// tally is what a client has used of one of its limits: here, and of all replicas.
type tally struct {
	taken atomic.Int64 // here, and not told yet

	// By ShareLimits alone.
	all   int64     // what all came to when they were asked last
	told  time.Time // when that was, zero for never
	until time.Time // it is followed
}

// follow reports whether somebody uses it.
func (t *tally) follow(now time.Time) bool {
	if t.taken.Load() > 0 {
		t.until = now.Add(shareFor)
	}
	return now.Before(t.until)
}
