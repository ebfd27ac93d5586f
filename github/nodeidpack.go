package github

import "encoding/binary"

// packed is the head of a MessagePack array; n counts all of its elements.
type packed struct {
	at [3]packedElement
	n  int
}

// packedElement is an unsigned integer or a string; the string of a number is
// "", and an empty string is not accepted.
type packedElement struct {
	number int64
	text   string
}

// unpack reads data as exactly one array of 2 to 15 unsigned integers and
// strings, all that GitHub uses. Integers must be in their shortest form;
// strings need not be: GitHub writes 40 bytes as str 16.
//
// Source: https://github.com/msgpack/msgpack/blob/master/spec.md, formats
// fixarray, positive fixint, uint 8 to 64, fixstr, str 8 and str 16.
func unpack(data []byte) (array packed, ok bool) {
	if len(data) == 0 || data[0]&0xf0 != 0x90 {
		return array, false
	}
	array.n = int(data[0] & 0x0f)
	data = data[1:]
	for i := range array.n {
		var element packedElement
		if element, data, ok = unpackElement(data); !ok {
			return array, false
		}
		if i < len(array.at) {
			array.at[i] = element
		}
	}
	return array, array.n >= 2 && len(data) == 0
}

func unpackElement(data []byte) (element packedElement, rest []byte, ok bool) {
	if len(data) == 0 {
		return element, nil, false
	}
	code, rest := data[0], data[1:]
	switch {
	case code < 0x80: // positive fixint
		element.number = int64(code)
		return element, rest, true
	case code >= 0xcc && code <= 0xcf: // uint 8, 16, 32, 64
		element.number, rest, ok = unpackUint(rest, 1<<(code-0xcc))
		return element, rest, ok
	case code&0xe0 == 0xa0: // fixstr
		return unpackString(rest, int(code&0x1f))
	case code == 0xd9 && len(rest) >= 1: // str 8
		return unpackString(rest[1:], int(rest[0]))
	case code == 0xda && len(rest) >= 2: // str 16
		return unpackString(rest[2:], int(binary.BigEndian.Uint16(rest)))
	}
	return element, nil, false
}

// unpackUint reads a big-endian number of size bytes that needs as many.
func unpackUint(data []byte, size int) (n int64, rest []byte, ok bool) {
	if len(data) < size {
		return 0, nil, false
	}
	var u uint64
	for _, c := range data[:size] {
		u = u<<8 | uint64(c)
	}
	least := uint64(1) << 7
	if size > 1 {
		least = 1 << (8 * (size / 2))
	}
	return int64(u), data[size:], u >= least && u < 1<<63
}

func unpackString(data []byte, size int) (element packedElement, rest []byte, ok bool) {
	if size == 0 || len(data) < size {
		return element, nil, false
	}
	element.text = string(data[:size])
	return element, data[size:], true
}
