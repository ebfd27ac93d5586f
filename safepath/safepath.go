// Package safepath tells whether somebody else could change what a path leads
// to. What is read from there decides whom clients trust or what is run, so
// that it must be the user's own, or root's:
//
//	if err := safepath.Check(dir); err != nil {
//		return err // *safepath.Error says which part of the path it is, and what to do
//	}
//
// # Limitations
//
// Access control lists are not looked at, nor is who may mount something above.
// Where files have no owners and modes, on Windows, every path passes.
package safepath

import (
	"fmt"
	"regexp"
	"strings"
)

// Error is a part of a path that somebody else can change.
type Error struct {
	Path   string // the file, directory or link at fault
	Reason string // what is wrong with it
	Remedy string // what to do about it, with the command to run if there is one
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %s", e.Path, e.Reason, e.Remedy) }

var plain = regexp.MustCompile(`^[A-Za-z0-9/._+-]+$`)

// shellQuote is a path as one word for a POSIX shell.
func shellQuote(path string) string {
	if plain.MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
