package shared

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/panics"
)

const (
	// writers write at the same time.
	writers = 8
	// maxWrites is how many writes wait for each of them.
	maxWrites = 4096
)

// writes are what is to be written, while nobody waits for it. Those of one key are in
// order.
type writes struct {
	seed   maphash.Seed
	queues [writers]chan write
	urgent sync.WaitGroup // of those that others wait for
	held   atomic.Int64   // bytes of values that wait
}

// maxHeld bounds the values that wait to be written, in bytes.
const maxHeld = 32 << 20

// hold counts a value that waits, and reports whether there may be one as long. release ends it.
func (w *writes) hold(value []byte) bool {
	if w.held.Add(int64(len(value))) <= maxHeld {
		return true
	}
	w.release(value)
	return false
}

func (w *writes) release(value []byte) { w.held.Add(-int64(len(value))) }

// write is one of them. A marker is told that all before it is done.
type write struct {
	do     func(context.Context) error
	over   func() // called when it is done or lost, nil for nothing
	marker chan<- struct{}
}

func (w *writes) start(s *Store) {
	w.seed = maphash.MakeSeed()
	for i := range w.queues {
		w.queues[i] = make(chan write, maxWrites)
		s.work.Go(func() { w.run(s, w.queues[i]) })
	}
}

// run writes what is in a queue.
func (w *writes) run(s *Store, queue <-chan write) {
	for {
		select {
		case one := <-queue:
			one.run(s)
		case <-s.life.Done():
			return
		}
	}
}

func (w write) run(s *Store) {
	defer panics.Log(s.opts.Log, "something was not written to the shared store")
	if w.over != nil {
		defer w.over()
	}
	switch {
	case w.marker != nil:
		w.marker <- struct{}{}
		return
	case s.health.isAway():
		s.counts.lost.Add(1)
		return
	}
	ctx, cancel := context.WithTimeout(s.life, s.opts.Timeout)
	defer cancel()
	err := w.do(ctx)
	if isNothing(err) {
		err = nil
	}
	if err != nil {
		s.counts.lost.Add(1)
	}
	s.health.note(err)
}

// write has something written for a key. It does not wait: where there is too much, it is lost.
func (s *Store) write(key string, do func(context.Context) error) { s.queue(key, write{do: do}) }

func (s *Store) queue(key string, w write) {
	select {
	case s.writes.queues[maphash.String(s.writes.seed, key)%writers] <- w:
	default:
		s.counts.lost.Add(1)
		if w.over != nil {
			w.over()
		}
	}
}

// writeNow has something written for which others wait, before all that is to be written.
func (s *Store) writeNow(do func(context.Context) error) {
	if !s.begin() {
		s.counts.lost.Add(1)
		return
	}
	s.writes.urgent.Go(func() {
		defer s.work.Done()
		write{do: do}.run(s)
	})
}

// drain waits until all has been written, for a time.
func (w *writes) drain(most time.Duration) {
	end := time.After(most)
	urgent := make(chan struct{})
	go func() { w.urgent.Wait(); close(urgent) }() // which end soon after the Store does
	select {
	case <-urgent:
	case <-end:
		return
	}
	done := make(chan struct{}, writers)
	for _, queue := range w.queues {
		select {
		case queue <- write{marker: done}:
		case <-end:
			return
		}
	}
	for range w.queues {
		select {
		case <-done:
		case <-end:
			return
		}
	}
}
