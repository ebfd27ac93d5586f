package github

import (
	"fmt"
	"strings"
)

// MaxSegments is how many leading path segments are kept: those that tell
// services, owners and repositories apart. Operations are matched on the whole path.
const MaxSegments = 12

// Path is the leading segments of a path, as sent: still escaped.
type Path struct {
	Segments [MaxSegments]string
	N        int    // how many the path has, which may be more than are kept
	Text     string // all of them, each with the slash before it; "" if there is none
}

// SplitPath cuts an absolute path at its slashes. One trailing slash is not a
// segment: "/orgs/acme/" has two.
func SplitPath(path string) (p Path) {
	p.Text = strings.TrimSuffix(path, "/")
	if p.Text == "" {
		return p
	}
	path = p.Text[1:]
	for more := true; more; p.N++ {
		var segment string
		segment, path, more = strings.Cut(path, "/")
		if p.N < MaxSegments {
			p.Segments[p.N] = segment
		}
	}
	return p
}

// Drop returns p without its first n segments.
func (p Path) Drop(n int) Path {
	copy(p.Segments[:], p.Segments[n:])
	clear(p.Segments[MaxSegments-n:])
	p.N -= n
	for range n {
		_, p.Text = CutSegment(p.Text)
	}
	return p
}

// CutSegment splits "/a/b" into "a" and "/b". Of "" both are "".
func CutSegment(path string) (segment, rest string) {
	if path == "" {
		return "", ""
	}
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return path[1 : 1+i], path[1+i:]
	}
	return path[1:], ""
}

// Is reports whether segment i is the literal word, whatever its escaping and
// case. GitHub's paths are case-sensitive, but a spelling that might reach a
// guarded route must be recognised as that route.
func (p *Path) Is(i int, word string) bool {
	if i >= p.N || i >= MaxSegments {
		return false
	}
	return SameSegment(p.Segments[i], word)
}

// hex returns the value of a hexadecimal digit, -1 for anything else.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Unescape undoes percent-encoding once. A bad escape stands for itself.
func Unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0 {
			out = append(out, byte(hex(s[i+1])<<4|hex(s[i+2])))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// TargetError says why a request target is not classified at all: servers
// disagree on what it means, so a decision made about one reading could be
// carried out on another. It is answered with 400.
type TargetError struct {
	Reason string
}

// Error implements error.
func (e *TargetError) Error() string { return e.Reason }

// CheckPath refuses targets that servers read in more than one way.
func CheckPath(path string) error {
	if path == "" || path[0] != '/' {
		return &TargetError{"the request target must be an absolute path"}
	}
	if strings.HasPrefix(path, "//") {
		return &TargetError{"an empty segment (//) at the start of the path"}
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c == '\\':
			return &TargetError{"a backslash in the path: write %5C"}
		case c == '#':
			return &TargetError{"a fragment in the request target: write %23"}
		case c <= ' ' || c == 0x7f:
			return &TargetError{"a control character or space in the path"}
		}
	}
	return checkDots(path)
}

// checkDots refuses "." and ".." segments, also escaped, and also where the
// slash beside them is escaped.
func checkDots(path string) error {
	start := 0
	for i := 0; i <= len(path); i++ {
		width := separatorAt(path, i)
		if width == 0 {
			continue
		}
		if s := path[start:i]; len(s) > 0 && len(s) <= len("%2e%2e") {
			if plain := Unescape(s); plain == "." || plain == ".." {
				return &TargetError{fmt.Sprintf("a dot segment (%q) in the path: send the path it leads to", s)}
			}
		}
		start = i + width
	}
	return nil
}

// separatorAt returns the length of the slash or backslash at i, escaped or
// not, counting the path's end as one; 0 if there is none.
func separatorAt(path string, i int) int {
	switch {
	case i == len(path) || path[i] == '/':
		return 1
	case path[i] == '%' && i+2 < len(path):
		switch c := hex(path[i+1])<<4 | hex(path[i+2]); c {
		case '/', '\\':
			return 3
		}
	}
	return 0
}

// CheckLeading refuses empty segments, and escaped slashes, backslashes and
// control characters, in the first n segments: those that name the owner and
// the repository.
func (p *Path) CheckLeading(n int) error {
	for i := range min(n, p.N, MaxSegments) {
		raw := p.Segments[i]
		if raw == "" {
			return &TargetError{"an empty segment (//) before the end of the repository's name"}
		}
		if strings.IndexByte(raw, '%') < 0 {
			continue
		}
		for _, c := range []byte(Unescape(raw)) {
			if c == '/' || c == '\\' || c < ' ' || c == 0x7f {
				return &TargetError{fmt.Sprintf("an escaped slash, backslash or control character in %q, before the end of the repository's name", raw)}
			}
		}
	}
	return nil
}

// SameSegment reports whether a segment, as sent, is the word, whatever its escaping
// and case.
func SameSegment(segment, word string) bool {
	if strings.IndexByte(segment, '%') >= 0 {
		segment = Unescape(segment)
	}
	return strings.EqualFold(segment, word)
}

// Slashed turns escaped slashes and backslashes into slashes, and several
// slashes into one. It returns path itself if there are none.
func Slashed(path string) string {
	if strings.IndexByte(path, '%') < 0 && !strings.Contains(path, "//") {
		return path
	}
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); {
		width := separatorAt(path, i)
		switch {
		case width == 0:
			out = append(out, path[i])
			i++
			continue
		case len(out) == 0 || out[len(out)-1] != '/':
			out = append(out, '/')
		}
		i += width
	}
	return string(out)
}

// ByteAt returns the byte that stands at i, unescaped, and how many it takes.
func ByteAt(s string, i int) (c byte, width int) {
	if s[i] == '%' && i+2 < len(s) {
		if high, low := hex(s[i+1]), hex(s[i+2]); high >= 0 && low >= 0 {
			return byte(high<<4 | low), 3
		}
	}
	return s[i], 1
}
