package config

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// The TOML package keeps the lines of keys to itself. It does list the keys in
// the order of the file, so it is enough to find where the first, the second,
// the third key is. The text is valid TOML, so a scanner for strings, comments and
// brackets does that.

// mark is the place of one key or table header in the source.
type mark struct {
	line        int
	arrayHeader bool // [[table]]
	parent      int  // index of the mark whose value is the inline table around; -1 outside
	elem        int  // which element of the parent's array the inline table is, from 1; 0: none
}

// places tells where each key of a file is.
type places struct {
	lines map[string]int // path → line
	order map[string]int // path → rank of its first mention
}

// locate finds the places of keys, which are those of the valid TOML text src
// in its order. Keys that only exist as part of another, as app does in
// [app.x], are where they are first mentioned.
func locate(src string, keys []toml.Key) places {
	pl := places{lines: map[string]int{}, order: map[string]int{}}
	marks := scan(src)
	count := map[string]int{} // path of an array of tables → elements so far
	paths := make([]string, len(keys))
	for i, key := range keys[:min(len(keys), len(marks))] {
		m := marks[i]
		path, rest := "", key
		if m.parent >= 0 {
			path, rest = paths[m.parent], key[len(keys[m.parent]):]
			if m.elem > 0 {
				path = element(path, m.elem)
				pl.add(path, m.line, false)
			}
		}
		for j, part := range rest {
			last := j == len(rest)-1
			path = join(path, part)
			pl.add(path, m.line, last && !m.arrayHeader)
			if last && m.arrayHeader {
				count[path]++
			}
			if n := count[path]; n > 0 {
				path = element(path, n)
				pl.add(path, m.line, last)
			}
		}
		paths[i] = path
	}
	return pl
}

// add notes that path is mentioned in a line. The first mention counts, unless
// a later one is its definition.
func (pl *places) add(path string, line int, definition bool) {
	_, known := pl.order[path]
	if !known {
		pl.order[path] = len(pl.order)
	}
	if !known || definition {
		pl.lines[path] = line
	}
}

// isBare reports whether TOML takes a key as it is (toml.io, v1.0.0, "Keys").
func isBare(key string) bool {
	for _, c := range []byte(key) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return key != ""
}

// join appends a key to a dotted path, quoted where TOML wants it quoted.
func join(path, key string) string {
	quoted := key
	if !isBare(key) {
		quoted = toml.Key{key}.String()
	}
	if path == "" {
		return quoted
	}
	return path + "." + quoted
}

// element returns the path of the nth element of an array, from 1.
func element(path string, n int) string { return path + "[" + strconv.Itoa(n) + "]" }

// scanner walks over TOML text. It relies on the text being valid, but stops
// at its end whatever it contains.
type scanner struct {
	src   string
	pos   int
	line  int
	marks []mark
	stack []frame
}

// frame is an array or an inline table that the scanner is in.
type frame struct {
	table bool
	owner int // index of the mark of the key whose value this is
	elem  int // array: element that comes next; table: which element of an array it is, 0: none
}

// scan returns the marks of all keys and headers, in the order of the text.
func scan(src string) []mark {
	s := &scanner{src: src, line: 1}
	for s.space(); s.pos < len(s.src); s.space() {
		if n := len(s.stack); n > 0 {
			s.inside(&s.stack[n-1])
		} else if s.peek() == '[' {
			s.tableHeader()
		} else {
			s.pair(-1, 0)
		}
	}
	return s.marks
}

// inside goes one step on within an array or an inline table.
func (s *scanner) inside(f *frame) {
	switch c := s.peek(); {
	case c == ',':
		s.advance(1)
		if !f.table {
			f.elem++
		}
	case c == ']' || c == '}':
		s.advance(1)
		s.stack = s.stack[:len(s.stack)-1]
	case f.table:
		s.pair(f.owner, f.elem)
	default:
		s.value(f.owner, f.elem)
	}
}

func (s *scanner) tableHeader() {
	array := strings.HasPrefix(s.src[s.pos:], "[[")
	s.marks = append(s.marks, mark{line: s.line, arrayHeader: array, parent: -1})
	s.until("]\n")
	for s.peek() == ']' {
		s.advance(1)
	}
}

// pair reads a key and the beginning of its value.
func (s *scanner) pair(parent, elem int) {
	s.marks = append(s.marks, mark{line: s.line, parent: parent, elem: elem})
	s.until("=\n")
	s.advance(1)
	for s.peek() == ' ' || s.peek() == '\t' {
		s.advance(1)
	}
	s.value(len(s.marks)-1, 0)
}

// value reads a value; of an array or an inline table, only its opening.
func (s *scanner) value(owner, elem int) {
	switch s.peek() {
	case '[':
		s.stack = append(s.stack, frame{owner: owner, elem: 1})
		s.advance(1)
	case '{':
		s.stack = append(s.stack, frame{table: true, owner: owner, elem: elem})
		s.advance(1)
	default:
		s.until(",]}#\n")
	}
}

// until stops before the first of the stop characters outside a string.
func (s *scanner) until(stop string) {
	for s.pos < len(s.src) && strings.IndexByte(stop, s.peek()) < 0 {
		if c := s.peek(); c == '"' || c == '\'' {
			s.quoted(c)
		} else {
			s.advance(1)
		}
	}
}

// quoted skips a string of any of TOML's four kinds.
func (s *scanner) quoted(quote byte) {
	end := string(quote)
	if triple := strings.Repeat(end, 3); strings.HasPrefix(s.src[s.pos:], triple) {
		end = triple
	}
	s.advance(len(end))
	for s.pos < len(s.src) && !strings.HasPrefix(s.src[s.pos:], end) {
		if quote == '"' && s.peek() == '\\' {
			s.advance(1)
		}
		s.advance(1)
	}
	s.advance(len(end))
	// A string in three quotes may end with one or two of its own.
	for i := 0; len(end) == 3 && i < 2 && s.peek() == quote; i++ {
		s.advance(1)
	}
}

// space skips white space, line ends and comments.
func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.advance(1)
		case '#':
			for s.pos < len(s.src) && s.peek() != '\n' {
				s.advance(1)
			}
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

// advance skips n bytes and counts the lines among them.
func (s *scanner) advance(n int) {
	end := min(s.pos+n, len(s.src))
	s.line += strings.Count(s.src[s.pos:end], "\n")
	s.pos = end
}
