package cli

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"ghapp-proxy/panics"
)

// attempt is one reload. Another one may take its place, which says then what became of
// both: it began later, with what the files say by then.
type attempt struct {
	end  func()
	next atomic.Pointer[attempt] // that has taken its place; set before end
	done chan struct{}           // closed when err is set
	err  error
}

// errSuperseded is for a reload that another one, or the end, came before.
var errSuperseded = errors.New("another reload took its place, or the proxy ends")

// replace begins an attempt in the place of a. tell is told what became of it.
func (a *attempt) replace(ctx context.Context, log *slog.Logger, reload func(context.Context) error, tell func(error)) *attempt {
	next := &attempt{done: make(chan struct{})}
	ctx, next.end = context.WithCancel(ctx)
	a.next.Store(next)
	a.end()
	go func() {
		defer func() { tell(next.err) }()
		defer close(next.done)
		defer panics.Log(log, "the configuration before stays in force")
		next.err = errSuperseded // where there is a fault in the program
		next.err = next.outcome(reload(ctx))
	}()
	return next
}

// outcome is what becomes of an attempt that came to err.
func (a *attempt) outcome(err error) error {
	next := a.next.Load()
	if !errors.Is(err, errSuperseded) || next == nil {
		return err
	}
	<-next.done
	return next.err
}
