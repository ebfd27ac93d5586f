package proxy

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"

	"golang.org/x/time/rate"
)

// usage is what one client uses of the proxy, and bounds it. It is safe for
// concurrent use.
type usage struct {
	name string                 // of the client
	by   atomic.Pointer[bounds] // in force

	requests  queue[*slot]  // under way
	paces     paces         // of grants
	logged    *rate.Limiter // bounds the log lines about requests above the pace
	questions *auth.Budget  // that GitHub is asked for its sake

	paced, looked tally // requests and look-ups, for other replicas

	mu     sync.Mutex
	slots  map[*slot]struct{} // of open connections
	queued int                // connections that wait for one of these
	freed  chan struct{}      // tells one of those that there may be one
}

// bounds are what a usage may come to. What is zero does not bound it.
type bounds struct {
	policy.Limits
	pace   *rate.Limiter // of requests, nil for any
	asking *rate.Limiter // of look-ups, nil for any
}

// newUsage returns a usage of nothing yet, without bounds.
func newUsage(name string) *usage {
	u := &usage{name: name, logged: rate.NewLimiter(rate.Every(time.Minute/maxStrangers), maxStrangers), slots: make(map[*slot]struct{}), freed: make(chan struct{}, 1), questions: auth.NewBudget(auth.MaxCalls)}
	u.by.Store(&bounds{})
	return u
}

// bound puts limits in force. What has been used counts on. It is called by one
// goroutine at a time.
func (u *usage) bound(limits policy.Limits) {
	before := u.bounds()
	u.by.Store(&bounds{
		Limits: limits,
		pace:   perMinute(before.pace, limits.RequestsPerMinute, burstOf(limits.RequestsPerMinute)),
		asking: perMinute(before.asking, limits.LookupsPerMinute, limits.LookupsPerMinute),
	})
}

// bounds are those in force.
func (u *usage) bounds() *bounds { return u.by.Load() }

// open counts a connection until its release. If there are too many, the one that
// has been idle for longest is closed for it; if none is idle, it waits as long as
// patience says, and is refused then.
func (u *usage) open(ctx context.Context, told *identity, patience time.Duration) (*slot, *answer.Refusal) {
	if s := u.tryOpen(told); s != nil {
		return s, nil
	}
	refused := u.tooMuch(fmt.Sprintf("%d connections", u.bounds().MaxConnections), "max_connections", time.Second)
	if !u.queue(1) {
		return nil, refused
	}
	defer u.queue(-1)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(idleEnough / 4) // one may have become idle
	defer look.Stop()
	for {
		select {
		case <-u.freed:
		case <-look.C:
		case <-ctx.Done():
			return nil, refused
		}
		if s := u.tryOpen(told); s != nil {
			return s, nil
		}
	}
}

// queue counts connections that wait, and reports whether one more may.
func (u *usage) queue(n int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n > 0 && u.queued >= maxQueued {
		return false
	}
	u.queued += n
	return true
}

// tryOpen is open without waiting: nil if there are too many.
func (u *usage) tryOpen(told *identity) *slot {
	most := u.bounds().MaxConnections
	u.mu.Lock()
	defer u.mu.Unlock()
	if most > 0 && len(u.slots) >= most && !u.closeIdle() {
		return nil
	}
	s := &slot{usage: u, opened: time.Now()}
	s.told.Store(told)
	u.slots[s] = struct{}{}
	return s
}

// idleEnough is for how long nothing was asked of a connection that may be closed
// to make room: a client that is about to use it would have to connect again.
const idleEnough = time.Second

// closeIdle closes the connection that has been idle for longest, and reports
// whether there is one.
func (u *usage) closeIdle() bool {
	var idlest *slot
	since := time.Now().Add(-idleEnough).UnixNano()
	for s := range u.slots {
		if at := s.idleSince.Load(); at != 0 && at <= since {
			idlest, since = s, at
		}
	}
	if idlest == nil || idlest.conn == nil {
		return false
	}
	closeNow(idlest.conn)
	delete(u.slots, idlest)
	return true
}

// end closes the connections that which reports true of, and returns how many.
func (u *usage) end(which func(*slot) bool) (ended int) {
	u.mu.Lock()
	open := slices.Collect(maps.Keys(u.slots))
	u.mu.Unlock()
	for _, s := range open {
		if which(s) { // it may take a moment
			s.end()
			ended++
		}
	}
	return ended
}

// anyNew reports whether a connection was opened since a time, and nothing asked of
// it.
func (u *usage) anyNew(since time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for s := range u.slots {
		if s.opened.After(since) && !s.asked.Load() {
			return true
		}
	}
	return false
}

// slot is a connection that counts for a client.
type slot struct {
	usage  *usage
	opened time.Time
	told   atomic.Pointer[identity] // how the client was told

	elsewhere atomic.Pointer[http.Transport] // to hosts that are not served, see ownPools

	to        atomic.Pointer[heading] // where it leads, nil if that is nowhere in particular
	asked     atomic.Bool             // for something: it is not new
	upgraded  atomic.Bool             // it outlives its server
	idleSince atomic.Int64            // in Unix nanoseconds, 0 while a request is under way

	conn  net.Conn // nil before attach
	ended bool     // the client is no longer who it was
}

// heading is where a connection leads.
type heading struct {
	host   github.Host        // that is intercepted; else
	to     policy.Destination // where a tunnel leads, or a request
	tunnel bool
	addr   netip.Addr // that is connected to, the zero value if the next proxy does that, or nobody yet
}

