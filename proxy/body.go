package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// stall is for how long a client may neither send nor take a byte of a body.
const stall = 2 * time.Minute

// requestBody is a client's body on its way to GitHub. A client that stalls is
// cut off, and trailers that would mean something else as fields are dropped.
type requestBody struct {
	io.ReadCloser
	trailer http.Header

	mu      sync.Mutex
	control *http.ResponseController // nil when the handler has returned
}

// guardBody returns r with a requestBody for a body, before anybody reads it. r
// itself keeps its body: net/http looks at it when the handler has returned. The
// handler has to call done before that: who sends the body on may still be reading,
// and the connection is the next request's by then.
func guardBody(w http.ResponseWriter, r *http.Request) (guarded *http.Request, done func()) {
	if r.ContentLength == 0 {
		return r, func() {}
	}
	if r.Trailer == nil && r.ProtoMajor == 1 {
		r.Trailer = make(http.Header) // filled in when the body ends, announced or not
	}
	b := &requestBody{ReadCloser: r.Body, trailer: r.Trailer, control: http.NewResponseController(w)}
	b.dropTrailers()               // those that are announced
	r = r.WithContext(r.Context()) // a copy
	r.Body = b
	return r, b.done
}

func (b *requestBody) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.control = nil
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	b.setDeadline(time.Now().Add(stall))
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.setDeadline(time.Time{}) // or it would end the wait for a slow answer
		b.dropTrailers()
	}
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}

// bodyError is why a client's body could not be read: nobody else is to blame.
type bodyError struct{ error }

// Unwrap returns the cause.
func (e *bodyError) Unwrap() error { return e.error }

// refusal is the answer to the client; u is what it uses.
func (e *bodyError) refusal(u *usage) *refusal {
	if _, ok := errors.AsType[*http.MaxBytesError](e); ok {
		return u.bodyTooLarge()
	}
	f := &refusal{status: http.StatusBadRequest, code: "http_request_error", title: "the request's body could not be read: " + e.Error()}
	if errors.Is(e, os.ErrDeadlineExceeded) {
		f.status = http.StatusRequestTimeout
	}
	return f
}

// setDeadline is best effort: a connection that has none is closed already.
func (b *requestBody) setDeadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.control != nil {
		_ = b.control.SetReadDeadline(t)
	}
}

// outOfTrailers are fields that do not belong into trailers (RFC 9110, section
// 6.5.1): credentials, routing, framing and what says how a body is to be read.
// A server might merge them with the fields of the head.
var outOfTrailers = [...]string{
	"Authorization", "Proxy-Authorization", "Host", "Content-Length", "Transfer-Encoding", "Trailer",
	"Content-Encoding", "Content-Type", "Content-Range", "Connection", "Upgrade",
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "Cookie",
}

// dropTrailers drops trailers that would mean something else as fields.
func (b *requestBody) dropTrailers() {
	for name := range b.trailer {
		if slices.Contains(outOfTrailers[:], http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
			delete(b.trailer, name)
		}
	}
}
