package proxy

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"sync"
)

const (
	// maxReplay bounds the body that is kept to be sent again.
	maxReplay = 1 << 20
	// maxPeek bounds what is read of an answer to see what it complains about.
	maxPeek = 4 << 10
)

// healer is the transport to GitHub. Where GitHub refuses an installation
// token that should be good, it tries again: with the same token if that was
// just minted and may not be known everywhere, else with a new one, or that of the
// installation that covers the repository now. Where it does not know the key of an App's JWT, another key has its turn; where it does
// not agree with its times, one by GitHub's clock. It is safe
// because a refused request was not carried out, and never a loop: GitHub locks
// out who fails to log in too often.
type healer struct {
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (h *healer) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	if x.credential.Installation == 0 && !x.credential.JWT() {
		return h.next.RoundTrip(req)
	}
	if err := prove(req, x); err != nil {
		return nil, err
	}
	body := spoolBody(req)
	for attempt := 1; ; attempt++ {
		x.tries = attempt
		resp, err := h.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		why := complaintOf(x, resp)
		if why == noComplaint {
			return resp, nil
		}
		if !body.replayable() {
			if why == aboutToken {
				x.source.Refused(x.credential)
			}
			return resp, nil
		}
		again, err := x.mend(req.Context(), resp, why)
		if err != nil {
			resp.Body.Close()
			return nil, err
		}
		if !again {
			return resp, nil
		}
		resp.Body.Close() // and from here on the request may be changed
		body.rewind(req)
		x.setAuthorization(req)
	}
}

// credentialError says why there is no other credential instead of one that
// GitHub refuses. GitHub's "Bad credentials" would blame the client's.
type credentialError struct{ error }

// Unwrap returns the cause.
func (e credentialError) Unwrap() error { return e.error }

// peek returns the beginning of an answer's body, which stays readable; also
// where it is compressed as most clients ask for.
func peek(resp *http.Response) string {
	beginning, _ := io.ReadAll(io.LimitReader(resp.Body, maxPeek)) // an error is met again
	resp.Body = replayed{io.MultiReader(bytes.NewReader(beginning), resp.Body), resp.Body}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(beginning))
		if err != nil {
			return ""
		}
		beginning, _ = io.ReadAll(io.LimitReader(unzipped, maxPeek)) // what there is of it
	}
	return string(beginning)
}

// spooledBody keeps what was read of a request's body, as long as it is small.
type spooledBody struct {
	io.ReadCloser

	mu       sync.Mutex // the transport may read on after it has returned an answer
	kept     bytes.Buffer
	complete bool // the body was read to its end
	tooLarge bool
}

// spoolBody makes req's body keep what is read of it. nil means that there is
// no body.
func spoolBody(req *http.Request) *spooledBody {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	b := &spooledBody{ReadCloser: req.Body, tooLarge: req.ContentLength > maxReplay}
	req.Body, req.GetBody = b, b.again
	return b
}

// Read implements io.Reader.
func (b *spooledBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.tooLarge:
	case b.kept.Len()+n > maxReplay:
		b.tooLarge, b.kept = true, bytes.Buffer{}
	default:
		b.kept.Write(p[:n])
	}
	if err == io.EOF {
		b.complete = true
	}
	return n, err
}

// replayable reports whether all of the body is there to be sent again.
func (b *spooledBody) replayable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.complete && !b.tooLarge
}

// rewind gives req its body anew. The body must be replayable.
func (b *spooledBody) rewind(req *http.Request) {
	if b != nil {
		req.Body = io.NopCloser(bytes.NewReader(b.kept.Bytes()))
	}
}

// again is the request's GetBody.
func (b *spooledBody) again() (io.ReadCloser, error) {
	if !b.replayable() {
		return nil, errNotKept
	}
	return io.NopCloser(bytes.NewReader(b.kept.Bytes())), nil
}
