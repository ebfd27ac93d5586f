package policy

import (
	"errors"
	"fmt"
	"io"
)

// Sizes of a pkt-line with its four digits (gitprotocol-common(5), "pkt-line
// Format").
const (
	pktHead = 4
	maxPkt  = 65520
)

var (
	errPktLength = errors.New("a pkt-line's length is not one of a command list")
	errPushLarge = fmt.Errorf("the command list is longer than %d bytes: push fewer refs at once", maxPushHead)
)

// pktReader reads pkt-lines, keeps what it has read, and never reads past the
// line that it returns.
type pktReader struct {
	r   io.Reader
	raw []byte
}

// next returns a line without its length, nil for a flush. Lines stay as they
// are when more are read. An end of the input is io.ErrUnexpectedEOF.
func (p *pktReader) next() ([]byte, error) {
	head, err := p.read(pktHead)
	if err != nil {
		return nil, err
	}
	switch size := parsePktLength(head); {
	case size == 0:
		return nil, nil
	case size <= pktHead || size > maxPkt:
		// Also the delimiter packets of protocol version 2, which git takes
		// for the end of the list, and empty lines.
		return nil, errPktLength
	default:
		return p.read(size - pktHead)
	}
}

// read returns the next n bytes.
func (p *pktReader) read(n int) ([]byte, error) {
	start := len(p.raw)
	if start+n > maxPushHead {
		return nil, errPushLarge
	}
	p.raw = append(p.raw, make([]byte, n)...)
	got, err := io.ReadFull(p.r, p.raw[start:])
	if err != nil {
		p.raw = p.raw[:start+got]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return p.raw[start : start+n : start+n], nil
}

// parsePktLength reads four hexadecimal digits, small letters only as every git
// writes them; -1 for anything else.
func parsePktLength(digits []byte) int {
	size := 0
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			size = size<<4 | int(c-'0')
		case 'a' <= c && c <= 'f':
			size = size<<4 | int(c-'a'+10)
		default:
			return -1
		}
	}
	return size
}

// appendPkt appends a pkt-line. What does not fit into one is cut off.
func appendPkt(to []byte, parts ...string) []byte {
	start := len(to)
	to = append(to, "0000"...)
	for _, part := range parts {
		to = append(to, part[:min(len(part), start+maxPkt-len(to))]...)
	}
	copy(to[start:], fmt.Sprintf("%04x", len(to)-start))
	return to
}

// flushPkt ends a list of pkt-lines.
const flushPkt = "0000"

// appendBand appends data as a sideband, in packets of at most maxBand bytes
// (gitprotocol-pack(5), "Packfile Data").
func appendBand(to []byte, band string, data []byte, maxBand int) []byte {
	for room := maxBand - pktHead - len(band); len(data) > 0; {
		n := min(len(data), room)
		to = appendPkt(to, band, string(data[:n]))
		data = data[n:]
	}
	return to
}