// attach says which connection it is. One that has ended is closed.
func (s *slot) attach(conn net.Conn) {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	if s.conn = conn; s.ended {
		closeNow(conn)
	}
}

// end closes the connection, now or when it is attached.
func (s *slot) end() {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	if s.ended = true; s.conn != nil {
		closeNow(s.conn)
	}
}

// note is told what net/http says of the connection.
func (s *slot) note(state http.ConnState) {
	switch state {
	case http.StateIdle:
		s.idleSince.Store(time.Now().UnixNano())
	case http.StateActive:
		s.idleSince.Store(0)
	}
}

// release ends what open began. It may be called more than once.
func (s *slot) release() {
	s.dropPool()
	s.usage.mu.Lock()
	delete(s.usage.slots, s)
	s.usage.mu.Unlock()
	select {
	case s.usage.freed <- struct{}{}:
	default:
	}
}

// releaseUnused releases a slot without a connection.
func (s *slot) releaseUnused() {
	s.usage.mu.Lock()
	unused := s.conn == nil
	s.usage.mu.Unlock()
	if unused {
		s.release()
	}
}

// begin counts a request of a connection, until done is called if it is not
// refused. If there are too many, it waits for its turn as long as patience says.
func (u *usage) begin(ctx context.Context, conn *slot, patience time.Duration) *answer.Refusal {
	by := u.bounds()
	conn.asked.Store(true)
	if refused := u.keepPace(by); refused != nil {
		return refused
	}
	if !u.requests.begin(ctx, conn, by.MaxRequests, patience) {
		return u.tooMuch(fmt.Sprintf("%d requests at once", by.MaxRequests), "max_requests", time.Second)
	}
	return nil
}

// keepPace counts a request against those of a minute. So are CONNECTs counted that
// are refused, or lead to a tunnel: each has its record.
func (u *usage) keepPace(by *bounds) *answer.Refusal {
	if by.pace == nil {
		return nil
	}
	now := time.Now()
	r := by.pace.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		refused := u.tooMuch(fmt.Sprintf("%d requests a minute", by.RequestsPerMinute), "requests_per_minute", wait)
		refused.Quiet = !u.logged.Allow() // or they would fill the logs all the same
		return refused
	}
	u.paced.taken.Add(1)
	return nil
}

// done ends what begin began.
func (u *usage) done() { u.requests.end(u.bounds().MaxRequests) }

// maxLookUpWait is the longest time that a look-up waits for its turn.
const maxLookUpWait = 10 * time.Second

// ask is what auth.LimitLookUps calls: it waits until GitHub may be asked. Its
// error says that it may not.
func (u *usage) ask(ctx context.Context) error {
	by := u.bounds()
	if by.asking == nil {
		return nil
	}
	turn := by.asking.Reserve()
	wait := turn.Delay()
	if wait > maxLookUpWait {
		turn.Cancel()
		return u.tooMuch(fmt.Sprintf("%d look-ups a minute", by.LookupsPerMinute), "lookups_per_minute", wait)
	}
	u.looked.taken.Add(1)
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.Cancel()
		return ctx.Err()
	}
}

// limitQuestions returns ctx with what bounds the questions to GitHub that the
// client causes.
func (u *usage) limitQuestions(ctx context.Context) context.Context {
	ctx = auth.WithBudget(ctx, u.questions)
	if u.name == "" {
		return ctx
	}
	return auth.LimitLookUps(ctx, u.name, u.ask)
}

// What a client's limits refuse.
var (
	largeBody = answer.Define(answer.Kind{
		Status: http.StatusRequestEntityTooLarge, Code: answer.RequestDenied,
		Title: "client %s may send bodies of %d bytes at most",
	})
	limited = answer.Define(answer.Kind{
		Status: http.StatusTooManyRequests, Code: answer.LimitReached,
		Title: "client %s is limited to %s",
	})
)

// tooLarge refuses a body by its stated length.
func (u *usage) tooLarge(r *http.Request) *answer.Refusal {
	if most := u.bounds().MaxBody; most == 0 || r.ContentLength <= most {
		return nil
	}
	return u.bodyTooLarge()
}

func (u *usage) bodyTooLarge() *answer.Refusal {
	key := "client." + u.name + ".max_body"
	f := largeBody.Refuse(u.name, u.bounds().MaxBody).WithRemedy("send less, or raise " + key)
	f.DecidedBy = key
	return f
}

func (u *usage) tooMuch(what, key string, wait time.Duration) *answer.Refusal {
	key = "client." + u.name + "." + key
	f := limited.Refuse(u.name, what).WithRemedy("wait, or raise " + key)
	f.DecidedBy, f.RetryAt = key, time.Now().Add(wait)
	return f
}

// ownPool returns the slot's own transport, made after the pattern.
func (s *slot) ownPool(pattern *http.Transport) *http.Transport {
	if own := s.elsewhere.Load(); own != nil {
		return own
	}
	own := pattern.Clone()
	if !s.elsewhere.CompareAndSwap(nil, own) {
		return s.elsewhere.Load()
	}
	return own
}

// dropPool closes what the slot's own transport keeps. What is under way closes
// when it has ended.
func (s *slot) dropPool() {
	if own := s.elsewhere.Swap(nil); own != nil {
		own.CloseIdleConnections()
	}
}

// identity is by what the client of a connection was told, and by which policy.
// It is not changed once it is in use.
type identity struct {
	policy   any // a *state: it is compared only
	evidence evidence
	proof
}
