package cache

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"sync"
)

// maxPlain bounds a body without its coding, in bytes: a small one can be made that
// unpacks to no end.
const maxPlain = 16 << 20

// errTooLong is for a body that unpacks to more.
var errTooLong = errors.New("the body unpacks to too much")

// work is what it takes to compute an ETag.
type work struct {
	sum    hash.Hash
	source chunkReader
	packed bufio.Reader
	gzip   gzip.Reader
	buf    []byte
	out    Tag
}

var works = sync.Pool{New: func() any { return &work{sum: sha256.New(), buf: make([]byte, 32<<10)} }}

// coding is how the octets of a body become those that are in its ETag.
type coding struct {
	gzip   bool
	pretty bool // it was printed for people: without the space that is for them, it is as before
}

// tag computes the ETag of a body; look sees it without its coding, nil for not.
func (w *work) tag(prefix []byte, body [][]byte, c coding, look func([]byte)) (Tag, error) {
	w.sum.Reset()
	w.sum.Write(prefix)
	w.source = chunkReader{chunks: body}
	defer func() { w.source = chunkReader{} }()
	var plain io.Reader = &w.source
	if c.gzip {
		w.packed.Reset(&w.source)
		if err := w.gzip.Reset(&w.packed); err != nil {
			return Tag{}, err
		}
		plain = &w.gzip
	}
	var squeeze squeezer
	for length := 0; ; {
		n, err := plain.Read(w.buf)
		if length += n; length > maxPlain {
			return Tag{}, errTooLong
		}
		text := w.buf[:n]
		if look != nil && n > 0 {
			look(text)
		}
		if c.pretty {
			text = squeeze.squeeze(text)
		}
		w.sum.Write(text)
		switch {
		case err == io.EOF:
			w.sum.Sum(w.out[:0])
			return w.out, nil
		case err != nil:
			return Tag{}, err
		}
	}
}

// squeezer drops the space between the tokens of a JSON text: RFC 8259, section 2.
type squeezer struct{ inString, escaped bool }

// squeeze squeezes the next part of a text in place.
func (s *squeezer) squeeze(text []byte) []byte {
	kept := text[:0]
	for _, c := range text {
		switch {
		case s.escaped:
			s.escaped = false
		case s.inString && c == '\\':
			s.escaped = true
		case c == '"':
			s.inString = !s.inString
		case !s.inString && (c == ' ' || c == '\n' || c == '\r' || c == '\t'):
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

// signs are what an answer has in it that is not to be kept: URLs that are a credential, and
// clone tokens. docs.github.com "Get repository content" has the first; storage services the rest.
var signs = [...][]byte{
	[]byte("?token="), []byte("&token="), []byte(`\u0026token=`), []byte("?jwt="), []byte("&jwt="), []byte(`\u0026jwt=`),
	[]byte("?sig="), []byte("&sig="), []byte(`\u0026sig=`), []byte("X-Amz-Signature="), []byte("X-Goog-Signature="), []byte("&Signature="),
}

const (
	cloneToken = `"temp_clone_token"`
	longest    = len(cloneToken) + 64 // of what is looked for, with space in between
)

// searcher looks for signs in a text that comes in parts.
type searcher struct {
	secret []byte // that must not be in it either, nil for none
	tail   []byte // the end of what came before
	found  bool
}

// look looks at the next part.
func (s *searcher) look(text []byte) {
	if s.found {
		return
	}
	keep := longest + len(s.secret)
	s.tail = append(s.tail, text[:min(len(text), keep)]...)
	s.found = s.holds(s.tail) || s.holds(text)
	if len(text) >= keep {
		s.tail = append(s.tail[:0], text[len(text)-keep:]...)
		return
	}
	s.tail = append(s.tail[:0], s.tail[max(0, len(s.tail)-keep):]...)
}

func (s *searcher) holds(text []byte) bool {
	return holdsSign(text) || len(s.secret) > 0 && bytes.Contains(text, s.secret)
}

func holdsSign(text []byte) bool {
	for _, sign := range signs {
		if bytes.Contains(text, sign) {
			return true
		}
	}
	for {
		_, after, found := bytes.Cut(text, []byte(cloneToken))
		if !found {
			return false
		}
		if value := bytes.TrimLeft(after, ": \t\r\n"); len(value) >= 2 && value[0] == '"' && value[1] != '"' {
			return true
		}
		text = after
	}
}

// chunkReader reads a body.
type chunkReader struct {
	chunks [][]byte
	at     int // in the first
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.chunks) > 0 {
		m := copy(p[n:], r.chunks[0][r.at:])
		n, r.at = n+m, r.at+m
		if r.at == len(r.chunks[0]) {
			r.chunks, r.at = r.chunks[1:], 0
		}
	}
	if len(r.chunks) == 0 {
		return n, io.EOF
	}
	return n, nil
}
