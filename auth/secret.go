package auth

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"unicode"
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

// maxMessage bounds what of others' words is passed on, in bytes.
const maxMessage = 300

// credentials matches JWTs and tokens of either format (docs.github.com
// "About authentication to GitHub"), in case an answer quotes what it refuses.
var credentials = regexp.MustCompile(`gh[a-z]_[0-9A-Za-z._-]{36,}|eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+`)

// clean makes others' words fit for one line of a log or an error.
func clean(message string) string {
	message = credentials.ReplaceAllString(message, redacted)
	message = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, message)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	return message
}
