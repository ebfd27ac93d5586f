package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// MaxCalls is how many questions of one client GitHub's API may be busy with
	// at once. They outlive the requests that wait for them, so that a client could
	// pile them up otherwise.
	MaxCalls = 64
	// budgetPatience is how long a request waits for one of them to end.
	budgetPatience = 10 * time.Second
)

// ErrBusy is wrapped by the error for a request that needs GitHub's API to be
// asked, and whose client makes it be asked too much already.
var ErrBusy = errors.New("requests to GitHub's API are under way already")

// busyError is for a client with so many under way.
type busyError struct{ underWay int }

// Error implements error.
func (e busyError) Error() string { return fmt.Sprintf("%d %v for this client", e.underWay, ErrBusy) }

// Unwrap returns ErrBusy.
func (e busyError) Unwrap() error { return ErrBusy }

// Budget bounds what one client makes a Source ask at once: what one client can
// cause keeps nobody else waiting. nil does not bound. It is safe for concurrent
// use.
type Budget struct{ slots chan struct{} }

// NewBudget returns a Budget of n questions at once.
func NewBudget(n int) *Budget { return &Budget{make(chan struct{}, n)} }

type budgetKey struct{}

// WithBudget returns a context in which questions count against the Budget.
// Without one, all count against one of the Source.
func WithBudget(ctx context.Context, b *Budget) context.Context {
	return context.WithValue(ctx, budgetKey{}, b)
}

// take takes a place, until give, if there is one.
func (b *Budget) take() bool {
	if b == nil {
		return true
	}
	select {
	case b.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (b *Budget) give() {
	if b != nil {
		<-b.slots
	}
}

// wait returns when there was a place, and leaves it to others.
func (b *Budget) wait(ctx context.Context, patience <-chan time.Time) error {
	if b == nil {
		return nil
	}
	select {
	case b.slots <- struct{}{}:
		<-b.slots
		return nil
	case <-patience:
		return busyError{cap(b.slots)}
	case <-ctx.Done():
		return ctx.Err()
	}
}
