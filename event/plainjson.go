package event

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// PlainJSON is a line of JSON in which the characters that terminals do not show, but
// obey, are escaped: those that encoding/json leaves as they are. They can stand in
// strings only, so it means the same. The line may be changed.
func PlainJSON(line []byte) []byte {
	at := 0
	for ; at < len(line); at++ {
		if line[at] >= utf8.RuneSelf || line[at] == 0x7f {
			break
		}
	}
	if at == len(line) {
		return line
	}
	out := make([]byte, at, len(line)+16)
	copy(out, line)
	for at < len(line) {
		r, size := utf8.DecodeRune(line[at:])
		switch {
		case r < utf8.RuneSelf && r != 0x7f, unicode.IsPrint(r) && !(r == utf8.RuneError && size == 1):
			out = append(out, line[at:at+size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		at += size
	}
	return out
}
