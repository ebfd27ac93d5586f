package event

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/panics"
)

// Sink gives Events to their writers. It is safe for concurrent use.
type Sink struct {
	Log  *slog.Logger
	Also []func(*Event) // more writers, which must not keep the Event

	audit atomic.Pointer[Audit]
	lost  atomic.Int64 // by those of before
	begun sync.Pool    // of *Beginning that have ended, and of which nobody knows any more
}

// flushTime is how long the records of before may take when another Audit follows, and
// all of them at the end.
const flushTime = 2 * time.Second

// SetAudit makes an Audit that of what is written from now on; nil for none.
func (s *Sink) SetAudit(a *Audit) {
	if before := s.audit.Swap(a); before != nil {
		before.Flush(flushTime)
		s.lost.Add(before.Lost())
	}
}

// Flush waits until what was recorded is written, but not long for who does not read it.
func (s *Sink) Flush() { s.Audit().Flush(flushTime) }

// Lost is how many records could not be written, since the start.
func (s *Sink) Lost() int64 { return s.lost.Load() + s.Audit().Lost() }

// Audit is the Audit of now, nil for none.
func (s *Sink) Audit() *Audit { return s.audit.Load() }

// Begin records that something is about to leave. The error is for where it must
// not leave without.
func (s *Sink) Begin(e *Event) error {
	e.Phase = Begin
	return s.Audit().begin(e)
}

// End writes what has ended.
func (s *Sink) End(e *Event) {
	writeLine(s.Log, e)
	if !e.Unrecorded {
		s.Audit().write(e)
	}
	for _, write := range s.Also {
		write(e)
	}
}

// Beginning is the Begin of something that may take long. A nil Beginning has none.
type Beginning struct {
	sink  *Sink
	event Event
	timer *time.Timer // stopped while the Beginning is in sink.begun

	mu      sync.Mutex
	over    bool
	written bool
}

// BeginAfter records the beginning of what has not ended when so much time has
// passed. Ended must be called, once.
func (s *Sink) BeginAfter(d time.Duration, e *Event) *Beginning {
	if s.Audit() == nil {
		return nil
	}
	b, _ := s.begun.Get().(*Beginning)
	if b == nil {
		b = &Beginning{sink: s}
	}
	b.event = *e
	b.event.Phase = Begin
	if b.timer == nil {
		b.timer = time.AfterFunc(d, b.write)
	} else {
		b.timer.Reset(d)
	}
	return b
}

// write is what the timer calls.
func (b *Beginning) write() {
	defer panics.Log(b.sink.Log, "a record could not be written")
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return // when the timer had fired
	}
	b.written = true
	b.event.Duration = time.Since(b.event.Time)
	b.sink.Audit().write(&b.event)
}

// Ended reports whether the beginning has been recorded. It will not be any more, and the Beginning
// must not be used again: it may be another's.
func (b *Beginning) Ended() (written bool) {
	if b == nil {
		return false
	}
	if b.timer.Stop() { // write was not called, and will not be
		b.event = Event{}
		b.sink.begun.Put(b)
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	return b.written
}
