//go:build !unix

package cli

import "os"

// passedOn are the signals that `run` hands to its command.
var passedOn = []os.Signal{os.Interrupt}

// fromTerminal reports whether the terminal sent the signal to the command too.
func fromTerminal(os.Signal) bool { return true }
