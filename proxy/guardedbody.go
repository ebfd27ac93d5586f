package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"ghapp-proxy/leak"
)

const (
	// guardedBytes is how much of an answer's body is looked at.
	guardedBytes = 64 << 10
	// withheld is from which length on the beginning of a secret at the end of
	// a read waits for what follows.
	withheld = leak.MinBeginning
)

// errLeak ends an answer that must not reach the client.
var errLeak = errors.New("GitHub's answer contains the credential that it was asked with, or an App's key")

// guardedBody is a body that ends with errLeak before a secret in it is read to
// its end.
type guardedBody struct {
	io.ReadCloser
	resp    *http.Response // for its trailers
	secrets *leak.Marks

	left    int    // octets still to be looked at
	held    []byte // read, but not passed on: it may be the beginning of a secret
	context []byte // the last that was passed on, less than withheld
	room    [2 * withheld]byte
	err     error // ends the body
}

// begin makes it the body of an answer.
func (g *guardedBody) begin(resp *http.Response, secrets *leak.Marks) io.ReadCloser {
	*g = guardedBody{ReadCloser: resp.Body, resp: resp, secrets: secrets, left: guardedBytes}
	g.context = g.room[:0]
	return g
}

// Read implements io.Reader. p must be longer than a secret.
func (g *guardedBody) Read(p []byte) (int, error) {
	for {
		n, err := g.read(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (g *guardedBody) read(p []byte) (int, error) {
	switch {
	case g.err != nil:
		return 0, g.err
	case g.left <= 0 && len(g.held) == 0:
		n, err := g.ReadCloser.Read(p)
		return n, g.end(err)
	case len(p) <= len(g.held):
		return 0, io.ErrShortBuffer
	}
	n, err := g.ReadCloser.Read(p[copy(p, g.held):])
	g.left -= n
	text := p[:len(g.held)+n]
	begun, found := g.look(text)
	if found {
		g.err = errLeak
		return 0, errLeak
	}
	if g.err = g.end(err); g.err != nil || g.left <= 0 {
		begun = 0
	}
	text, held := text[:len(text)-begun], text[len(text)-begun:]
	g.held = append(g.held[:0], held...)
	passed := append(g.context, text[max(0, len(text)-withheld+1):]...)
	g.context = append(g.room[:0], passed[max(0, len(passed)-withheld+1):]...)
	return len(text), g.err
}

// look reports whether a secret ends in text, and how much at the end of text
// may be the beginning of one.
func (g *guardedBody) look(text []byte) (begun int, found bool) {
	seen := text
	if len(g.context) > 0 && len(text) > 0 {
		// What ends in text may have begun before.
		longest := g.secrets.Longest()
		seen = slices.Concat(g.context, text[:min(len(text), longest)])
		if g.secrets.Find(seen) {
			return 0, true
		}
		if len(text) > longest {
			seen = text
		}
	}
	return min(g.secrets.Beginning(seen), len(text)), g.secrets.Find(text)
}

// end looks at the trailers when the body has ended with err.
func (g *guardedBody) end(err error) error {
	if err == io.EOF && holdsAny(g.resp.Trailer, g.secrets) {
		return errLeak
	}
	return err
}

// holdsAny reports whether a field contains one of the secrets: in its name in
// letters of whatever case, which net/http and HTTP/2 change.
func holdsAny(fields http.Header, secrets *leak.Marks) bool {
	for name, values := range fields {
		if secrets.InFolded(name) {
			return true
		}
		for _, value := range values {
			if secrets.In(value) {
				return true
			}
		}
	}
	return false
}
