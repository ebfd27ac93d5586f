package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// cloneTokenKey is the member of GitHub's repository objects whose value is a
// short-lived credential to clone a private repository.
const cloneTokenKey = "temp_clone_token"

// errEncoded is for an answer in which the clone token cannot be found.
var errEncoded = errors.New("GitHub sent a compressed answer although none was asked for, and a clone token in it could not be blanked")

// askForPlainText makes a request's answer one that can be filtered.
func askForPlainText(out *http.Request) {
	out.Header.Set("Accept-Encoding", "identity")
	for _, name := range [...]string{"Range", "If-Range", "If-None-Match"} {
		delete(out.Header, name) // they are about the unfiltered text
	}
}

// maxFilteredWhole is how long a body is, at most, that is filtered before it is passed
// on, so that it has a length again: one without is sent in pieces.
const maxFilteredWhole = 32 << 10

// blankCloneTokens filters the answer's body, which loses its entity tag, and its
// length where it is long or not known: they are the unfiltered text's.
func blankCloneTokens(resp *http.Response) error {
	if !hasBody(resp.StatusCode) || resp.Request.Method == http.MethodHead {
		return nil
	}
	if !isPlain(resp.Header) {
		return errEncoded
	}
	for _, name := range [...]string{"Content-Length", "Etag", "Digest", "Content-Digest", "Content-Md5"} {
		delete(resp.Header, name)
	}
	filter := &cloneTokenFilter{ReadCloser: resp.Body}
	length := resp.ContentLength
	resp.Body, resp.ContentLength = filter, -1
	if 0 < length && length <= maxFilteredWhole {
		filter.readWhole(resp, length)
	}
	return nil
}

// readWhole filters a body of that length. One that breaks off does so as well when it
// is passed on.
func (f *cloneTokenFilter) readWhole(resp *http.Response, length int64) {
	text := make([]byte, length+1) // one more, so that its end is read, too
	n, err := io.ReadFull(f.ReadCloser, text)
	complete := int64(n) == length && err == io.ErrUnexpectedEOF
	text = text[:f.filter(text[:n])]
	from := io.Reader(bytes.NewReader(text))
	if complete {
		resp.ContentLength = int64(len(text))
		resp.Header["Content-Length"] = []string{strconv.Itoa(len(text))}
	} else {
		from = io.MultiReader(from, brokenOff{err})
	}
	resp.Body = readWhole{from, f.ReadCloser}
}

// readWhole is a body that was read before.
type readWhole struct {
	io.Reader
	io.Closer
}

// brokenOff is what follows a body that broke off.
type brokenOff struct{ err error }

// Read implements io.Reader.
func (b brokenOff) Read([]byte) (int, error) { return 0, b.err }

// isPlain reports whether an answer has no content coding. Codings are
// case-insensitive, and an element of a list may be empty (RFC 9110, sections
// 8.4.1 and 5.6.1.2).
func isPlain(h http.Header) bool {
	for _, value := range h["Content-Encoding"] {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.Trim(coding, " \t"); coding != "" && !strings.EqualFold(coding, "identity") {
				return false
			}
		}
	}
	return true
}

// cloneTokenFilter empties every string that is the value of a member
// temp_clone_token in a JSON text, wherever it is and however its name is
// escaped. It changes nothing else, and holds nothing back: a text of other
// media types passes through it, too.
type cloneTokenFilter struct {
	io.ReadCloser

	at      place
	matched int    // octets of the string that are the key's, -1 if it is another
	escape  int    // octets of an escape so far, its backslash among them
	code    uint16 // what its digits so far say
}

// place is where in the JSON text the filter is.
type place uint8

const (
	between  place = iota // outside of strings
	inString              // in a string that may be the key
	afterKey              // after the key, before its colon
	beforeIt              // before the value
	inToken               // in the value
)

// Read implements io.Reader.
func (f *cloneTokenFilter) Read(p []byte) (int, error) {
	for {
		n, err := f.ReadCloser.Read(p)
		if n = f.filter(p[:n]); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// filter drops what must not pass from text, in place, and returns the length
// of what is left.
func (f *cloneTokenFilter) filter(text []byte) int {
	kept := 0
	for i := 0; i < len(text); {
		if n := f.unmoved(text[i:]); n > 0 {
			kept += copy(text[kept:], text[i:i+n])
			i += n
			continue
		}
		if f.passes(text[i]) {
			text[kept] = text[i]
			kept++
		}
		i++
	}
	return kept
}

// unmoved is how many octets at the beginning of a text pass, and leave the filter
// where it is.
func (f *cloneTokenFilter) unmoved(text []byte) int {
	switch {
	case f.at == between:
		if n := bytes.IndexByte(text, '"'); n >= 0 {
			return n
		}
		return len(text)
	case f.at == inString && f.matched < 0 && f.escape == 0:
		for n, c := range text {
			if c == '"' || c == '\\' {
				return n
			}
		}
		return len(text)
	}
	return 0
}

// passes takes one octet and reports whether it may pass.
func (f *cloneTokenFilter) passes(c byte) bool {
	switch f.at {
	case between:
		if c == '"' {
			f.at, f.matched = inString, 0
		}
	case inString:
		f.inString(c)
	case afterKey, beforeIt:
		f.afterKey(c)
	case inToken:
		closing := c == '"' && f.escape == 0
		switch {
		case closing:
			f.at = between
		case c == '\\' && f.escape == 0:
			f.escape = 1
		default:
			f.escape = 0
		}
		return closing
	}
	return true
}

func (f *cloneTokenFilter) inString(c byte) {
	switch {
	case f.escape != 0:
		f.inEscape(c)
	case c == '\\':
		f.escape = 1
	case c == '"':
		f.at = between
		if f.matched == len(cloneTokenKey) {
			f.at = afterKey
		}
	case f.matched >= 0 && f.matched < len(cloneTokenKey) && c == cloneTokenKey[f.matched]:
		f.matched++
	default:
		f.matched = -1
	}
}

// inEscape takes an octet of an escape after its backslash (RFC 8259, section
// 7). Of those without digits none stands for what is in the key.
func (f *cloneTokenFilter) inEscape(c byte) {
	if f.escape == 1 {
		f.escape, f.code = 0, 0
		if c == 'u' {
			f.escape = 2
		} else {
			f.matched = -1
		}
		return
	}
	digit, err := strconv.ParseUint(string(c), 16, 8)
	if err != nil { // no JSON
		f.escape, f.matched = 0, -1
		f.inString(c)
		return
	}
	f.code = f.code<<4 | uint16(digit)
	if f.escape++; f.escape < 6 {
		return
	}
	f.escape = 0
	if f.matched >= 0 && f.matched < len(cloneTokenKey) && f.code == uint16(cloneTokenKey[f.matched]) {
		f.matched++
	} else {
		f.matched = -1
	}
}

func (f *cloneTokenFilter) afterKey(c byte) {
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r': // RFC 8259, section 2
	case c == ':' && f.at == afterKey:
		f.at = beforeIt
	case c == '"' && f.at == beforeIt:
		f.at = inToken
	case c == '"':
		f.at, f.matched = inString, 0
	default:
		f.at = between // null, or the string was no member's name
	}
}
