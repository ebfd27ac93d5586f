// Package replay keeps what is read of the bodies of HTTP messages, so that it can
// be read again: a request's, to be sent once more, and the beginning of an
// answer's, to be looked at.
package replay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"ghapp-proxy/panics"
)

// Max bounds the body that is kept to be sent again.
const Max = 1 << 20

// ErrNotKept is for a body that cannot be sent again.
var ErrNotKept = errors.New("the connection was lost before all of the request's body was read")

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// ReadOnTime is how long the rest of a body is waited for that GitHub has not
// waited for: it refuses a credential by the head of a request.
const ReadOnTime = 2 * time.Second

// Body keeps what was read of a request's body, as long as it is small.
type Body struct {
	getBody func() (io.ReadCloser, error) // the request's own, nil for none: nothing need be kept then

	body   io.ReadCloser
	length int64 // -1 if it is not known

	turn sync.Mutex // of those who read: what they get is kept in its order

	mu       sync.Mutex // the transport may read on after it has returned an answer
	read     bytes.Buffer
	complete bool // all of the body was read
	tooLarge bool
}

// Keep makes req's body keep what is read of it. nil means that there is
// no body.
func Keep(req *http.Request) *Body {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	if req.GetBody != nil && 0 < req.ContentLength && req.ContentLength <= Max {
		return &Body{getBody: req.GetBody}
	}
	b := &Body{body: req.Body, length: req.ContentLength, tooLarge: req.ContentLength > Max}
	if b.length == 0 {
		b.length = -1 // http.Request.ContentLength: a body of an unknown length
	}
	req.Body, req.GetBody = b, b.again
	return b
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	n, err := b.body.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.tooLarge, n == 0:
	case b.read.Len()+n > Max:
		b.tooLarge, b.read = true, bytes.Buffer{}
	default:
		b.read.Write(p[:n])
	}
	if err == io.EOF || !b.tooLarge && int64(b.read.Len()) == b.length {
		b.complete = true // whoever knows the length need not read the end
	}
	return n, err
}

// Close implements io.Closer. What a transport has done with, another attempt may
// need; the handler closes the body.
func (b *Body) Close() error { return nil }

// replayable reports whether all of the body is there to be sent again.
func (b *Body) replayable() bool {
	if b == nil || b.getBody != nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.complete && !b.tooLarge
}

// ReadOn waits for what is still under way of a small body, and reports whether it
// is all there. The error is a *panics.Fault.
func (b *Body) ReadOn(ctx context.Context) (kept bool, err error) {
	if b.replayable() {
		return true, nil
	}
	b.mu.Lock()
	hopeless := b.tooLarge || b.complete
	b.mu.Unlock()
	if hopeless {
		return false, nil
	}
	read := make(chan error, 1)
	go func() { read <- b.readRest() }() // ends with the body, at the latest with its handler
	patience := time.NewTimer(ReadOnTime)
	defer patience.Stop()
	select {
	case err = <-read:
	case <-patience.C:
	case <-ctx.Done():
	}
	return err == nil && b.replayable(), err
}

// readRest reads until nothing is to be gained by it.
func (b *Body) readRest() (fault error) {
	defer panics.Catch(&fault)
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		if _, err := b.Read(buf[:]); err != nil {
			if caught, ok := errors.AsType[*panics.Fault](err); ok {
				return caught
			}
			return nil // whoever sends the body on is told, too
		}
		b.mu.Lock()
		done := b.complete || b.tooLarge
		b.mu.Unlock()
		if done {
			return nil
		}
	}
}

// Rewind gives req its body anew. ReadOn must have said that it is all there.
func (b *Body) Rewind(req *http.Request) (err error) {
	switch {
	case b == nil:
	case b.getBody != nil:
		req.Body, err = b.getBody()
	default:
		req.Body = b.copy()
	}
	return err
}

// again is the request's GetBody.
func (b *Body) again() (io.ReadCloser, error) {
	if !b.replayable() {
		return nil, ErrNotKept
	}
	return b.copy(), nil
}

// copy returns what was kept.
func (b *Body) copy() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return io.NopCloser(bytes.NewReader(b.read.Bytes()))
}
