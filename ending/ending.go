// Package ending has a context that ends when it is told to, and tells who waits for that. It
// is for what is made for every request: context.WithCancel and context.AfterFunc do the same with six
// allocations.
//
//	type call struct {
//		ending.Context
//		watch ending.Watch
//	}
//	c := &call{}
//	c.Of(parent)                      // whose values it has
//	c.watch.Begin(&c.Context, waiter) // waiter.Ended is called when c ends
//	…
//	c.watch.Stop()
//	c.End()
package ending

import (
	"context"
	"sync"
	"time"
)

// Context ends when End is called, and not before. It must not be copied, and Of is called first. It is safe for
// concurrent use.
type Context struct {
	values context.Context

	mu    sync.Mutex
	ended bool
	done  chan struct{} // nil until somebody asks for it
	first *Watch        // of a list
}

// Waiter is told that a context has ended, in a goroutine of its own.
type Waiter interface{ Ended() }

// Of makes it a context with the values of another one, whose end it does not share.
func (c *Context) Of(parent context.Context) { c.values = parent }

// End ends the context. It may be called more than once.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	if c.done != nil {
		close(c.done)
	}
	for w := c.first; w != nil; w = w.next {
		w.told = true
		go w.waiter.Ended()
	}
	c.first = nil
}

// Deadline implements context.Context: there is none.
func (c *Context) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (c *Context) Value(key any) any { return c.values.Value(key) }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.ended {
			close(c.done)
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return context.Canceled
	}
	return nil
}

// AfterFunc is what context.AfterFunc and the contexts made of this one look for.
func (c *Context) AfterFunc(f func()) (stop func() bool) {
	w := new(Watch)
	w.Begin(c, waiterFunc(f))
	return w.Stop
}

type waiterFunc func()

func (f waiterFunc) Ended() { f() }

// Watch waits for the end of a context. It must not be copied, and serves once.
type Watch struct {
	waiter     Waiter
	of         *Context // or else
	stop       func() bool
	next, prev *Watch
	told       bool
}

// Begin has the waiter told when ctx ends, once. It is context.AfterFunc for any context, and cheap for a
// Context.
func (w *Watch) Begin(ctx context.Context, waiter Waiter) {
	c, ok := ctx.(*Context)
	if !ok {
		w.stop = context.AfterFunc(ctx, waiter.Ended)
		return
	}
	w.of, w.waiter = c, waiter
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		w.told = true
		go waiter.Ended()
		return
	}
	if w.next = c.first; w.next != nil {
		w.next.prev = w
	}
	c.first = w
}

// Stop ends the watch. It reports false where the waiter has been told, or is being told, or the watch was
// stopped before: as what context.AfterFunc returns does.
func (w *Watch) Stop() bool {
	if w.of == nil {
		return w.stop()
	}
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if w.told {
		return false
	}
	w.told = true
	switch {
	case w.prev != nil:
		w.prev.next = w.next
	case w.of.first == w:
		w.of.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	w.next, w.prev = nil, nil
	return true
}
