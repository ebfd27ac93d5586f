// Package leak finds secrets in texts.
//
//	marks := leak.Of(token, "Basic "+token)
//	if marks.In(field) || marks.Find(body) {
//		// do not pass it on
//	}
//
// The cost of a text in which there is nothing like a secret does not grow with the
// number of secrets, and falls with the length of the shortest: where the last eight octets of
// a window of that length are in no secret, the next window begins behind the first of them (as in
// S. Wu, U. Manber, "A Fast Algorithm for Multi-Pattern Searching").
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
	"math/bits"
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
	heads    []uint64   // of the secrets, by their order; 0 for what is shorter
	begins   filter     // has the heads
	grams    filter     // has all headSize octets of the first shortest of each secret; nil where that is less
}

// Of are the secrets that are not empty.
func Of(secrets ...string) *Marks {
	m := &Marks{secrets: make([]string, 0, len(secrets)), shortest: math.MaxInt, octets: &tokenOctets}
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		m.secrets = append(m.secrets, secret)
		m.shortest, m.longest = min(m.shortest, len(secret)), max(m.longest, len(secret))
		if !isToken(secret) {
			m.octets = &allOctets
		}
	}
	m.fill()
	return m
}

// fill makes the heads and the filters, in one piece of memory: there are thousands of Marks.
func (m *Marks) fill() {
	n, each := len(m.secrets), m.shortest-headSize+1
	begins, grams := filterSize(n), 0
	if each > 0 && n > 0 {
		grams = filterSize(n * each)
	}
	words := make([]uint64, n+begins+grams)
	m.heads, m.begins, m.grams = words[:n:n], words[n:n+begins:n+begins], words[n+begins:]
	for i, secret := range m.secrets {
		if len(secret) >= headSize {
			m.heads[i] = headOf(secret)
		}
		m.begins.add(m.heads[i])
	}
	if grams == 0 {
		return
	}
	for _, secret := range m.secrets {
		for at := range each {
			m.grams.add(headOf(secret[at:]))
		}
	}
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
		if !m.begins.mayHave(head) {
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
	if m.shortest < headSize {
		return findShort(m, text)
	}
	step := m.shortest - headSize + 1
	for end := m.shortest; end <= len(text); { // of the window
		switch {
		case !m.grams.mayHave(headOf(text[end-headSize:])):
			end += step
		case beginsWith(m, text[end-m.shortest:]):
			return true
		default:
			end++
		}
	}
	return false
}

// findShort is find for what has no head.
func findShort[T ~string | ~[]byte](m *Marks, text T) bool {
	for start := 0; start+m.shortest <= len(text); start++ {
		if beginsWithAny(m.secrets, text[start:]) {
			return true
		}
	}
	return false
}

// beginsWith reports whether text, which is no shorter than the shortest secret,
// begins with a secret.
func beginsWith[T ~string | ~[]byte](m *Marks, text T) bool {
	head := headOf(text)
	if !m.begins.mayHave(head) {
		return false
	}
	for i, secret := range m.secrets {
		if m.heads[i] == head && len(secret) <= len(text) && string(text[:len(secret)]) == secret {
			return true
		}
	}
	return false
}

// beginsWithAny is beginsWith where a secret has no head.
func beginsWithAny[T ~string | ~[]byte](secrets []string, text T) bool {
	for _, secret := range secrets {
		if len(secret) <= len(text) && string(text[:len(secret)]) == secret {
			return true
		}
	}
	return false
}

// headOf is how text begins.
func headOf[T ~string | ~[]byte](text T) uint64 {
	_ = text[headSize-1]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// filter is a Bloom filter of heads, with one bit for each.
type filter []uint64

// filterSize is how long a filter is for so many heads, each of which takes eight to sixteen bits.
func filterSize(n int) int { return 1 << bits.Len(uint(n)>>3) }

func (f filter) add(head uint64) {
	at := f.place(head)
	f[at>>6] |= 1 << (at & 63)
}

// mayHave reports false for what was not added, in most cases.
func (f filter) mayHave(head uint64) bool {
	at := f.place(head)
	return f[at>>6]&(1<<(at&63)) != 0
}

// place is the bit of a head: the highest bits of its product with a number whose bits are
// evenly spread (D. Knuth, "The Art of Computer Programming", volume 3, section 6.4,
// multiplicative hashing).
func (f filter) place(head uint64) uint64 {
	return head * 0x9E3779B97F4A7C15 >> (64 - 6 - uint(bits.TrailingZeros(uint(len(f)))))
}

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
