package proxy

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/panics"
)

// pass passes an answer on. It panics with http.ErrAbortHandler where the body breaks
// off, so that nobody takes it for complete.
func (w *recorder) pass(resp *http.Response) {
	h := w.Header()
	for name, values := range resp.Header {
		if own := h[name]; own != nil {
			values = slices.Concat(own, values)
		}
		h[name] = values
	}
	announced := len(resp.Trailer)
	if announced > 0 {
		h.Add("Trailer", strings.Join(slices.Collect(maps.Keys(resp.Trailer)), ", "))
	}
	if relayed, ok := w.ResponseWriter.(*answerWriter); ok {
		relayed.as(w.names, resp.Status)
	}
	w.WriteHeader(resp.StatusCode)
	err := w.copy(resp)
	resp.Body.Close() // which fills in the trailers
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(resp.Trailer) > 0 {
		_ = w.FlushError() // or net/http would give a short body a length, and no trailers
	}
	for name, values := range resp.Trailer {
		if len(resp.Trailer) != announced {
			name = http.TrailerPrefix + name
		}
		h[name] = append(h[name], values...)
	}
}

// copy copies the body of an answer.
func (w *recorder) copy(resp *http.Response) error {
	if resp.Body == http.NoBody {
		return nil
	}
	buf := copyBuffers.Get()
	defer copyBuffers.Put(buf)
	to := flusher{w: w, after: flushInterval}
	if resp.ContentLength < 0 {
		to.after = 0
	}
	defer to.stop()
	if !w.arrived {
		to.begin()
	}
	for left := resp.ContentLength; ; {
		n, err := resp.Body.Read(buf)
		left -= int64(n)
		if n > 0 {
			if err := to.write(buf[:n], left == 0); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
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

// write writes a part of a body; the last is flushed by whoever ends the answer.
func (f *flusher) write(p []byte, last bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
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
