package cache

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxShare is the largest answer that is kept: one so many parts of the size …
	maxShare = 16
	// maxAnswer … and no more than that many bytes.
	maxAnswer = 4 << 20
	// maxViews is how many answers are kept for a question to which GitHub gives several: what
	// a token is good for decides what some list.
	maxViews = 4
	// maxViewers is how many askers are known for each of these.
	maxViewers = 64
)

// Cache keeps answers. A nil Cache keeps none. It is safe for concurrent use.
type Cache struct {
	counts  counts
	flights flights
	filing  chan struct{} // holds one for each answer that is made ready for others
	size    atomic.Int64

	mu     sync.Mutex
	used   int64 // by what is kept, being received, being sent, and by spare
	spare  spare
	views  map[uint64][]*Answer // hash of a Question → the answers to it, the one that was used last first
	recent recent
	doubts doubts
}

// New returns a Cache of a size in bytes.
func New(size int64) *Cache {
	c := &Cache{views: make(map[uint64][]*Answer), filing: make(chan struct{}, maxFiling)}
	c.size.Store(size)
	c.flights = flights{cache: c, under: make(map[uint64]*flight)}
	return c
}

// Resize changes the size. 0 drops everything, and nothing is kept any more.
func (c *Cache) Resize(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size.Store(size)
	c.shrink(size)
	c.dropSpare()
}

// On reports whether answers are kept.
func (c *Cache) On() bool { return c != nil && c.size.Load() > 0 }

// shrink drops what was used least recently until no more than that is used. The Cache
// must be locked.
func (c *Cache) shrink(to int64) {
	for c.used > to {
		oldest := c.recent.last
		if oldest == nil {
			c.dropSpare()
			return // what is left is under way
		}
		if c.remove(oldest); oldest.uses == 0 {
			c.recycle(oldest)
		}
		c.counts.evicted.Add(1)
	}
}

// reserve takes memory, and reports whether there is as much.
func (c *Cache) reserve(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.makeRoom(n)
}

// makeRoom is reserve. The Cache must be locked.
func (c *Cache) makeRoom(n int64) bool {
	size := c.size.Load()
	if n > size {
		return false
	}
	if c.shrink(size - n); c.used+n > size {
		return false
	}
	c.used += n
	return true
}

// replace gives an answer that is in use and locked other texts, its Question as before, if there is memory for as much more.
func (c *Cache) replace(a *Answer, texts packed, more int64) {
	if more > 0 && !c.reserve(more) {
		return
	}
	if more < 0 {
		c.giveBack(-more)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a.cost += more
	a.asks, a.header = texts[:len(a.asks)], texts[len(a.asks):]
}

// giveBack gives memory back.
func (c *Cache) giveBack(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used -= n
}

// bound is the largest answer that is kept, in bytes.
func (c *Cache) bound() int64 { return min(c.size.Load()/maxShare, maxAnswer) }

// Find returns what is kept for a question: what the viewer was last given, else what was used
// last; nil if there is nothing. A viewer is whoever is likely to be given the same. Where the
// client names ETags, it is what one of these stands for, if there is such. The Answer must be
// released.
func (c *Cache) Find(q *Question, request http.Header, viewer uint64, named []Condition) *Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *Answer
	for _, a := range c.viewsOf(q) {
		if !a.selects.matches(request) {
			continue
		}
		if a.standsFor(named) {
			a.uses++
			return a
		}
		if found == nil || a.rank(viewer) > found.rank(viewer) {
			found = a
		}
	}
	if found != nil {
		found.uses++
	}
	return found
}

// viewsOf are the answers to a question. The Cache must be locked.
func (c *Cache) viewsOf(q *Question) []*Answer {
	views := c.views[q.sum]
	if len(views) > 0 {
		if asked := views[0].asks.question(); !asked.same(q) {
			return nil
		}
	}
	return views
}

// rank is how likely the answer is what GitHub would give to a viewer.
func (a *Answer) rank(viewer uint64) int {
	switch {
	case a.outdone:
		return 0
	case a.isOf(viewer):
		return 2
	default:
		return 1
	}
}

