// Package leak finds secrets in texts.
//
//	marks := leak.Of(token, "Basic "+token)
//	if marks.In(field) || marks.Find(body) {
//		// do not pass it on
//	}
//
// The cost of a text in which there is nothing like a secret does not grow with the
// number of secrets, and falls with the length of the shortest: a window of that
// length is read from its end, and what follows the last octet that can be in no
// secret is where the next window begins (as in R. S. Boyer, J. S. Moore, "A Fast
// String Searching Algorithm").
//
// # Limitations
//
// A secret is found as it is written, and in no other encoding.
package leak

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
)

// headSize is how many octets of a secret are looked at to see whether it may
// begin at some place.
const headSize = 8

// MinBeginning is how many octets of a secret must be at the end of a text to
// count as its beginning.
const MinBeginning = headSize

// Marks are secrets to look for. Nil has none. They print as a redaction, and are
// safe for concurrent use.
type Marks struct {
	secrets  []string
	shortest int
	longest  int
	octets   *[256]bool // that can be in a secret
	begins   [16]uint64 // a Bloom filter of the heads
	heads    []uint64   // of the secrets, by their order; 0 for what is shorter
}

// Of are the secrets that are not empty.
func Of(secrets ...string) *Marks {
	m := &Marks{shortest: math.MaxInt, octets: &tokenOctets}
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		m.secrets = append(m.secrets, secret)
		m.shortest, m.longest = min(m.shortest, len(secret)), max(m.longest, len(secret))
		if !isToken(secret) {
			m.octets = &allOctets
		}
		if len(secret) < headSize {
			m.heads = append(m.heads, 0)
			continue
		}
		head := headOf(secret)
		m.heads = append(m.heads, head)
		at := slot(head)
		m.begins[at>>6] |= 1 << (at & 63)
	}
	return m
}

// And are the secrets of both.
func (m *Marks) And(other *Marks) *Marks { return Of(append(m.list(), other.list()...)...) }

// list is a copy of the secrets.
func (m *Marks) list() []string {
	if m == nil {
		return nil
	}
	return append([]string(nil), m.secrets...)
}

// None reports whether there is nothing to look for.
func (m *Marks) None() bool { return m == nil || len(m.secrets) == 0 }

// Longest is the length of the longest secret.
func (m *Marks) Longest() int {
	if m == nil {
		return 0
	}
	return m.longest
}

// In reports whether a secret is in text.
func (m *Marks) In(text string) bool { return !m.None() && find(m, text) }

// InFolded reports whether a secret is in text, in letters of whatever case.
func (m *Marks) InFolded(text string) bool {
	if m.None() || len(text) < m.shortest {
		return false
	}
	text = strings.ToLower(text)
	for _, secret := range m.secrets {
		if strings.Contains(text, strings.ToLower(secret)) {
			return true
		}
	}
	return false
}

// Find reports whether a secret is in text.
func (m *Marks) Find(text []byte) bool { return !m.None() && find(m, text) }

// Covers reports whether all secrets of other are among m's.
func (m *Marks) Covers(other *Marks) bool {
	for _, secret := range other.list() {
		if !m.In(secret) {
			return false
		}
	}
	return true
}

// Beginning returns how many octets at the end of text may be the beginning of a
// secret of which more follows: 0, or at least MinBeginning.
func (m *Marks) Beginning(text []byte) int {
	if m.None() {
		return 0
	}
	text = text[max(0, len(text)-m.longest+1):]
	start := len(text)
	for start > 0 && m.octets[text[start-1]] {
		start--
	}
	for ; len(text)-start >= headSize; start++ {
		head := headOf(text[start:])
		if !m.mayBegin(head) {
			continue
		}
		for i, secret := range m.secrets {
			if rest := text[start:]; m.heads[i] == head && len(secret) > len(rest) && secret[:len(rest)] == string(rest) {
				return len(rest)
			}
		}
	}
	return 0
}

// find reports whether a secret is in text.
func find[T ~string | ~[]byte](m *Marks, text T) bool {
	for start := 0; start+m.shortest <= len(text); {
		at := start + m.shortest - 1 // the last of the window
		for at >= start && m.octets[text[at]] {
			at--
		}
		if at >= start {
			start = at + 1
			continue
		}
		// All of the window can be in a secret: so it is octet by octet for as
		// long as that is true of what follows.
		for {
			if beginsWith(m, text[start:]) {
				return true
			}
			start++
			if start+m.shortest > len(text) {
				return false
			}
			if !m.octets[text[start+m.shortest-1]] {
				start += m.shortest
				break
			}
		}
	}
	return false
}

// beginsWith reports whether text, which is no shorter than the shortest secret,
// begins with a secret.
func beginsWith[T ~string | ~[]byte](m *Marks, text T) bool {
	if m.shortest < headSize {
		return beginsWithAny(m.secrets, text)
	}
	head := headOf(text)
	if !m.mayBegin(head) {
		return false
	}
	for i, secret := range m.secrets {
		if m.heads[i] == head && len(secret) <= len(text) && string(text[:len(secret)]) == secret {
			return true
		}
	}
	return false
}

// beginsWithAny is beginsWith for what has no head.
func beginsWithAny[T ~string | ~[]byte](secrets []string, text T) bool {
	for _, secret := range secrets {
		if len(secret) <= len(text) && string(text[:len(secret)]) == secret {
			return true
		}
	}
	return false
}

func (m *Marks) mayBegin(head uint64) bool {
	at := slot(head)
	return m.begins[at>>6]&(1<<(at&63)) != 0
}

// headOf is how text begins.
func headOf[T ~string | ~[]byte](text T) uint64 {
	_ = text[headSize-1]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// slot is the place of a head in the Bloom filter: the highest ten bits of its
// product with a number whose bits are evenly spread (D. Knuth, "The Art of
// Computer Programming", volume 3, section 6.4, multiplicative hashing).
func slot(head uint64) uint64 { return head * 0x9E3779B97F4A7C15 >> 54 }

// tokenOctets are those of which tokens, base64 and the lines of a key consist: a
// b64token of RFC 6750, section 2.1.
var tokenOctets = octetsOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")

var allOctets = func() (all [256]bool) {
	for i := range all {
		all[i] = true
	}
	return all
}()

func octetsOf(text string) (octets [256]bool) {
	for _, c := range []byte(text) {
		octets[c] = true
	}
	return octets
}

func isToken(text string) bool {
	for _, c := range []byte(text) {
		if !tokenOctets[c] {
			return false
		}
	}
	return true
}

const redacted = "[redacted]"

// Format implements fmt.Formatter with a redaction, whatever the verb.
func (*Marks) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer with a redaction.
func (*Marks) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler with a redaction.
func (*Marks) MarshalText() ([]byte, error) { return []byte(redacted), nil }
