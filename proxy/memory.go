package proxy

import (
	"net/http"
	"sync"

	"ghapp-proxy/h1"
)

// memory is what a request of the relay's is made of, and its answer. It serves one request after
// the other, of whatever client: it would be half of what is left to the garbage collector.
//
// Only a request that went the plain way gives it back: of one that did not, timers may still
// fire, and others may know.
type memory struct {
	asked, answered h1.Memory
	writer          answerWriter
	recorder        recorder
	exchange        exchange
}

var memories = sync.Pool{New: func() any { return new(memory) }}

func newMemory() *memory { return memories.Get().(*memory) }

// release gives it back when a request has ended.
func (m *memory) release() {
	if m.exchange.isKnown() || m.recorder.isKnown() {
		return
	}
	m.asked.Reset()
	m.answered.Reset()
	m.writer, m.recorder, m.exchange = answerWriter{}, recorder{}, exchange{}
	memories.Put(m)
}

// isKnown reports whether somebody may know of an exchange that has ended.
func (x *exchange) isKnown() bool {
	return x.outlived || x.err != nil || x.fate.Shared || x.collapsed || x.outgoing.Tries > 1 || x.began != nil || x.aging != nil
}

// isKnown reports whether somebody may know of the recorder of a request that has ended.
func (w *recorder) isKnown() bool {
	return w.head.timer != nil || w.flusher.timer != nil || w.stall.timer != nil || w.body != nil && w.body.timer != nil
}

// memoryOf is that of a request which w answers, nil where it has none of its own.
func memoryOf(w http.ResponseWriter) *memory {
	if relayed, ok := w.(*answerWriter); ok {
		m, _ := relayed.part.(*memory)
		return m
	}
	return nil
}

// newRecorder is that of the request, with nothing in it.
func (m *memory) newRecorder() *recorder {
	if m == nil {
		return new(recorder)
	}
	return &m.recorder
}

// newExchange is that of the request, with nothing in it.
func (m *memory) newExchange() *exchange {
	if m == nil {
		return new(exchange)
	}
	m.exchange.head = &m.answered
	return &m.exchange
}

// lendHead returns what the head of an answer is read into, nil for new memory: the first of several
// is there as long as the exchange.
func (x *exchange) lendHead() (head *h1.Memory) {
	if x != nil {
		head, x.head = x.head, nil
	}
	return head
}
