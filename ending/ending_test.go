package ending_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/ending"
)

type key struct{}

// counter counts how often it was told.
type counter struct{ told chan struct{} }

func newCounter() *counter { return &counter{make(chan struct{}, 9)} }

func (c *counter) Ended() { c.told <- struct{}{} }

func (c *counter) count() int {
	synctest.Wait()
	return len(c.told)
}

func newContext() (c *ending.Context, endParent func()) {
	parent, cancel := context.WithTimeout(context.WithValue(context.Background(), key{}, 1), time.Hour)
	c = new(ending.Context)
	c.Of(parent)
	return c, cancel
}

// It is a context as others are, with its parent's values and not its end.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, endParent := newContext()
		if _, has := c.Deadline(); has || c.Value(key{}) != 1 || c.Value("other") != nil {
			t.Errorf("a deadline: %v, values %v", has, c.Value(key{}))
		}
		early := c.Done()
		endParent()
		select {
		case <-early:
			t.Fatal("it has ended with its parent")
		default:
		}
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
		child, cancel := context.WithTimeoutCause(c, time.Minute, errors.New("cause"))
		defer cancel()
		grandchild, cancel2 := context.WithCancel(context.WithValue(child, key{}, 2))
		defer cancel2()
		c.End()
		c.End()
		for _, ctx := range []context.Context{c, child, grandchild} {
			<-ctx.Done()
			if ctx.Err() != context.Canceled || context.Cause(ctx) == nil && ctx != context.Context(c) {
				t.Errorf("%v, %v", ctx.Err(), context.Cause(ctx))
			}
		}
		<-early
		late, _ := newContext()
		late.End()
		<-late.Done()
	})
}

// Waiters are told once, unless they have stopped; in whatever order they stop, and whatever the context is.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for stopped := range 8 { // a bit for each of three
			for _, own := range []bool{true, false} {
				c, endParent := newContext()
				ctx, end := context.Context(c), c.End
				if !own {
					ctx, end = context.WithCancel(c)
				}
				var waiters [3]*counter
				var watches [3]ending.Watch
				for i := range waiters {
					waiters[i] = newCounter()
					watches[i].Begin(ctx, waiters[i])
				}
				for i := range waiters {
					if stopped>>i&1 == 1 && (!watches[i].Stop() || watches[i].Stop()) {
						t.Errorf("%d of %b: stopped once, and once only", i, stopped)
					}
				}
				end()
				for i, w := range waiters {
					want := 1 - stopped>>i&1
					if got := w.count(); got != want {
						t.Errorf("%d of %b (own: %v): told %d times, want %d", i, stopped, own, got, want)
					}
					if watches[i].Stop() {
						t.Errorf("%d of %b: stopped after the end", i, stopped)
					}
				}
				c.End()
				endParent()
			}
		}
	})
}

// Who comes late is told at once.
func TestLateWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, endParent := newContext()
		defer endParent()
		c.End()
		late := newCounter()
		var w ending.Watch
		if w.Begin(c, late); late.count() != 1 || w.Stop() {
			t.Error("it was not told")
		}
		told := newCounter()
		if stop := context.AfterFunc(c, told.Ended); told.count() != 1 || stop() {
			t.Error("context.AfterFunc was not told")
		}
	})
}

// What it is for.
func TestAllocations(t *testing.T) {
	type call struct {
		ending.Context
		watch ending.Watch
	}
	parent, waiter := context.Background(), newCounter()
	if n := testing.AllocsPerRun(100, func() {
		c := new(call)
		c.Of(parent)
		c.watch.Begin(&c.Context, waiter)
		c.watch.Stop()
		c.End()
	}); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}
