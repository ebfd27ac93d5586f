package proxy

import (
	"io"
	"net/http"
	"time"
)

// stall is for how long a client may neither send nor take a byte of a body.
const stall = 2 * time.Minute

// requestBody is a client's body on its way to GitHub. A client that stalls is
// cut off, and trailers that would mean something else as fields are dropped.
type requestBody struct {
	io.ReadCloser
	control *http.ResponseController
	trailer http.Header
}

// guardBody returns r with a requestBody for a body, before anybody reads it. r
// itself keeps its body: net/http looks at it when the handler has returned.
func guardBody(w http.ResponseWriter, r *http.Request) *http.Request {
	if r.ContentLength == 0 {
		return r
	}
	if r.Trailer == nil && r.ProtoMajor == 1 {
		r.Trailer = make(http.Header) // filled in when the body ends, announced or not
	}
	b := &requestBody{r.Body, http.NewResponseController(w), r.Trailer}
	b.dropTrailers()               // those that are announced
	r = r.WithContext(r.Context()) // a copy
	r.Body = b
	return r
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	b.setDeadline(time.Now().Add(stall))
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.setDeadline(time.Time{}) // or it would end the wait for a slow answer
		b.dropTrailers()
	}
	return n, err
}

// setDeadline is best effort: a connection that has none is closed already.
func (b *requestBody) setDeadline(t time.Time) { _ = b.control.SetReadDeadline(t) }

// dropTrailers drops what RFC 9110, section 6.5.1, does not allow in trailers:
// credentials, routing and framing.
func (b *requestBody) dropTrailers() {
	for _, name := range [...]string{"Authorization", "Proxy-Authorization", "Host", "Content-Length", "Transfer-Encoding", "Trailer"} {
		delete(b.trailer, name)
	}
}
