package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is everything that is wrong with a configuration, in file order. It
// never contains a secret.
type Error struct {
	Faults []Fault // at least one
}

// Error prints one fault after the other, without a final newline.
func (e *Error) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.String()
	}
	return strings.Join(texts, "\n")
}

// Fault is one thing wrong with a configuration.
type Fault struct {
	File    string // as the user named it; "environment" for a variable
	Line    int    // from 1; 0 if the fault is in no particular line
	Key     string // dotted, elements of arrays counted from 1: rule[2].app; "" for the file
	Problem string
	Hint    string // the remedy, perhaps of several lines; "" if it is obvious
}

// String returns "file:line: key: problem" and the hint in a line of its own.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Problem)
	if f.Hint != "" {
		b.WriteString("\n\thint: " + strings.ReplaceAll(f.Hint, "\n", "\n\t"))
	}
	return b.String()
}

// report collects what is wrong while a configuration is read.
type report struct {
	faults   []Fault
	warnings []Fault
}

// err returns the faults in file order as an *Error, nil if there are none.
func (r *report) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	return &Error{Faults: sorted(r.faults)}
}

// warningTexts returns the warnings in file order.
func (r *report) warningTexts() []string {
	var texts []string
	for _, w := range sorted(r.warnings) {
		texts = append(texts, w.String())
	}
	return texts
}

func sorted(faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return faults
}

// hinted is an error that comes with its remedy.
type hinted struct {
	error
	hint string
}

// Unwrap returns the error without the hint.
func (h hinted) Unwrap() error { return h.error }

// Remedy returns the hint, for errors of an auth.Signer.
func (h hinted) Remedy() string { return h.hint }

// withHint returns an error whose Fault has the hint.
func withHint(hint, format string, args ...any) error {
	return hinted{fmt.Errorf(format, args...), hint}
}

// newFault builds the Fault of an error, with its hint if it has one.
func newFault(file string, line int, key string, err error) Fault {
	f := Fault{File: file, Line: line, Key: key, Problem: err.Error()}
	if h := (hinted{}); errors.As(err, &h) {
		f.Hint = h.hint
	}
	return f
}
