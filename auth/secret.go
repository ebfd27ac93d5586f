package auth

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is text that must not be printed: every way of formatting it gives a
// redaction. (The exceptions are %p and %w, which are for pointers and errors,
// and which go vet refuses.) Convert it to string only where it is sent.
type Secret string

const redacted = "[redacted]"

// Format implements fmt.Formatter with a redaction, whatever the verb: %d
// would print the text, as String and GoString are not asked for it.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// String implements fmt.Stringer with a redaction.
func (Secret) String() string { return redacted }

// LogValue implements slog.LogValuer with a redaction.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler with a redaction.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
