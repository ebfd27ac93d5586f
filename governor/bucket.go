package governor

import (
	"net/http"
	"sync"
	"time"
)

// Bucket is what GitHub counts together: the requests of an installation, or those with an App's JWT. A nil Bucket has no
// limits. It is safe for concurrent use.
type Bucket struct {
	g      *Governor
	server bool
	known  Known

	mu       sync.Mutex
	by       *Settings     // whose limits are in force
	minute   time.Duration // of these
	limits   *Limits
	replicas int // that use the same
	under    int // requests under way
	quotas   [primaries]int
	windows  [spans]window // see window
	nextIn   time.Duration // when a request may change something that comes after many others
	paused   time.Duration // nothing leaves before
	blind    blindPause
	untold   bool // that it does not
	shares   map[string]*share
	queue    *queue // nil where nobody waits
	timer    *time.Timer
}

// share is what a client has used of its share of a primary limit.
type share struct {
	used  [primaries]int
	reset [primaries]int64 // of the limit, in Unix seconds
}

// Bucket returns a new bucket; server says that it is one of Enterprise Server.
func (g *Governor) Bucket(server bool, known Known) *Bucket {
	if g == nil {
		return nil
	}
	return &Bucket{g: g, server: server, known: known}
}

// Ticket is for a request that may leave. Done must be called once. The zero value is for one that nobody counts.
type Ticket struct {
	of     *Bucket
	class  Class
	share  *share
	Waited time.Duration
}

// spans is how many limits have a span of time: those from Mints to GraphQLPoints.
const spans = GraphQLPoints - Mints + 1

// window is that of a limit with a span of time.
func (b *Bucket) window(l Limit) *window { return &b.windows[l-Mints] }

// now is the time since the Governor's start.
func (b *Bucket) now() time.Duration { return time.Since(b.g.start) }

// follow puts the settings in force, and reports whether they are on. b is locked.
func (b *Bucket) follow() bool {
	by := b.g.settings.Load()
	b.followFleet()
	if by == b.by {
		return by.On
	}
	b.by, b.limits, b.minute = by, &by.Limits, by.minute()
	if b.server {
		b.limits = &by.Server
	}
	l := b.limits
	turn := b.minute / turns
	b.window(Mints).bound(l.MintsAnHour, 60*b.minute, turn)
	b.window(CreationsAnHour).bound(l.CreationsAnHour, 60*b.minute, turn)
	b.window(CreationsAMinute).bound(l.CreationsAMinute, b.minute, turn)
	b.window(Points).bound(l.Points, b.minute, turn)
	b.window(GraphQLPoints).bound(l.GraphQLPoints, b.minute, turn)
	return by.On
}

// take counts a request that leaves.
func (b *Bucket) take(c Class, now time.Duration, s *share) Ticket {
	cost := &costOf[c]
	b.under++
	b.quotas[cost.quota]++
	for _, t := range cost.of {
		b.window(t.limit).take(t.n)
	}
	if cost.needs&WritePause.bit() != 0 && b.limits.WritePause > 0 {
		b.nextIn = max(b.nextIn, now) + b.limits.WritePause
	}
	if s != nil {
		s.used[cost.quota]++
	}
	return Ticket{of: b, class: c, share: s}
}

// Done says how a request was answered. It may be called when the head of the answer is there: what GitHub counts is
// what it works on.
func (t Ticket) Done(a Answer) {
	b := t.of
	if b == nil {
		return
	}
	cost := &costOf[t.class]
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.under--
	b.quotas[cost.quota]--
	for _, t := range cost.of {
		b.window(t.limit).end(t.n, now)
	}
	if free := a.Status == 0 || a.Status == http.StatusNotModified; free && t.share != nil {
		t.share.used[cost.quota]--
	}
	if until := b.pausedBy(&a, now); until > 0 {
		b.paused, b.untold = max(b.paused, until), true
	}
	if b.queue != nil {
		b.dispatch(now)
	}
}

// PausedUntil is until when GitHub wants nothing of the bucket, the zero time where it said nothing of the kind.
func (b *Bucket) PausedUntil() time.Time {
	if b == nil {
		return time.Time{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.now(); b.paused > now {
		return time.Now().Add(b.paused - now)
	}
	return time.Time{}
}

// lacks are the limits of which nothing is left for a class.
func (b *Bucket) lacks(c Class, now time.Duration) (lacks set) {
	if !b.by.On {
		return 0
	}
	cost := &costOf[c]
	if b.paused > now {
		lacks |= RetryAfter.bit()
	}
	if most := b.limits.Concurrent; most > 0 && b.under >= max(most/b.replicas, 1) {
		lacks |= Concurrent.bit()
	}
	for _, t := range cost.of {
		if !b.window(t.limit).has(t.n, now) {
			lacks |= t.limit.bit()
		}
	}
	if cost.needs&WritePause.bit() != 0 && b.writesAt() > now {
		lacks |= WritePause.bit()
	}
	if left, known := b.left(c); known && left.Remaining <= b.quotas[cost.quota] {
		lacks |= cost.quota.bit()
	}
	return lacks
}

// writesAt is when the next request may change something.
func (b *Bucket) writesAt() time.Duration { return b.nextIn - (writeBurst-1)*b.limits.WritePause }

// left is what GitHub has said that is left for a class.
func (b *Bucket) left(c Class) (Left, bool) {
	if b.known == nil {
		return Left{}, false
	}
	return b.known.Left(c)
}

// when is when what a class lacks is there, if nothing else leaves; 0 where only an answer can tell. ahead is how much of a limit
// others will have had by then.
func (b *Bucket) when(c Class, lacks set, ahead func(Limit) int, now time.Duration) (at time.Duration) {
	if lacks&RetryAfter.bit() != 0 {
		at = b.paused
	}
	for _, t := range costOf[c].of {
		if lacks&t.limit.bit() != 0 {
			at = max(at, b.window(t.limit).freeAt(t.n+ahead(t.limit), now))
		}
	}
	if lacks&WritePause.bit() != 0 {
		at = max(at, b.writesAt()+time.Duration(ahead(WritePause))*b.limits.WritePause)
	}
	if lacks&quotas != 0 {
		if left, known := b.left(c); known && left.Remaining <= 0 {
			at = max(at, now+time.Until(left.Reset))
		}
	}
	return at
}

// nobody is ahead.
func nobody(Limit) int { return 0 }
