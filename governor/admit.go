package governor

import (
	"context"
	"time"
)

// Admit waits until a request may leave. The error is a *Refusal, or ctx's.
func (b *Bucket) Admit(ctx context.Context, r Request) (Ticket, error) {
	if b == nil {
		return Ticket{}, nil
	}
	b.mu.Lock()
	now := b.now()
	if !b.follow() {
		b.mu.Unlock()
		return Ticket{}, nil
	}
	s, refused := b.shareOf(&r)
	if refused != nil {
		b.mu.Unlock()
		return Ticket{}, refused
	}
	if b.queue == nil && b.lacks(r.Class, now) == 0 {
		t := b.take(r.Class, now, s)
		b.mu.Unlock()
		return t, nil
	}
	w, refused := b.enqueue(&r, s, now)
	b.mu.Unlock()
	if refused != nil {
		return Ticket{}, refused
	}
	return b.wait(ctx, w)
}

// shareOf finds what the client has used of its share, nil where it has none, and refuses what would be more.
func (b *Bucket) shareOf(r *Request) (*share, *Refusal) {
	if r.Share <= 0 || r.Share >= 100 {
		return nil, nil
	}
	s := b.shares[r.Client]
	if s == nil {
		if b.shares == nil {
			b.shares = make(map[string]*share)
		}
		s = new(share)
		b.shares[r.Client] = s
	}
	left, known := b.left(r.Class)
	if !known {
		return s, nil
	}
	quota := costOf[r.Class].quota
	if reset := left.Reset.Unix(); s.reset[quota] != reset {
		if s.reset[quota] != 0 {
			s.used[quota] = 0
		}
		s.reset[quota] = reset
	}
	most := max(1, left.Limit*r.Share/100)
	if s.used[quota] < most {
		return s, nil
	}
	left.Limit, left.Remaining = most, 0
	return nil, b.refuse(Share, left.Reset, left, 0)
}

// enqueue puts a request behind those who wait, and sees whether it may leave.
func (b *Bucket) enqueue(r *Request, s *share, now time.Duration) (*waiter, *Refusal) {
	if b.queue == nil {
		b.hold()
	}
	q := b.queue
	if c := q.clients[r.Client]; q.waiting >= maxWaiting || c != nil && c.waiting >= maxWaitingEach {
		left, _ := b.left(r.Class)
		return nil, b.refuse(Full, time.Now().Add(b.minute/slots), left, 0)
	}
	w := &waiter{class: r.Class, since: now, until: now + b.by.wait(r.Class), share: s, ready: make(chan struct{})}
	q.add(w, r.Client, r.Weight)
	if b.dispatch(now); !w.served && w.refused == nil {
		b.g.waited[b.reason(w, now).first()].Add(1)
	}
	return w, nil
}

// reason is what a waiter lacks, or whoever is next.
func (b *Bucket) reason(w *waiter, now time.Duration) set {
	if lacks := b.lacks(w.class, now); lacks != 0 {
		return lacks
	}
	if c, ok := b.queue.next([classes]bool{}); ok {
		return b.lacks(c, now)
	}
	return 0
}

// wait waits until it is a request's turn.
func (b *Bucket) wait(ctx context.Context, w *waiter) (Ticket, error) {
	patience := time.NewTimer(w.until - w.since)
	defer patience.Stop()
	select {
	case <-w.ready:
	case <-ctx.Done():
	case <-patience.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.g.waiting.Add(int64(now - w.since))
	switch {
	case w.served:
		return Ticket{of: b, class: w.class, share: w.share, Waited: now - w.since}, nil // whoever has left gives it back
	case w.refused != nil:
		return Ticket{}, w.refused
	}
	b.queue.remove(w)
	defer b.dispatch(now)
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	lacks := b.reason(w, now)
	return Ticket{}, b.refusal(w, lacks, b.when(w.class, lacks, b.queue.ahead, now), now)
}

// dispatch lets those leave whose turn it is. Whoever is next and lacks something lets nobody pass who would take of the
// same; for those who wait for nothing but the pause between them, what they will take is kept.
func (b *Bucket) dispatch(now time.Duration) {
	b.follow()
	var stuck [classes]bool
	var kept [Full]int
	var claimed set
	var wake time.Duration
	for {
		c, ok := b.queue.next(stuck)
		if !ok {
			break
		}
		w := b.queue.first(c)
		lacks := b.lacks(c, now)
		if lacks == 0 && (costOf[c].needs|costOf[c].quota.bit())&claimed == 0 && b.leaves(c, &kept, now) {
			b.serve(w, now)
			continue
		}
		at := b.when(c, lacks, nobody, now)
		if at > w.until {
			b.turnAway(w, lacks, at, now)
			continue
		}
		if lacks == WritePause.bit() {
			b.keepFor(c, &kept)
		}
		stuck[c] = true
		claimed |= lacks
		if at > 0 && (wake == 0 || at < wake) {
			wake = at
		}
	}
	b.wakeAt(wake, now)
}

// keepFor keeps what those of a class take who leave one by one before as many may leave at once again. Where others
// took it in the meantime, the pauses would be of no use.
func (b *Bucket) keepFor(c Class, kept *[Full]int) {
	inAMinute := int(b.minute / b.limits.WritePause)
	n := max(0, min(b.queue.lanes[c].waiting, inAMinute-writeBurst))
	for _, t := range costOf[c].of {
		kept[t.limit] += n * t.n
	}
}

// leaves reports whether a class leaves what is kept.
func (b *Bucket) leaves(c Class, kept *[Full]int, now time.Duration) bool {
	for _, t := range costOf[c].of {
		if kept[t.limit] > 0 && !b.window(t.limit).has(t.n+kept[t.limit], now) {
			return false
		}
	}
	return true
}

// serve lets the next leave.
func (b *Bucket) serve(w *waiter, now time.Duration) {
	b.queue.remove(w)
	b.queue.charge(w.of, costOf[w.class].points)
	b.take(w.class, now, w.share)
	w.served = true
	close(w.ready)
}

// turnAway refuses the next, whose patience would end before.
func (b *Bucket) turnAway(w *waiter, lacks set, at, now time.Duration) {
	w.refused = b.refusal(w, lacks, at, now)
	b.queue.remove(w)
	close(w.ready)
}

// wakeAt sees to it that somebody looks again at a time, 0 for none.
func (b *Bucket) wakeAt(at, now time.Duration) {
	if b.queue.waiting == 0 {
		b.release()
	}
	switch {
	case b.queue == nil || at == 0:
		if b.timer != nil {
			b.timer.Stop()
		}
	case b.timer == nil:
		b.timer = time.AfterFunc(at-now, b.wake)
	default:
		b.timer.Reset(at - now)
	}
}

// hold begins to let requests wait, and release ends it. b is locked.
func (b *Bucket) hold() {
	b.queue = newQueue()
	b.g.mu.Lock()
	defer b.g.mu.Unlock()
	b.g.held[b] = struct{}{}
}

func (b *Bucket) release() {
	b.queue = nil
	b.g.mu.Lock()
	defer b.g.mu.Unlock()
	delete(b.g.held, b)
}

// wake looks again whose turn it is.
func (b *Bucket) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queue != nil {
		b.dispatch(b.now())
	}
}
