// Package panics keeps a fault in one goroutine from ending the process.
//
// net/http does so for its handlers. A goroutine of one's own has to do it
// itself: whatever panics in it ends every other request as well.
//
//	go func() {
//		defer panics.Log(log, "renew a token")
//		…
//	}()
//
//	func work() (err error) {
//		defer panics.Catch(&err)
//		…
//	}
//
// # Limitations
//
// What the runtime calls fatal ends the process all the same: concurrent writes
// to a map, a deadlock, no memory.
package panics

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Fault is a panic as an error. Whoever reports it is to report its Stack, too.
type Fault struct {
	Value any
	Stack []byte // of the goroutine in which it happened
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("a fault of ghapp-proxy: %v", f.Value) }

// Unwrap returns the Value, if that is an error.
func (f *Fault) Unwrap() error {
	err, _ := f.Value.(error)
	return err
}

// Recovered is the Fault for what recover returned. It is to be called by the
// function that called recover.
func Recovered(value any) *Fault { return &Fault{value, debug.Stack()} }

// Catch is to be deferred: it makes a panic the error of the function.
func Catch(err *error) {
	if value := recover(); value != nil {
		*err = Recovered(value)
	}
}

// Log is to be deferred: it logs a panic as an error, with its stack. What says
// what was being done: "renew a token".
func Log(log *slog.Logger, what string) {
	if value := recover(); value != nil {
		f := Recovered(value)
		log.Error(what, "error", f, "stack", string(f.Stack))
	}
}
