// Package h1 reads heads of HTTP/1.1 at a fraction of what net/http takes for it: the
// head becomes one string, of which all fields are parts.
//
//	resp, err := h1.ReadResponse(reader, req)
//	req, ok := h1.ParseRequest(head)
//
// It has a strict grammar, narrower than that of RFC 9112. What is not in it, and what
// is seldom, is left to net/http, octet for octet as it came. So the result is always
// that of http.ReadResponse and http.ReadRequest: FuzzReadResponse and FuzzParseRequest
// compare them.
package h1

import (
	"bufio"
	"io"
	"net/http"
	"strings"
)

// ReadResponse reads the head of an answer to req, which may be nil for a GET; the
// body is read on demand. It is http.ReadResponse, whose errors it has. A head that is
// larger than the reader's buffer costs what it costs there.
//
// The names are those of the fields as they are spelled, in their order, each field's
// first; nil where that is not known, or where the length of the body is told twice. The Memory is what the result is made of, nil for new one.
func ReadResponse(r *bufio.Reader, req *http.Request, m *Memory) (resp *http.Response, names []Name, err error) {
	size, err := peekHead(r)
	if err != nil || size == 0 {
		resp, err = http.ReadResponse(r, req) // which meets the error again
		return resp, nil, err
	}
	peeked, err := r.Peek(size)
	if err != nil {
		resp, err = http.ReadResponse(r, req)
		return resp, nil, err
	}
	m = m.orNew()
	a, head := &m.response, string(peeked)
	a.r = r
	ok := false
	if req == nil || req.Method != http.MethodHead {
		names, ok = a.parse(head, m)
	}
	if !ok {
		resp, err = http.ReadResponse(r, req)
		return resp, m.namesIn(head), err
	}
	if _, err := r.Discard(size); err != nil {
		return nil, nil, err
	}
	a.Request = req
	return &a.Response, names, nil
}

// namesIn are the names of the fields of a head, each field's first. It is nil if a field is not in the
// grammar, and if the body's length is there twice.
func (m *Memory) namesIn(head string) []Name {
	clear(m.header)
	line, lines, _ := strings.Cut(strings.TrimSuffix(head, "\r\n"), "\r\n")
	header, names, ok := m.fields(lines)
	if !ok || strings.Contains(line, "\n") || len(header["Content-Length"]) > 1 {
		return nil // net/http refuses two of Transfer-Encoding
	}
	return names
}

// peekHead returns the size of the head, its empty line included; 0 if it does not end
// within what the buffer takes, or cannot be read to its end.
func peekHead(r *bufio.Reader) (size int, err error) {
	for want := 1; ; want = r.Buffered() + 1 {
		if want > r.Size() {
			return 0, nil
		}
		if _, err := r.Peek(want); err != nil {
			return 0, err
		}
		seen, err := r.Peek(r.Buffered())
		if err != nil {
			return 0, err
		}
		if size := HeadSize(seen); size > 0 {
			return size, nil
		}
	}
}

// response is an answer and its body, which has a length.
type response struct {
	http.Response
	r    *bufio.Reader
	left int64
}

// parse reads the head, and reports whether it is in the grammar. If not, the response is of no use.
func (a *response) parse(head string, m *Memory) (names []Name, ok bool) {
	line, lines, _ := strings.Cut(head, "\r\n")
	if !a.parseStatus(line) {
		return nil, false
	}
	a.Header, names, ok = m.fields(strings.TrimSuffix(lines, "\r\n"))
	if !ok {
		return nil, false
	}
	for _, name := range names {
		switch name.Key {
		case "Transfer-Encoding", "Trailer", "Connection", "Pragma", "Upgrade":
			return nil, false // they change what the rest means, or how it is shown
		}
	}
	length := a.Header["Content-Length"]
	return names, len(length) == 1 && a.parseLength(length[0])
}

