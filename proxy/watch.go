package proxy

import (
	"net/http"
	"sync"
	"time"
)

// stalls are for how long a client may keep the others waiting.
type stalls struct {
	send time.Duration // without a byte of a body
	take time.Duration // without taking a byte of an answer
}

// maxStalls are those of a Proxy. People pause downloads, and programs do while
// they work on what they have got; what they send they do not pause.
var maxStalls = stalls{send: 2 * time.Minute, take: 10 * time.Minute}

// watch ends what waits for a client for too long. Only the time within an
// operation counts: net/http's deadlines for HTTP/2 pass whether anybody waits
// or not. It is safe for concurrent use, also by those who outlive the request's
// handler: its ResponseController is not touched any more then, because net/http
// has given what it leads to to another request.
type watch struct {
	control http.ResponseController
	expire  func(*http.ResponseController, time.Time) error // one of its methods; nil where the operations end by themselves
	limit   time.Duration

	mu      sync.Mutex
	timer   *time.Timer // nil before the first operation
	waiting int         // operations under way
	since   time.Time   // when the last of them began
	over    bool        // the handler has returned
}

// deadline is one of a connection that is set anew for each operation, but told the system only now and
// then, which costs more than most operations: it may pass somewhat later.
type deadline struct{ passes time.Time }

// renew gives an operation at least so much time.
func (d *deadline) renew(limit time.Duration, set func(time.Time) error) error {
	now := time.Now()
	if d.passes.Sub(now) >= limit {
		return nil
	}
	d.passes = now.Add(limit + limit/8)
	return set(d.passes)
}

// lift gives what follows all the time there is.
func (d *deadline) lift(set func(time.Time) error) error {
	if d.passes.IsZero() {
		return nil
	}
	d.passes = time.Time{}
	return set(d.passes)
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// begin reports whether an operation may begin, which then ends with end.
func (w *watch) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	w.waiting++
	if w.expire == nil {
		return true
	}
	w.since = time.Now()
	if w.timer == nil {
		w.timer = time.AfterFunc(w.limit, w.fire)
	} else {
		w.timer.Reset(w.limit)
	}
	return true
}

// end ends what begin began.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting--
}

// fire is what the timer calls.
func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || w.waiting == 0 || time.Since(w.since) < w.limit {
		return // it fired for an operation that had ended
	}
	_ = w.expire(&w.control, longAgo) // best effort: a connection that has no deadlines is closed
}

// close ends the watch: the handler returns.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
