package shared

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// maxMisses is how many questions in a row may fail before nobody asks any more.
	maxMisses = 3
	// firstProbe is after how long it is asked whether the store is back, which doubles
	firstProbe = 100 * time.Millisecond
	// up to maxProbe.
	maxProbe = 5 * time.Second
	// steady is for how long the store must have answered to be trusted as at first.
	steady = 10 * time.Second
)

var (
	errAway = errors.New("the shared store does not answer, and is left alone for a while")
	errSlow = errors.New("the shared store did not answer in time")
)

// health is whether the store answers.
type health struct {
	log   *slog.Logger
	probe func(context.Context) error // asks the store for nothing
	back  func()                      // called when it answers again
	life  context.Context
	work  *sync.WaitGroup

	mu     sync.Mutex
	misses int           // in a row
	gone   chan struct{} // closed while the store is away
	away   bool
	since  time.Time // of the present state
	fault  error     // why it is away
	pause  time.Duration
	downs  int
}

// downNow is closed when the store is away, or goes away.
func (h *health) downNow() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// isAway reports whether nobody should ask.
func (h *health) isAway() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.away
}

// state is for Stats.
func (h *health) state(st *Stats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	st.Away, st.Since, st.Fault, st.Downs = h.away, h.since, h.fault, h.downs
}

// note takes in what became of a question.
func (h *health) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away {
		return // the probe decides
	}
	if err == nil {
		h.misses = 0
		return
	}
	if h.misses++; h.misses < maxMisses || h.life.Err() != nil {
		return
	}
	if time.Since(h.since) > steady {
		h.pause = 0
	}
	h.away, h.since, h.fault = true, time.Now(), err
	h.downs++
	close(h.gone)
	h.log.Warn("the shared store is away: this replica goes on by itself", "error", err)
	h.work.Go(h.watch)
}

// watch asks until the store answers.
func (h *health) watch() {
	for {
		h.mu.Lock()
		h.pause = min(max(2*h.pause, firstProbe), maxProbe)
		pause := h.pause
		h.mu.Unlock()
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-h.life.Done():
			return
		}
		if err := h.probe(h.life); err == nil {
			h.returned()
			return
		}
	}
}

// returned notes that the store answers again.
func (h *health) returned() {
	h.mu.Lock()
	away := time.Since(h.since).Round(time.Millisecond)
	h.away, h.misses, h.since, h.fault, h.gone = false, 0, time.Now(), nil, make(chan struct{})
	h.mu.Unlock()
	h.log.Info("the shared store is back", "away", away)
	h.back()
}
