package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/panics"
)

// requestBody is a client's body on its way to GitHub. A client that stalls is
// cut off, and trailers that would mean something else as fields are dropped.
// Transports read it from goroutines of their own, and go on when its request's
// handler has returned: from then on it gives an error.
type requestBody struct {
	io.ReadCloser
	trailer http.Header
	length  int64 // -1 if it is not known
	h2      bool  // the rest of it is in nobody's way
	expects bool  // the client waits to be told to send it

	watch      // its lock guards the rest
	begun bool // it was read from
	ended bool // it was read to its end
	spent bool // it did not come in time, so that no more of it can be read
}

// guardBody returns r with a requestBody for a body, before anybody reads it. r
// itself keeps its body: net/http looks at it when the handler has returned.
func guardBody(control http.ResponseController, r *http.Request, max stalls) (*http.Request, *requestBody) {
	if r.ContentLength == 0 || r.Method == http.MethodConnect {
		return r, nil
	}
	if r.Trailer == nil && r.ProtoMajor == 1 {
		r.Trailer = make(http.Header) // filled in when the body ends, announced or not
	}
	if r.ProtoMajor == 1 {
		// Without it an early answer to an upload waits for the upload
		// (golang/go issue 57786). net/http's own writer does not fail.
		_ = control.EnableFullDuplex()
	}
	b := &requestBody{
		ReadCloser: r.Body, trailer: r.Trailer, length: r.ContentLength, h2: r.ProtoMajor == 2, expects: r.Header["Expect"] != nil,
		watch: watch{control: control, expire: (*http.ResponseController).SetReadDeadline, limit: max.send},
	}
	if _, here := r.Body.(*bodyInHand); here {
		b.expire = nil // nobody waits for it
	}
	b.dropTrailers()               // those that are announced
	r = r.WithContext(r.Context()) // a copy
	r.Body = b
	return r, b
}

// bodyInHand is a body that has come. Its last octets come with its end, as from net/http:
// who reads no more than its length has read it all.
type bodyInHand struct{ left []byte }

// Read implements io.Reader.
func (b *bodyInHand) Read(p []byte) (n int, err error) {
	n = copy(p, b.left)
	if b.left = b.left[n:]; len(b.left) == 0 {
		err = io.EOF
	}
	return n, err
}

// Close implements io.Closer.
func (b *bodyInHand) Close() error { return nil }

// errHandlerDone is for those who read on when the request has been answered.
var errHandlerDone = errors.New("the request has been answered")

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (n int, err error) {
	defer panics.Catch(&err) // who calls it may not
	if !b.begin() {
		return 0, &bodyError{errHandlerDone}
	}
	n, err = b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting--
	b.begun = true
	if err == nil {
		return n, nil
	}
	if !b.over { // net/http does not read the trailers from here on
		b.dropTrailers()
	}
	if err != io.EOF {
		return n, &bodyError{err}
	}
	b.ended = true
	return n, io.EOF
}

// hasEnded reports whether the body was read to its end.
func (b *requestBody) hasEnded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

const (
	// settleTime is how long the answer to a body that nobody reads waits for
	// it, and maxSettle how much may be left of it: a connection can be kept only
	// if the next request begins where the body ends.
	settleTime = 250 * time.Millisecond
	maxSettle  = 256 << 10
)

// settle reads the rest of a body that nobody wants, if that is little and comes
// at once. It reports whether the connection can be kept.
func (b *requestBody) settle() bool {
	b.mu.Lock()
	kept, held := b.h2 || b.ended, b.expects && !b.begun // who reads a body asks the client for it
	b.mu.Unlock()
	if kept || held || b.spent || b.length > maxSettle {
		return kept
	}
	return b.discard(maxSettle, maxSettle, settleTime)
}

// discard reads on, up to most bytes, as long as some of them come within each
// window. It reports whether the body has ended. If not, no more can be read.
func (b *requestBody) discard(most, some int64, window time.Duration) (ended bool) {
	defer func() { b.spent = !ended }()
	buf := copyBuffers.Get()
	defer copyBuffers.Put(buf)
	for left := most; left > 0; left -= some {
		if b.control.SetReadDeadline(time.Now().Add(window)) != nil {
			return false
		}
		for got := int64(0); got < some; {
			n, err := b.Read(buf)
			got += int64(n)
			if err == io.EOF {
				return b.control.SetReadDeadline(time.Time{}) == nil
			}
			if err != nil {
				return false
			}
		}
	}
	return false
}

// leave says that nobody will read the body. It returns whether the connection
// is of no use then.
func (b *requestBody) leave() bool {
	b.close()
	if b.h2 || b.hasEnded() {
		return false
	}
	// Whoever reads it, and net/http to find its end, is not to wait for it.
	_ = b.control.SetReadDeadline(longAgo)
	return true
}

var unreadBody = answer.Define(answer.Kind{
	Status: http.StatusBadRequest, Code: answer.RequestError,
	Title: "the request's body could not be read: %v",
})

var lateBody = answer.Define(answer.Kind{
	Status: http.StatusRequestTimeout, Code: answer.RequestError,
	Title: "the request's body could not be read in time: %v",
})

// bodyError is why a client's body could not be read: nobody else is to blame.
type bodyError struct{ error }

// Unwrap returns the cause.
func (e *bodyError) Unwrap() error { return e.error }

// refusal is the answer to the client; u is what it uses.
func (e *bodyError) refusal(u *usage) *answer.Refusal {
	if _, ok := errors.AsType[*http.MaxBytesError](e); ok {
		return u.bodyTooLarge()
	}
	if errors.Is(e, os.ErrDeadlineExceeded) {
		return lateBody.Refuse(e)
	}
	return unreadBody.Refuse(e)
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

// limitedBody is a body with a limit, whose error says that it is the client's.
type limitedBody struct{ io.ReadCloser }

// limitBody returns a body of which n bytes at most can be read.
func limitBody(body io.ReadCloser, n int64) io.ReadCloser {
	return limitedBody{http.MaxBytesReader(nil, body, n)}
}

// Read implements io.Reader.
func (b limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		err = &bodyError{err}
	}
	return n, err
}
