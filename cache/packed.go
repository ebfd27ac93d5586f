package cache

import "encoding/binary"

// packed are texts in one string, each with its length before it. What is kept for long is packed: the
// garbage collector has one pointer to follow then, and not one for each text.
type packed string

// appendText adds a text to some that are being packed.
func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// next is the first text, and what follows it.
func (p packed) next() (text string, rest packed) {
	length, at := 0, 0
	for more, shift := true, 0; more; at, shift = at+1, shift+7 {
		length |= int(p[at]&0x7f) << shift
		more = p[at] >= 0x80
	}
	return string(p[at : at+length]), p[at+length:]
}

// field is a field of a request or an answer.
type field struct{ name, value string }

// fields are what appendFields has packed, added to a list. They have no memory of their own.
func (p packed) fields(to []field) []field {
	for p != "" {
		var f field
		f.name, p = p.next()
		f.value, p = p.next()
		to = append(to, f)
	}
	return to
}

func appendFields(to []byte, fields []field) []byte {
	for _, f := range fields {
		to = appendText(appendText(to, f.name), f.value)
	}
	return to
}
