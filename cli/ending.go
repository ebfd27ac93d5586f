package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ghapp-proxy/proxy"
)

const (
	// revokeTime is how long tokens may take to be revoked at the end.
	revokeTime = 5 * time.Second
	// endTime is how much longer than all that the end may take.
	endTime = 5 * time.Second
)

// errHurried is why the end was not waited for.
var errHurried = errors.New("a second signal came")

// secondSignal returns a context that ends, with errHurried, when this process has
// been told to end twice. A third signal kills it. done must be called.
func secondSignal() (hurry context.Context, done func()) {
	hurry, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range 2 { // the first is for the context of Main
			select {
			case <-signals:
			case <-hurry.Done():
				return
			}
		}
		signal.Stop(signals)
		end(errHurried)
	}()
	return hurry, func() {
		signal.Stop(signals)
		end(context.Canceled)
	}
}

// ending is how serve ends.
type ending struct {
	srv   *server
	state *reloadState
	by    *manager
	hurry context.Context // ends where nothing is to be waited for
	log   *slog.Logger
}

// run tells whoever may send something that the proxy ends, goes on for delay, and
// stops the server then; what is under way may take as long as grace. The error
// says what was cut off.
func (e *ending) run(delay, grace time.Duration) error {
	e.log.Info("stopping", "delay", delay, "grace", grace)
	e.state.drain()
	e.by.stopping(delay + grace + revokeTime + endTime)
	e.srv.Drain()
	select {
	case <-time.After(delay):
	case <-e.hurry.Done():
	}
	err := e.srv.stop(e.hurry, grace, func() {})
	cut, ok := errors.AsType[*proxy.CutOffError](err)
	switch {
	case ok:
		e.log.Warn("cut off", "requests", cut.Requests, "tunnels", cut.Tunnels, "unrecorded", cut.Unrecorded, "grace", grace, "error", err)
	case err != nil:
		e.log.Warn("the end was not clean", "error", err)
	}
	switch hurried := context.Cause(e.hurry); {
	case !ok && hurried == nil:
		return nil
	case !ok:
		return fmt.Errorf("it did not end as it should have: %w", hurried)
	case hurried != nil:
		return fmt.Errorf("%d requests and %d tunnels were cut off: %w", cut.Requests, cut.Tunnels, hurried)
	}
	return fmt.Errorf("%d requests and %d tunnels were cut off after shutdown_grace = %q", cut.Requests, cut.Tunnels, grace)
}
