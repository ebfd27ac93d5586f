//go:build !unix

package cli

import "os"

// passedOn are the signals that `run` hands to its command.
var passedOn = []os.Signal{os.Interrupt}

// reloadSignals make `serve` read its configuration again: there are none, and
// signal.Notify would take an empty list for all.
var reloadSignals = []os.Signal{noSignal{}}

// noSignal is never sent.
type noSignal struct{}

func (noSignal) String() string { return "none" }
func (noSignal) Signal()        {}

// fromTerminal reports whether the terminal sent the signal to the command too.
func fromTerminal(os.Signal) bool { return true }

// hasTerminal is asked for a sandbox, of which there is none here.
func hasTerminal() bool { return true }
