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

// errInterimLeak is in the log of a request of which the client got only the
// final answer.
var errInterimLeak = errors.New("an interim answer of GitHub's contained the credential that it was asked with, or an App's key: it was left out")

// guardAnswer refuses an answer whose head contains one of the secrets, and
// makes the body fail where it does, within its first guardedBytes. Some
// services echo what they are sent: debug pages, error reports, a misconfigured
// proxy in front of an Enterprise Server. Of an App's key, which somebody may have
// committed, some lines of its PEM are looked for.
//
// Limitations: it looks for the secrets as they are sent and written, whatever
// the answer says of its coding. It does not see into compressed bodies, as
// clones and archives are, nor secrets in another encoding, as the API has files
// in base64, nor keys whose lines are not those of PEM, nor beyond the first
// guardedBytes. It looks for the keys of the App whose credential left, and for
// none where none did.
func guardAnswer(x *exchange, resp *http.Response) error {
	secrets := x.credential.Marks()
	if secrets.None() || resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if holdsAny(resp.Header, secrets) {
		return errLeak
	}
	if resp.Body != nil && resp.Body != http.NoBody {
		resp.Body = &guardedBody{ReadCloser: resp.Body, x: x, resp: resp, secrets: secrets, left: guardedBytes}
	}
	return nil
}

// mayPass reports whether the fields of an interim answer (1xx) may pass: it
// is left out where they contain a secret, since the client need not get it (RFC
// 9110, section 15.2).
func (x *exchange) mayPass(fields http.Header) bool {
	if !holdsAny(fields, x.credential.Marks()) {
		return true
	}
	x.interimLeak.Store(true)
	return false
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

// guardedBody is a body that ends with errLeak before a secret in it is read to
// its end.
type guardedBody struct {
	io.ReadCloser
	x       *exchange
	resp    *http.Response // for its trailers
	secrets *leak.Marks

	left    int    // octets still to be looked at
	held    []byte // read, but not passed on: it may be the beginning of a secret
	context []byte // the last that was passed on, less than withheld
	err     error  // ends the body
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
		g.err, g.x.err = errLeak, errLeak
		return 0, errLeak
	}
	if g.err = g.end(err); g.err != nil || g.left <= 0 {
		begun = 0
	}
	text, held := text[:len(text)-begun], text[len(text)-begun:]
	g.held = append(g.held[:0], held...)
	g.context = append(g.context, text[max(0, len(text)-withheld+1):]...)
	g.context = g.context[max(0, len(g.context)-withheld+1):]
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
		g.x.err = errLeak
		return errLeak
	}
	return err
}
