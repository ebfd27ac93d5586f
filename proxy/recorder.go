package proxy

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/h1"
	"ghapp-proxy/panics"
)

// recorder is the ResponseWriter of every request. It counts what is answered,
// and cuts off a client that does not take it.
type recorder struct {
	http.ResponseWriter
	stall watch
	log   *slog.Logger
	body  *requestBody // of the request, nil for none

	interim  interimGuard // nil lets all answers before the final one pass
	passesOn bool         // the answer is a host's
	arrived  bool         // and its body has begun to come
	names    []h1.Name    // of its fields, as they came; nil if that is not known
	h2       bool
	head     heldHead
	flusher  flusher // of a host's answer
	status   int
	bytes    int64
	last     *atomic.Bool // whether each answer is the last of its connection, nil for not
}

// interimGuard reports whether an answer before the final one may pass, by its fields.
type interimGuard interface{ mayPass(fields http.Header) bool }

// recorderOf returns the recorder that attend gave to a handler.
func recorderOf(w http.ResponseWriter) *recorder { return w.(*recorder) }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if status == http.StatusContinue {
		return // net/http sends it when the body is read, for which GitHub's was waited
	}
	if status < 200 && status != http.StatusSwitchingProtocols && w.interim != nil && !w.interim.mayPass(w.Header()) {
		return
	}
	if status >= 200 && w.last != nil && w.last.Load() {
		w.Header().Set("Connection", "close") // also in HTTP/2
	}
	switch {
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.sendInterim(status)
	case w.head.awaits:
		w.head.awaits = false
		w.hold(status)
	default:
		w.sendHead(status)
	}
}