// keep puts an answer in, in place of what its viewer was given before. Its cost must have been
// reserved.
func (c *Cache) keep(a *Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size.Load() == 0 {
		c.used -= a.cost
		return
	}
	views := c.views[a.sum]
	if len(views) > 0 {
		c.outdo(views, a)
		views = c.views[a.sum]
	}
	c.views[a.sum] = append(append(a.one.view[:0], a), views...)
	a.kept = true
	c.recent.add(a)
	c.counts.kept.Add(1)
}

// outdo takes out of some answers those in whose place another one is put. The Cache must be locked.
func (c *Cache) outdo(views []*Answer, by *Answer) {
	if views[0].asks != by.asks { // another Question has the same hash
		for _, a := range views {
			c.remove(a)
		}
		return
	}
	for _, a := range views {
		a.outdone = a.outdone || a.isOf(by.viewers[0])
		if a.leaves(by.viewers[0]) {
			c.remove(a)
			return
		}
	}
	if len(views) == maxViews {
		c.remove(views[maxViews-1])
	}
}

// admit reserves memory for an answer to be kept, and reports whether it is one: not where it is kept already, or ETags are in doubt, or
// there is not as much memory.
func (c *Cache) admit(q *Question, received Tag, request http.Header, viewer uint64, cost int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.doubts.quiet() && !c.confirm(q, received, request, viewer) && c.makeRoom(cost)
}

// confirm reports whether an answer is one that is kept: its ETag is. The Cache must be locked.
func (c *Cache) confirm(q *Question, received Tag, request http.Header, viewer uint64) bool {
	for _, a := range c.viewsOf(q) {
		if a.selects.matches(request) && slices.Contains(a.given, received) {
			c.use(a, viewer)
			return true
		}
	}
	return false
}

// touch notes that an answer was good for a viewer.
func (c *Cache) touch(a *Answer, viewer uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.kept {
		c.use(a, viewer)
	}
}

// use is touch for an answer that is kept. The Cache must be locked.
func (c *Cache) use(a *Answer, viewer uint64) {
	c.recent.remove(a)
	c.recent.add(a)
	a.outdone = false
	views := c.views[a.sum]
	for i, other := range views {
		if other == a {
			copy(views[1:i+1], views[:i])
			views[0] = a
		} else if other.isOf(viewer) {
			other.forget(viewer)
		}
	}
	a.note(viewer)
}

// remove takes an answer out. The Cache must be locked.
func (c *Cache) remove(a *Answer) {
	if !a.kept {
		return
	}
	a.kept = false
	c.recent.remove(a)
	if views := c.views[a.sum]; len(views) == 1 {
		delete(c.views, a.sum)
	} else {
		i := slices.Index(views, a)
		c.views[a.sum] = append(views[:i:i], views[i+1:]...)
	}
	if a.uses == 0 {
		c.used -= a.cost
	}
}

// drop takes out an answer that is of no use.
func (c *Cache) drop(a *Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(a)
}

// release ends one use of an answer.
func (c *Cache) release(a *Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.uses--; a.uses == 0 && !a.kept {
		c.used -= a.cost
	}
}

const (
	// maxDoubts is after how many answers in a row whose ETag is not what it should be none are
	// kept for a while,
	maxDoubts = 8
	// firstPause, which doubles each time
	firstPause = time.Minute
	// up to maxPause.
	maxPause = time.Hour
)

// doubts are whether GitHub's ETags are still made as they were.
type doubts struct {
	inRow int
	pause time.Duration
	until time.Time // nothing is kept before
}

// isQuiet reports whether nothing is kept at the moment.
func (c *Cache) isQuiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubts.quiet()
}

func (d *doubts) quiet() bool { return !d.until.IsZero() && time.Now().Before(d.until) }

// learn notes whether an ETag was the one that was computed.
func (c *Cache) learn(verified bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := &c.doubts
	if verified {
		*d = doubts{}
		return
	}
	c.counts.doubted.Add(1)
	if d.inRow++; d.inRow < maxDoubts || d.quiet() {
		return
	}
	d.pause = min(max(2*d.pause, firstPause), maxPause)
	d.until, d.inRow = time.Now().Add(d.pause), maxDoubts-1 // one is tried then
	c.shrink(0)
}
