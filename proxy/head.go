package proxy

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/panics"
)

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

// answerBody is the body of a host's answer.
type answerBody struct {
	io.ReadCloser
	asked *http.Request
	err   error // that it ended with, nil for its end
}

// Read implements io.Reader.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

var brokeOff = answer.Define(answer.Kind{
	Status: http.StatusBadGateway, Code: answer.ResponseIncomplete,
	Title: "%v",
	About: "… broke off before the first octet of its answer's body: …",
})

// brokenAnswer is why an answer broke off before the first octet of its body.
type brokenAnswer struct{ error }

// Unwrap returns the cause.
func (e *brokenAnswer) Unwrap() error { return e.error }

// refusal is the answer to the client.
func (e *brokenAnswer) refusal(host string) *answer.Refusal {
	return causedBy(brokeOff, fmt.Errorf("%s broke off before the first octet of its answer's body: %w", host, e.error))
}

// receive watches the body of an answer that is passed on.
func (x *exchange) receive(resp *http.Response) {
	x.out.passesOn = true
	if !hasBody(resp.StatusCode) {
		resp.Body.Close()
		resp.Body = http.NoBody // over HTTP/2 net/http (1.26) expects one of that length
	}
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.Body == http.NoBody {
		return
	}
	x.received = answerBody{ReadCloser: resp.Body, asked: resp.Request}
	resp.Body = &x.received
	x.out.head.awaits = resp.ContentLength > 0 && resp.Request.Method != http.MethodHead
}

// hasBody reports whether an answer of that status may have a body, whatever it
// says of its length: RFC 9112, section 6.3.
func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// replaceLost is deferred behind what passes an answer on. It answers in place of
// a host that broke off before the first octet.
func (x *exchange) replaceLost() {
	aborted := recover()
	switch {
	case aborted == nil: // a body that was promised has come
	case x.out.withdraw() && aborted == http.ErrAbortHandler && x.received.err != nil:
		answerError(x.out, x.received.asked, &brokenAnswer{x.received.err})
	default:
		panic(aborted)
	}
}