// parseStatus reads the status line: RFC 9112, section 4.
func (a *response) parseStatus(line string) bool {
	const version = "HTTP/1.1 "
	if len(line) < len(version)+4 || line[:len(version)] != version {
		return false
	}
	status := line[len(version):]
	for _, c := range []byte(status[:3]) {
		if c < '0' || c > '9' {
			return false
		}
		a.StatusCode = a.StatusCode*10 + int(c-'0')
	}
	switch {
	case status[3] != ' ', a.StatusCode < 200, a.StatusCode > 599, a.StatusCode == http.StatusNoContent, a.StatusCode == http.StatusNotModified:
		return false
	}
	for _, c := range []byte(status[4:]) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	a.Status, a.Proto, a.ProtoMajor, a.ProtoMinor = status, "HTTP/1.1", 1, 1
	// http.ReadResponse takes the line's trailing spaces away.
	return !strings.HasSuffix(status, " ") || len(status) == 4
}

// parseLength reads Content-Length, which there must be: RFC 9112, section 6.3.
func (a *response) parseLength(digits string) bool {
	length, ok := parseDigits(digits)
	if !ok {
		return false
	}
	a.ContentLength, a.left, a.Body = length, length, http.NoBody
	if a.left > 0 {
		a.Body = body{a}
	}
	return true
}

// parseDigits reads a length: RFC 9110, section 8.6.
func parseDigits(digits string) (n int64, ok bool) {
	if digits == "" || len(digits) > 18 { // which is less than an int64 takes
		return 0, false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// parseField reads a line "Name: value" with its end, without what may surround the value (RFC
// 9112, section 5). It sets the name, unless that is the one that is expected.
func parseField(line string, name *Name) (value string, ok bool) {
	line, ok = strings.CutSuffix(line, "\r\n")
	if !ok {
		return "", false
	}
	if n := len(name.Spelled); n > 0 && n < len(line) && line[n] == ':' && line[:n] == name.Spelled {
		value = TrimOWS(line[n+1:])
		return value, IsText(value)
	}
	spelled, value, _ := strings.Cut(line, ":")
	if !isName(spelled) || len(spelled) == len(line) {
		return "", false
	}
	*name, value = nameOf(spelled), TrimOWS(value)
	return value, IsText(value)
}

// isName reports whether a text is a token: RFC 9110, section 5.6.2.
func isName(text string) bool {
	for _, c := range []byte(text) {
		if !isToken[c] {
			return false
		}
	}
	return text != ""
}

// IsText reports whether a value has nothing but printable ASCII, spaces and tabs.
func IsText(value string) bool {
	for ; len(value) >= 8 && isPrintable(value[:8]); value = value[8:] {
	}
	for _, c := range []byte(value) {
		if c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// isPrintable reports whether each of eight octets is between ' ' and '~'.
func isPrintable(eight string) bool {
	const each = 0x0101010101010101
	_ = eight[7]
	word := uint64(eight[0]) | uint64(eight[1])<<8 | uint64(eight[2])<<16 | uint64(eight[3])<<24 |
		uint64(eight[4])<<32 | uint64(eight[5])<<40 | uint64(eight[6])<<48 | uint64(eight[7])<<56
	// Of the first that is not, one of the two has the highest bit: none before it borrows or carries.
	return ((word-' '*each)|(word+each))&(0x80*each) == 0
}

// TrimOWS takes off the optional whitespace around a value: RFC 9110, section 5.6.3.
// strings.Trim would set up its table for each.
func TrimOWS(value string) string {
	for value != "" && isOWS(value[0]) {
		value = value[1:]
	}
	for value != "" && isOWS(value[len(value)-1]) {
		value = value[:len(value)-1]
	}
	return value
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

// isToken are the octets of a token: RFC 9110, section 5.6.2.
var isToken = octets("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

// octets is the set of those in list.
func octets(list string) (set [256]bool) {
	for _, c := range []byte(list) {
		set[c] = true
	}
	return set
}

// body is the body of a response, which has a length.
type body struct{ *response }

// Read implements io.Reader. A body that is cut off is an io.ErrUnexpectedEOF.
func (b body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0:
		return n, io.ErrUnexpectedEOF
	case err == nil && b.left == 0:
		return n, io.EOF
	}
	return n, err
}

// Close implements io.Closer. It leaves what was not read where it is.
func (b body) Close() error { return nil }
