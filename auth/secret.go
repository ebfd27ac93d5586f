package auth

import "log/slog"

// Secret is text that must not be printed: every way of formatting it gives a
// redaction. Convert it to string only where it is sent.
type Secret string

const redacted = "[redacted]"

// String implements fmt.Stringer with a redaction.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer with a redaction.
func (Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer with a redaction.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler with a redaction.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
