// Package spool writes lines to a reader who may be slow, or gone, without
// waiting for him, and many lines at once where many come:
//
//	out := spool.NewWriter(os.Stderr)
//	log := slog.New(slog.NewTextHandler(out, nil))
//	…
//	out.Flush(time.Second) // before the process ends
//
// # Limitations
//
// What waits when the process is killed is lost: the lines of the last Delay, while
// somebody reads.
package spool

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// Delay is for how long lines are collected, at most, after the last were written.
	// The first after a pause does not wait.
	Delay = 5 * time.Millisecond
	// patience is how long a write may take before its reader is taken for stuck.
	patience = 100 * time.Millisecond
	// limit bounds what waits, in bytes.
	limit = 1 << 20
	// eager is how much does not wait for more.
	eager = 64 << 10
)

// Errors of a Writer.
var (
	// ErrFull is returned for what is lost, because too much waits already.
	ErrFull = errors.New("nobody reads what was written before")
	// ErrWaits is returned for what nobody has read yet.
	ErrWaits = errors.New("nobody reads it at once")
)

// Writer hands on what is written to it, whole lines, in their order, and several of
// them in one Write. Up to a MiB waits where nobody reads. It is made by NewWriter and
// safe for concurrent use.
type Writer struct {
	to io.Writer
	// Report, if it is not nil, is told what became of each Write to the other Writer:
	// how many lines it has lost, and why. It is set before the first Write.
	Report func(lost int, err error)

	hurry chan struct{} // somebody waits, or much does

	mu      sync.Mutex
	next    *batch // collects lines; nil if none wait
	writing *batch // nil between two of them
	busy    bool   // a goroutine writes, or collects
	last    time.Time
	began   time.Time // of what is being written
	torn    bool      // the last line is there in part
	spare   []byte
}

// batch is what is handed on in one Write.
type batch struct {
	text []byte
	done chan struct{} // closed when it was written

	// Of what was done:
	written int
	err     error
}

// NewWriter returns a Writer to another one. It has no goroutine while there is
// nothing to write.
func NewWriter(to io.Writer) *Writer {
	return &Writer{to: to, hurry: make(chan struct{}, 1)}
}

// Write implements io.Writer. It does not wait. What becomes of p, which is a line or
// several, Report is told, unless Write fails.
func (w *Writer) Write(p []byte) (int, error) {
	if _, _, err := w.enqueue(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteNow writes p with all that came before it. It waits for that, but for nobody who
// does not read: the error is ErrWaits then, and p waits.
func (w *Writer) WriteNow(p []byte) error {
	b, end, err := w.enqueue(p)
	if err != nil {
		return err
	}
	if w.IsStuck() {
		return ErrWaits
	}
	if !w.await(b, patience) {
		return ErrWaits
	}
	if b.err != nil && b.written < end {
		return b.err
	}
	return nil
}

// Flush waits until all is written that was given to Write before, for so long at
// most. It reports whether it is.
func (w *Writer) Flush(within time.Duration) bool {
	w.mu.Lock()
	b := w.next
	if b == nil {
		b = w.writing
	}
	w.mu.Unlock()
	return b == nil || w.await(b, within)
}

// await waits for a batch to be written, which it is at once.
func (w *Writer) await(b *batch, within time.Duration) bool {
	w.wake()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-b.done:
		return true
	case <-timer.C:
		return false
	}
}

func (w *Writer) wake() {
	select {
	case w.hurry <- struct{}{}:
	default:
	}
}

// IsStuck reports whether what is being written waits for somebody to read it.
func (w *Writer) IsStuck() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writing != nil && time.Since(w.began) >= patience
}

// enqueue adds p to a batch, in which it ends at end.
func (w *Writer) enqueue(p []byte) (b *batch, end int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	waits := 0
	for _, b := range [...]*batch{w.next, w.writing} {
		if b != nil {
			waits += len(b.text)
		}
	}
	if waits > 0 && waits+len(p) > limit {
		return nil, 0, ErrFull
	}
	if w.next == nil {
		w.next = &batch{text: w.spare[:0], done: make(chan struct{})}
		w.spare = nil
	}
	w.next.text = append(w.next.text, p...)
	if len(w.next.text) >= eager {
		w.wake()
	}
	if !w.busy {
		w.busy = true
		go w.drain()
	}
	return w.next, len(w.next.text), nil
}

// drain writes what waits, until nothing does.
func (w *Writer) drain() {
	for {
		w.collect()
		b, torn := w.take()
		if b == nil {
			return
		}
		if torn { // or the next line would be part of that one
			_, b.err = w.to.Write([]byte("\n"))
		}
		if b.err == nil {
			b.written, b.err = w.to.Write(b.text)
			torn = b.err != nil && b.written > 0 && b.text[b.written-1] != '\n'
		}
		w.finish(b, torn)
	}
}

// collect waits for more to be written, if anything is.
func (w *Writer) collect() {
	w.mu.Lock()
	wait := Delay - time.Since(w.last)
	if w.next == nil {
		wait = 0
	}
	w.mu.Unlock()
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.hurry:
	}
}

// take begins to write a batch, nil if nothing waits. torn reports that the line before
// it is there in part.
func (w *Writer) take() (b *batch, torn bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing, w.next = w.next, nil
	w.began, w.busy = time.Now(), w.writing != nil
	return w.writing, w.torn
}

func (w *Writer) finish(b *batch, torn bool) {
	lost := 0
	if b.err != nil {
		b.written = bytes.LastIndexByte(b.text[:b.written], '\n') + 1
		rest := b.text[b.written:]
		if lost = bytes.Count(rest, []byte("\n")); len(rest) > 0 && rest[len(rest)-1] != '\n' {
			lost++
		}
	}
	w.mu.Lock()
	w.writing, w.last, w.torn = nil, time.Now(), torn
	if cap(b.text) <= 2*eager {
		w.spare = b.text
	}
	w.mu.Unlock()
	if w.Report != nil {
		w.Report(lost, b.err)
	}
	close(b.done)
}
