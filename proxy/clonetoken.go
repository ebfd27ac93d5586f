package proxy

import (
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

// blankCloneTokens filters the answer's body, which loses its length and its
// entity tag: they are the unfiltered text's.
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
	resp.ContentLength = -1
	resp.Body = &cloneTokenFilter{ReadCloser: resp.Body}
	return nil
}

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
	for _, c := range text {
		if f.passes(c) {
			text[kept] = c
			kept++
		}
	}
	return kept
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
