package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Error is a CA, or a place for one, that cannot be used. Its text is two
// lines: the fault, and a hint that says what to do about it.
type Error struct {
	Path   string // the file or directory at fault; "" for a CA in memory
	Reason error  // what is wrong with it; never contains key material
	Hint   string // what to do about it, with the command to run if there is one
}

func (e *Error) Error() string {
	text := e.Reason.Error()
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	return text + "\n\thint: " + e.Hint
}

// Unwrap returns the reason, so that errors.Is finds fs.ErrPermission and the like.
func (e *Error) Unwrap() error { return e.Reason }

// Remedies for CAs from the state directory and from files of the user.
const (
	hintRenew = "run `ghapp-proxy ca --renew` to replace the CA; clients must then trust what `ghapp-proxy ca` prints"
	hintFiles = "put other files in place of [ca] cert_file and key_file, on every replica; without these two settings " +
		"`ghapp-proxy ca --renew` makes a CA for the configured hosts"
)

// origin is where a CA comes from, to say so when something is wrong with it.
type origin struct {
	file string // "" for a CA in memory
	hint string // remedy if the CA is unfit
}

func (o origin) faultf(format string, args ...any) *Error {
	return o.fault(fmt.Errorf(format, args...))
}

func (o origin) fault(reason error) *Error {
	return &Error{Path: o.file, Reason: withoutPath(reason), Hint: o.hint}
}

// withoutPath drops the file name of an I/O error, which [Error] repeats.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	}
	return err
}

// shellQuote returns path as one word for a POSIX shell.
func shellQuote(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@:", r)
	}
	if path != "" && strings.TrimFunc(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
