package strictjson

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string, from its quote on.
func (r *reader) string() (string, error) {
	r.at++
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", errNotJSON
		}
	}
	return "", errNotJSON
}

// escaped reads the rest of a string, from its first backslash on.
func (r *reader) escaped(start int) (string, error) {
	var b strings.Builder
	b.Grow(2 * (r.at - start + 32))
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			b.WriteString(r.text[start:r.at])
			r.at++
			return b.String(), nil
		case c < ' ':
			return "", errNotJSON
		case c != '\\':
			r.at++
			continue
		}
		b.WriteString(r.text[start:r.at])
		escape, ok := r.escape()
		if !ok {
			return "", errNotJSON
		}
		b.WriteRune(escape)
		start = r.at
	}
	return "", errNotJSON
}

// escape reads what a backslash begins. Half of a surrogate pair is U+FFFD, as
// encoding/json has it.
func (r *reader) escape() (rune, bool) {
	if r.at++; r.at == len(r.text) {
		return 0, false
	}
	if r.text[r.at] != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, r.text[r.at])
		r.at++
		if i < 0 {
			return 0, false
		}
		return rune("\"\\/\b\f\n\r\t"[i]), true
	}
	r.at++
	first, ok := fourDigits(r.text[r.at:])
	if !ok {
		return 0, false
	}
	r.at += 4
	if !utf16.IsSurrogate(first) {
		return first, true
	}
	if rest, found := strings.CutPrefix(r.text[r.at:], `\u`); found {
		second, _ := fourDigits(rest)
		if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
			r.at += len(`\u`) + 4
			return pair, true
		}
	}
	return utf8.RuneError, true
}

// fourDigits reads four hexadecimal digits.
func fourDigits(s string) (n rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range []byte(s[:4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | rune(c)
	}
	return n, true
}

// scalar reads a number, true, false, or null.
func (r *reader) scalar() (any, error) {
	rest := r.text[r.at:]
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(rest, word) {
			r.at += len(word)
			if word == "null" {
				return nil, nil
			}
			return Scalar(word), nil
		}
	}
	n := lengthOfNumber(rest)
	if n == 0 {
		return nil, errNotJSON
	}
	r.at += n
	return Scalar(rest[:n]), nil
}

// lengthOfNumber is how long the number is that a text begins with, 0 if it begins
// with none (RFC 8259, section 6).
func lengthOfNumber(s string) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	whole := digits(s[i:])
	if whole == 0 || whole > 1 && s[i] == '0' {
		return 0
	}
	i += whole
	if i < len(s) && s[i] == '.' {
		fraction := digits(s[i+1:])
		if fraction == 0 {
			return 0
		}
		i += 1 + fraction
	}
	if i == len(s) || s[i] != 'e' && s[i] != 'E' {
		return i
	}
	i++
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	exponent := digits(s[i:])
	if exponent == 0 {
		return 0
	}
	return i + exponent
}

// digits is how many digits a text begins with.
func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}
