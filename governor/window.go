package governor

import "time"

// slots is in how many parts a window's span is counted. A part more is kept: what is used counts for a span at least.
const slots = 120

// window is how much is used of a limit within any span of time.
//
// A request counts from when it leaves, and for a span from when it was answered. Whenever in between GitHub
// counts it, no span of GitHub's clock has more than the limit. The zero value is without a limit.
type window struct {
	limit int           // 0 for none
	slot  time.Duration // of one count

	under  int   // used by what is under way
	sum    int   // of counts
	newest int64 // the slot's number
	counts []int32
	fleet  part
}

// bound puts a limit in force, of whose span a turn is some part. What is used counts on, as long as the span is the same.
func (w *window) bound(limit int, span, turn time.Duration) {
	if slot := span / slots; slot != w.slot {
		w.slot, w.sum, w.counts = slot, 0, nil
	}
	w.limit, w.fleet.length = limit, turn
}

// advance forgets what was used a span ago.
func (w *window) advance(now time.Duration) {
	if w.counts == nil {
		return
	}
	current := int64(now / w.slot)
	for n := 0; w.newest < current && n < len(w.counts); n++ {
		w.newest++
		oldest := &w.counts[w.newest%int64(len(w.counts))]
		w.sum -= int(*oldest)
		*oldest = 0
	}
	w.newest = max(w.newest, current)
}

// has reports whether n more may be used.
func (w *window) has(n int, now time.Duration) bool {
	if w.limit == 0 || n == 0 {
		return true
	}
	w.advance(now)
	if w.used()+n > w.limit && (n <= w.limit || w.used() > 0) {
		return false
	}
	return w.fleet.has(n, w.limit-w.used(), now)
}

func (w *window) used() int { return w.under + w.sum }

// take counts n that are under way from now on.
func (w *window) take(n int) {
	w.under += n
	w.fleet.take(n)
}

// end counts n, which were under way.
func (w *window) end(n int, now time.Duration) {
	w.under -= n
	w.count(n, now)
}

// count counts n that were used.
func (w *window) count(n int, now time.Duration) {
	if w.limit == 0 || n == 0 {
		return
	}
	if w.counts == nil {
		w.counts, w.newest = make([]int32, slots+1), int64(now/w.slot)
	}
	w.advance(now)
	w.counts[w.newest%int64(len(w.counts))] += int32(n)
	w.sum += n
}

// freeAt is when n more may be used if all that is under way is answered now, and nothing else leaves.
func (w *window) freeAt(n int, now time.Duration) time.Duration {
	if w.limit == 0 {
		return now
	}
	w.advance(now)
	span := w.slot * (slots + 1)
	over := n + w.used() - w.limit
	if over <= 0 {
		return w.fleet.next(now)
	}
	if w.counts != nil {
		for back := int64(slots); back >= 0; back-- {
			at := w.newest - back
			if at < 0 {
				continue
			}
			if over -= int(w.counts[at%int64(len(w.counts))]); over <= 0 {
				return time.Duration(at+slots+1) * w.slot
			}
		}
	}
	return now + span + span*time.Duration((over-1)/w.limit) // after what is under way
}
