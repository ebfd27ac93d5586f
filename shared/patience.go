package shared

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// patienceTicks is how many sleeps make the patience: a process that is not scheduled
// for long loses one of them, and not all.
const patienceTicks = 4

// within asks the store, for as long as Patience says. What is answered later is given to
// late, if that is not nil.
func within[T any](ctx context.Context, s *Store, ask func(context.Context) (T, error), late func(T)) (zero T, err error) {
	if s.health.isAway() {
		return zero, errAway
	}
	type answer struct {
		value T
		err   error
	}
	var taken atomic.Bool // by the one who comes first: the answer, or who has no more patience
	answered := make(chan answer, 1)
	if !s.begin() {
		return zero, errAway
	}
	go func() {
		defer s.work.Done()
		ctx, cancel := context.WithTimeout(s.life, s.opts.Timeout)
		defer cancel()
		value, err := ask(ctx)
		if isNothing(err) {
			err = nil
		}
		if taken.CompareAndSwap(false, true) {
			answered <- answer{value, err}
		} else if err == nil && late != nil {
			late(value)
		}
	}()
	tick := time.NewTicker(s.opts.Patience / patienceTicks)
	defer tick.Stop()
	for range patienceTicks {
		select {
		case a := <-answered:
			s.health.note(a.err)
			return a.value, a.err
		case <-ctx.Done():
			if taken.CompareAndSwap(false, true) {
				return zero, ctx.Err()
			}
		case <-tick.C:
		}
	}
	if taken.CompareAndSwap(false, true) {
		s.counts.slow.Add(1)
		s.health.note(errSlow)
		return zero, errSlow
	}
	a := <-answered
	s.health.note(a.err)
	return a.value, a.err
}

// isNothing reports whether the store has said that there is nothing.
func isNothing(err error) bool { return errors.Is(err, redis.Nil) }
