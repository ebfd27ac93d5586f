package proxy

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/policy"

	"golang.org/x/time/rate"
)

// usage is what one client uses of the proxy, and bounds it. It is safe for
// concurrent use.
type usage struct {
	name   string // of the client
	limits policy.Limits
	scope  *auth.Scope   // of its tokens, nil for no limits
	pace   *rate.Limiter // of requests, nil for any
	asking *rate.Limiter // of look-ups, nil for any

	requests atomic.Int64 // under way

	mu    sync.Mutex
	slots map[*slot]struct{} // of open connections
	ended bool               // the client is no longer known as it was
}

// newUsage returns a usage of nothing yet. Limits that are zero do not bound it.
func newUsage(name string, limits policy.Limits, scope *auth.Scope) *usage {
	u := &usage{name: name, limits: limits, scope: scope, slots: make(map[*slot]struct{})}
	if n := limits.RequestsPerMinute; n > 0 {
		u.pace = perMinute(n)
	}
	if n := limits.LookupsPerMinute; n > 0 {
		u.asking = perMinute(n)
	}
	return u
}

// perMinute allows n in a minute, and ten seconds' worth at once.
func perMinute(n int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(float64(n)/60), max(1, n/6))
}

// open counts a connection until its release. It is refused if there are too
// many.
func (u *usage) open() (*slot, *refusal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.ended:
		return nil, &refusal{
			status: http.StatusServiceUnavailable, code: "http_request_denied",
			title: "the configuration was changed at this moment", remedy: "connect again", retryAt: time.Now(),
		}
	case u.limits.MaxConnections > 0 && len(u.slots) >= u.limits.MaxConnections:
		return nil, u.tooMuch(fmt.Sprintf("%d connections", u.limits.MaxConnections), "max_connections", time.Second)
	}
	s := &slot{usage: u, opened: time.Now()}
	u.slots[s] = struct{}{}
	return s, nil
}

// end closes all connections, and refuses others.
func (u *usage) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended = true
	for s := range u.slots {
		if s.conn != nil {
			s.conn.Close() // whoever uses it reports that
		}
	}
}

// slot is a connection that counts for a client.
type slot struct {
	usage  *usage
	opened time.Time
	conn   net.Conn // nil before attach
}

// attach says which connection it is. One of a client that has ended is closed.
func (s *slot) attach(conn net.Conn) {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	if s.conn = conn; s.usage.ended {
		conn.Close()
	}
}

// release ends what open began. It may be called more than once.
func (s *slot) release() {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	delete(s.usage.slots, s)
}

// releaseUnused releases a slot without a connection.
func (s *slot) releaseUnused() {
	s.usage.mu.Lock()
	defer s.usage.mu.Unlock()
	if s.conn == nil {
		delete(s.usage.slots, s)
	}
}

// begin counts a request, until done is called if it is not refused.
func (u *usage) begin() *refusal {
	if n := u.requests.Add(1); u.limits.MaxRequests > 0 && n > int64(u.limits.MaxRequests) {
		u.requests.Add(-1)
		return u.tooMuch(fmt.Sprintf("%d requests at once", u.limits.MaxRequests), "max_requests", time.Second)
	}
	if u.pace == nil {
		return nil
	}
	now := time.Now()
	r := u.pace.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		u.requests.Add(-1)
		return u.tooMuch(fmt.Sprintf("%d requests a minute", u.limits.RequestsPerMinute), "requests_per_minute", wait)
	}
	return nil
}

// done ends what begin began.
func (u *usage) done() { u.requests.Add(-1) }

// ask is what auth.LimitLookUps calls: its error says that GitHub may not be asked.
func (u *usage) ask() error {
	if u.asking == nil || u.asking.Allow() {
		return nil
	}
	wait := time.Minute / time.Duration(u.limits.LookupsPerMinute)
	return u.tooMuch(fmt.Sprintf("%d look-ups a minute", u.limits.LookupsPerMinute), "lookups_per_minute", wait)
}

// tooLarge refuses a body by its stated length.
func (u *usage) tooLarge(r *http.Request) *refusal {
	if u.limits.MaxBody == 0 || r.ContentLength <= u.limits.MaxBody {
		return nil
	}
	return u.bodyTooLarge()
}

func (u *usage) bodyTooLarge() *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: "http_request_denied",
		title:  fmt.Sprintf("client %s may send bodies of %d bytes at most", u.name, u.limits.MaxBody),
		remedy: "send less, or raise client." + u.name + ".max_body", decidedBy: "client." + u.name + ".max_body",
	}
}

func (u *usage) tooMuch(what, key string, wait time.Duration) *refusal {
	return &refusal{
		status: http.StatusTooManyRequests, code: "connection_limit_reached", // RFC 9209, section 2.3.12
		title:  fmt.Sprintf("client %s is limited to %s", u.name, what),
		remedy: fmt.Sprintf("wait, or raise client.%s.%s", u.name, key), decidedBy: "client." + u.name + "." + key, retryAt: time.Now().Add(wait),
	}
}
