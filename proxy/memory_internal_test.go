package proxy

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"ghapp-proxy/event"
)

// What others may still know of when a request has ended serves no other.
func TestMemoryIsKept(t *testing.T) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	known := map[string]func(*memory){
		"a client of net/http's":      func(m *memory) { m.exchange.outlived = true },
		"a fault":                     func(m *memory) { m.exchange.err = errors.New("no") },
		"an answer that others have":  func(m *memory) { m.exchange.fate.Shared = true },
		"another's answer":            func(m *memory) { m.exchange.collapsed = true },
		"an answer that was healed":   func(m *memory) { m.exchange.outgoing.Tries = 2 },
		"a record of its beginning":   func(m *memory) { m.exchange.began = new(event.Beginning) },
		"the age of a connection":     func(m *memory) { m.exchange.aging = timer },
		"a head that waited":          func(m *memory) { m.recorder.head.timer = timer },
		"a part that waited":          func(m *memory) { m.recorder.flusher.timer = timer },
		"a client that takes nothing": func(m *memory) { m.recorder.stall.timer = timer },
		"a client that sends nothing": func(m *memory) { m.recorder.body = &requestBody{watch: watch{timer: timer}} },
	}
	for name, know := range known {
		m := newMemory()
		m.exchange.id = "one"
		know(m)
		if m.release(); m.exchange.id == "" {
			t.Errorf("%s: given back", name)
		}
	}
	x := &exchange{}
	if x.traced(httptest.NewRequest("GET", "/", nil)); !x.isKnown() {
		t.Error("net/http knows of it, and that is not noted")
	}
	m := newMemory()
	m.exchange.id, m.exchange.outgoing.Tries, m.recorder.bytes, m.recorder.body = "one", 1, 1, new(requestBody)
	if m.release(); m.exchange.id != "" || m.exchange.outgoing.Tries != 0 || m.recorder.bytes != 0 || m.recorder.body != nil {
		t.Error("something is left of a plain request")
	}
}

// The head of the second answer, as where the first is healed, is not read into the memory of the first.
func TestMemoryOfHeads(t *testing.T) {
	x := newMemory().newExchange()
	first, second := x.lendHead(), x.lendHead()
	if first == nil || second != nil {
		t.Errorf("the heads are read into %p and %p, want one and none", first, second)
	}
	if (*exchange)(nil).lendHead() != nil {
		t.Error("a request of the proxy's own has a memory")
	}
}
