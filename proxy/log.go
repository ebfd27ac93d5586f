package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/panics"
)

// levelOf is the level of the log at which it is said how a request ended.
func levelOf(err error) slog.Level {
	refused, _ := errors.AsType[*answer.Refusal](err)
	switch {
	case err == nil:
		return slog.LevelInfo
	case errors.As(err, new(*panics.Fault)), errors.Is(err, errLeak), errors.Is(err, errInterimLeak):
		return slog.LevelError
	case refused != nil && refused.Quiet:
		return slog.LevelDebug
	case refused != nil && refused.Challenge:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

var errCutOff = errors.New("the answer was cut off")

// cutOff is why the answer was cut off: the host broke off, or the client.
func (x *exchange) cutOff() error {
	if why := x.received.err; why != nil && !x.credential.Marks().In(why.Error()) {
		return fmt.Errorf("%w: %w", errCutOff, why)
	}
	return errCutOff
}

// serverLog is what net/http logs through: broken connections, mostly.
type serverLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l serverLog) Write(p []byte) (int, error) {
	message := strings.TrimSpace(string(p))
	if serving, stack, ok := strings.Cut(message, "\n"); ok && strings.Contains(serving, "panic serving ") {
		l.log.Error(serving, "stack", stack) // a fault outside of a handler: those of handlers are caught before
		return len(p), nil
	}
	l.log.Debug(message)
	return len(p), nil
}