// sendInterim sends the head of an answer before the final one.
func (w *recorder) sendInterim(status int) {
	if h := w.Header(); w.h2 && h["Content-Length"] == nil {
		// The fields are changed when WriteHeader has returned, and net/http (1.26)
		// may still write them then if the client has left (golang/go issue 67940),
		// which ends the process. It writes a copy where it has to leave one out.
		h["Content-Length"] = nil
		defer delete(h, "Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
}

// sendHead sends the head of the final answer.
func (w *recorder) sendHead(status int) {
	w.status = status
	h := w.Header()
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // or net/http would guess one
	}
	if w.body != nil && !w.keepsConnection() {
		h["Connection"] = []string{"close"} // where the next request begins cannot be told
	}
	w.ResponseWriter.WriteHeader(status)
}

// keepsConnection reports whether another request can follow the body of this
// one. An answer of ours waits a moment for that.
func (w *recorder) keepsConnection() bool {
	if w.passesOn {
		return w.body.h2 || w.body.hasEnded()
	}
	return w.body.settle()
}

// Write implements io.Writer.
func (w *recorder) Write(p []byte) (int, error) {
	w.release()
	if !w.stall.begin() {
		return 0, http.ErrHandlerTimeout
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	w.stall.end()
	return n, err
}

// FlushError implements what http.ResponseController calls Flush.
func (w *recorder) FlushError() error {
	if w.isHeld() {
		return nil
	}
	return w.flush()
}

func (w *recorder) flush() error {
	if !w.stall.begin() {
		return http.ErrHandlerTimeout
	}
	defer w.stall.end()
	return w.stall.control.Flush()
}

// Unwrap lets http.ResponseController find Hijack.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish has all of the answer on its way: the client's patience counts for what
// net/http has kept of it, too.
func (w *recorder) finish() {
	switch {
	case w.bytes == 0, w.stall.expire == nil:
	case w.h2:
		// A deadline would outlive a stream that has ended, and hold its connection
		// in memory until then.
		_ = w.FlushError() // best effort: the client is gone
	default:
		_ = w.stall.control.SetWriteDeadline(time.Now().Add(w.stall.limit)) // net/http takes it back
	}
}

// close ends the recorder: the handler returns. It reports whether the rest of
// the request's body is in the way of another request.
func (w *recorder) close() (unread bool) {
	if unread = w.body != nil && w.body.leave(); unread && w.status == 0 {
		w.Header().Set("Connection", "close") // net/http answers
	}
	w.stall.close()
	return unread
}

// headPatience is for how long the head of an answer waits for its body.
const headPatience = 500 * time.Millisecond

// heldHead is the head of a host's answer that waits for the first octet of a body
// whose length is known: if the host breaks off before that, the client can still
// be told so. Without it a client has a head and nothing, which many take for a fault
// of its own network.
type heldHead struct {
	awaits bool // the head that comes next is to wait

	mu     sync.Mutex
	status int // of the head that waits, 0 for none
	since  time.Time
	timer  *time.Timer // nil before somebody has asked for the head
}

// hold makes a head wait.
func (w *recorder) hold(status int) {
	w.head.mu.Lock()
	defer w.head.mu.Unlock()
	w.head.status, w.head.since = status, time.Now()
}

// release sends the head that waits, if there is one.
func (w *recorder) release() {
	w.head.mu.Lock()
	defer w.head.mu.Unlock()
	if status := w.head.take(); status != 0 {
		w.sendHead(status)
	}
}

// withdraw drops the head that waits, and reports whether there was one. What it
// says of the client's connection stays.
func (w *recorder) withdraw() bool {
	w.head.mu.Lock()
	defer w.head.mu.Unlock()
	if w.head.take() == 0 {
		return false
	}
	h := w.Header()
	connection := h["Connection"]
	clear(h)
	if connection != nil {
		h["Connection"] = connection
	}
	w.passesOn = false
	return true
}

// take ends the wait. The head must be locked.
func (h *heldHead) take() (status int) {
	if h.timer != nil {
		h.timer.Stop()
	}
	status, h.status = h.status, 0
	return status
}

// isHeld reports whether a head waits. Where somebody has asked for it, it will not
// wait for long any more.
func (w *recorder) isHeld() bool {
	w.head.mu.Lock()
	defer w.head.mu.Unlock()
	if w.head.status == 0 {
		return false
	}
	if w.head.timer == nil {
		w.head.timer = time.AfterFunc(headPatience-time.Since(w.head.since), w.sendHeld)
	}
	return true
}

// sendHeld is what the timer calls: the head has waited for long enough. Whoever
// has something to write waits until it is sent, since nobody else may use the
// ResponseWriter meanwhile.
func (w *recorder) sendHeld() {
	defer panics.Log(w.log, "the head of an answer could not be sent")
	w.head.mu.Lock()
	defer w.head.mu.Unlock()
	if status := w.head.take(); status != 0 {
		w.sendHead(status)
		_ = w.flush() // a client that is gone is noticed by the server
	}
}

// flusher writes to a client, and has what was written on its way in time.
type flusher struct {
	w     *recorder
	after time.Duration // 0 for at once

	mu      sync.Mutex // nobody writes while it is flushed
	timer   *time.Timer
	waiting bool // for the timer
}

// begin has the head on its way in time.
func (f *flusher) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.after == 0 {
		_ = f.w.FlushError() // the first write fails, too
		return
	}
	f.timer, f.waiting = time.AfterFunc(f.after, f.flush), true
}

// keptBack is how much of the end of a body net/http's HTTP/2 is given by itself, in bytes: less than the
// 4 KiB that it keeps until the handler returns. A client may leave as soon as it has the length that was
// announced, as curl does, and net/http may see that before it has told the handler that all of it is sent.
const keptBack = 1 << 10

// write writes a part of a body; the last is flushed by whoever ends the answer.
func (f *flusher) write(p []byte, last bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if most := len(p) - keptBack; last && f.w.h2 && most > 0 {
		if _, err := f.w.Write(p[:most]); err != nil {
			return err
		}
		p = p[most:]
	}
	if _, err := f.w.Write(p); err != nil {
		return err
	}
	switch {
	case f.after == 0:
		return ignoreUnsupported(f.w.FlushError())
	case last || f.waiting:
	case f.timer == nil:
		f.timer, f.waiting = time.AfterFunc(f.after, f.flush), true
	default:
		f.timer.Reset(f.after)
		f.waiting = true
	}
	return nil
}

// flush is what the timer calls.
func (f *flusher) flush() {
	defer panics.Log(f.w.log, "a part of an answer could not be sent")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting {
		f.waiting = false
		_ = f.w.FlushError() // the next write fails, too
	}
}

// stop ends the flusher: nothing is flushed when it has returned.
func (f *flusher) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = false
	if f.timer != nil {
		f.timer.Stop()
	}
}

// ignoreUnsupported is err where it is not that there is nothing to flush.
func ignoreUnsupported(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// flushInterval is how long a part of an answer whose length is known is held at
// most; others are flushed at once. Flushing each write costs 9 % on small answers.
const flushInterval = 50 * time.Millisecond
