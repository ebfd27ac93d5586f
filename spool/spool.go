// Package spool writes lines to a reader who may be slow, or gone, without
// waiting for him:
//
//	log := slog.New(slog.NewTextHandler(spool.NewWriter(os.Stderr), nil))
//
// # Limitations
//
// What waits when the process ends is lost. While somebody reads, nothing waits.
package spool

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// patience is how long a Write waits to see what becomes of it, before it
	// takes the reader for stuck.
	patience = 100 * time.Millisecond
	// limit bounds what waits, in bytes.
	limit = 1 << 20
)

// ErrFull is returned for what is lost, because too much waits already.
var ErrFull = errors.New("nobody reads what was written before")

// Writer hands each Write on, in one Write and in their order. As long as that
// is soon done, it waits for it and returns its error. Else the reader is stuck:
// up to a MiB waits then, and nobody for it. It is made by NewWriter and safe for
// concurrent use.
type Writer struct {
	to io.Writer
	// Lost, if it is not nil, is told the error of what had to wait and could
	// not be written later. It is set before the first Write.
	Lost func(error)

	mu    sync.Mutex
	queue []*entry // what waits, besides what is being written
	size  int      // of all that is not written, in bytes
	busy  bool     // a goroutine writes
	stuck bool
}

// entry is what one Write brought.
type entry struct {
	text  []byte
	done  chan error // what became of it, for a Write that waits
	alone bool       // nobody waits
}

// NewWriter returns a Writer to another one. It has no goroutine while there is
// nothing to write.
func NewWriter(to io.Writer) *Writer { return &Writer{to: to} }

// Write implements io.Writer. No error means that p is written, or waits if the
// Writer IsStuck.
func (w *Writer) Write(p []byte) (int, error) {
	e, err := w.enqueue(p)
	if err != nil {
		return 0, err
	}
	if e.alone {
		return len(p), nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err = <-e.done:
	case <-timer.C:
		err = w.leave(e)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// IsStuck reports whether what was written last still waits.
func (w *Writer) IsStuck() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stuck
}

func (w *Writer) enqueue(p []byte) (*entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size > 0 && w.size+len(p) > limit {
		return nil, ErrFull
	}
	e := &entry{text: bytes.Clone(p), done: make(chan error, 1), alone: w.stuck}
	w.queue, w.size = append(w.queue, e), w.size+len(p)
	if !w.busy {
		w.busy = true
		go w.drain()
	}
	return e, nil
}

// leave gives up waiting for an entry, unless it was written at that moment.
func (w *Writer) leave(e *entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case err := <-e.done:
		return err
	default:
		e.alone, w.stuck = true, true
		return nil
	}
}

// drain writes what waits, until nothing does.
func (w *Writer) drain() {
	for {
		e := w.next()
		if e == nil {
			return
		}
		_, err := w.to.Write(e.text)
		w.finish(e, err)
	}
}

func (w *Writer) next() *entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.busy, w.stuck, w.queue = false, false, nil
		return nil
	}
	e := w.queue[0]
	w.queue = w.queue[1:]
	return e
}

func (w *Writer) finish(e *entry, err error) {
	w.mu.Lock()
	w.size -= len(e.text)
	e.done <- err
	lost := e.alone && err != nil && w.Lost != nil
	w.mu.Unlock()
	if lost {
		w.Lost(err)
	}
}
