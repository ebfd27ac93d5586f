package governor

import "time"

// Replicas of the proxy use the same buckets. Each tells the others what it has used, and takes no more in a turn than its part of what
// is left then: what others take in the same turn it does not know yet. Requests at once are divided among them.

// turns is how many turns a minute has. Replicas tell each other what they have used twice in each.
const turns = 60

// Use is what a replica has used of a bucket. Of primary limits GitHub tells all replicas.
type Use struct {
	Of     [Full]int     // by Limit, of those with a span of time
	Paused time.Duration // for how long from now GitHub wants nothing; 0 where it has not said so anew
}

// SetReplicas says how many replicas use the same buckets, this one among them.
func (g *Governor) SetReplicas(n int) {
	if g != nil {
		g.replicas.Store(int32(n))
	}
}

// followFleet divides the limits by the number of replicas. b is locked.
func (b *Bucket) followFleet() {
	n := max(int(b.g.replicas.Load()), 1)
	if n == b.replicas {
		return
	}
	b.replicas = n
	for i := range b.windows {
		b.windows[i].fleet.replicas = n
	}
}

// Untold is what was used here since it was called last. It reports whether that is anything.
func (b *Bucket) Untold() (u Use, some bool) {
	if b == nil {
		return u, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.windows {
		n := b.windows[i].fleet.tell()
		u.Of[Mints+Limit(i)] = n
		some = some || n > 0
	}
	if b.untold {
		u.Paused, b.untold = max(b.paused-b.now(), 0), false
	}
	return u, some || u.Paused > 0
}

// Told counts what another replica has used, as of now.
func (b *Bucket) Told(u Use) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.follow() {
		return
	}
	now := b.now()
	for i := range b.windows {
		if w, n := &b.windows[i], u.Of[Mints+Limit(i)]; n > 0 {
			w.count(min(n, w.limit), now)
		}
	}
	b.paused = max(b.paused, now+min(u.Paused, maxPause))
}

// part is what a replica takes of a window in a turn.
type part struct {
	replicas int           // up to 1 for one that is alone
	length   time.Duration // of a turn
	turn     int64         // the number of the last
	most     int           // in it
	taken    int           // of that
	untold   int           // taken, and not told to others
}

// has reports whether n more may be taken, where so many are left to all. One request may always leave.
func (p *part) has(n, left int, now time.Duration) bool {
	if p.replicas <= 1 {
		return true
	}
	if turn := int64(now / p.length); turn != p.turn {
		p.turn, p.taken, p.most = turn, 0, left/p.replicas
	}
	return p.taken == 0 || p.taken+n <= p.most
}

func (p *part) take(n int) {
	p.taken += n
	p.untold += n
}

func (p *part) tell() (n int) {
	n, p.untold = p.untold, 0
	return n
}

// next is when the next turn begins, now for one that is alone.
func (p *part) next(now time.Duration) time.Duration {
	if p.replicas <= 1 {
		return now
	}
	return (now/p.length + 1) * p.length
}
