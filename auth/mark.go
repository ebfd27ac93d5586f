package auth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Mark is a secret to look for. It prints as a redaction.
type Mark struct {
	text   string
	octets []byte
}

func newMark(text string) Mark { return Mark{text, []byte(text)} }

// In reports whether a text contains the secret.
func (m Mark) In(text string) bool { return strings.Contains(text, m.text) }

// Bytes returns the secret, which the caller must not change.
func (m Mark) Bytes() []byte { return m.octets }

// Format implements fmt.Formatter with a redaction, whatever the verb.
func (Mark) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer with a redaction.
func (Mark) LogValue() slog.Value { return slog.StringValue(redacted) }

// pemLine is how many octets a line of PEM has: 64 characters of base64
// (RFC 7468, section 2).
const pemLine = 48

// keyMarks are two lines of a key's PEM in each of its forms.
func keyMarks(key *rsa.PrivateKey) []Mark {
	marks := linesOf(x509.MarshalPKCS1PrivateKey(key))
	if der, err := x509.MarshalPKCS8PrivateKey(key); err == nil { // an RSA key always has that form
		marks = append(marks, linesOf(der)...)
	}
	return marks
}

// linesOf are the lines at a third and at three quarters of a key. The first
// quarter is the modulus (RFC 8017, appendix A.1.2), which is no secret; what
// follows is: at these places the private exponent, and what it is modulo the
// primes.
func linesOf(der []byte) []Mark {
	line := func(at int) Mark {
		at -= at % pemLine
		return newMark(base64.StdEncoding.EncodeToString(der[at : at+pemLine]))
	}
	return []Mark{line(len(der) / 3), line(len(der) * 3 / 4)}
}
