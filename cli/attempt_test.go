package cli

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// Who asked for a reload is told what became of the one that took its place: files that
// were changed, and a request to read them, come together.
func TestAttemptIsReplaced(t *testing.T) {
	invalid := errors.New("invalid")
	for name, last := range map[string]error{"in force": nil, "invalid": invalid} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := func(ctx context.Context) error {
					select {
					case <-ctx.Done():
						return errSuperseded
					case <-time.After(time.Minute):
						return last
					}
				}
				told := make(chan error, 3)
				now := &attempt{end: func() {}}
				for range cap(told) {
					now = now.replace(t.Context(), slog.New(slog.DiscardHandler), slow, func(err error) { told <- err })
					time.Sleep(time.Second)
				}
				for range cap(told) {
					if err := <-told; err != last {
						t.Errorf("it is told %v, want %v", err, last)
					}
				}
				now.end()
			})
		})
	}
}

// At the end nobody waits for an attempt that none follows, nor for one with a fault in it.
func TestAttemptEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		told := make(chan error, 2)
		tell := func(err error) { told <- err }
		broken := (&attempt{end: func() {}}).replace(ctx, slog.New(slog.DiscardHandler), func(context.Context) error { panic("a fault") }, tell)
		synctest.Wait()
		broken.replace(ctx, slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			<-ctx.Done()
			return errSuperseded
		}, tell)
		end()
		for range cap(told) {
			if err := <-told; !errors.Is(err, errSuperseded) {
				t.Errorf("it is told %v, want %v", err, errSuperseded)
			}
		}
	})
}
