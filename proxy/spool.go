package proxy

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

// maxReplay bounds the body that is kept to be sent again.
const maxReplay = 1 << 20

// readOnTime is how long the rest of a body is waited for that GitHub has not
// waited for: it refuses a credential by the head of a request.
const readOnTime = 2 * time.Second

// spooledBody keeps what was read of a request's body, as long as it is small.
type spooledBody struct {
	body   io.ReadCloser
	length int64 // -1 if it is not known

	turn sync.Mutex // of those who read: what they get is kept in its order

	mu       sync.Mutex // the transport may read on after it has returned an answer
	kept     bytes.Buffer
	complete bool // all of the body was read
	tooLarge bool
}

// spoolBody makes req's body keep what is read of it. nil means that there is
// no body.
func spoolBody(req *http.Request) *spooledBody {
	if req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	b := &spooledBody{body: req.Body, length: req.ContentLength, tooLarge: req.ContentLength > maxReplay}
	if b.length == 0 {
		b.length = -1 // http.Request.ContentLength: a body of an unknown length
	}
	req.Body, req.GetBody = b, b.again
	return b
}

// Read implements io.Reader.
func (b *spooledBody) Read(p []byte) (int, error) {
	b.turn.Lock()
	defer b.turn.Unlock()
	n, err := b.body.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.tooLarge, n == 0:
	case b.kept.Len()+n > maxReplay:
		b.tooLarge, b.kept = true, bytes.Buffer{}
	default:
		b.kept.Write(p[:n])
	}
	if err == io.EOF || !b.tooLarge && int64(b.kept.Len()) == b.length {
		b.complete = true // whoever knows the length need not read the end
	}
	return n, err
}

// Close implements io.Closer. What a transport has done with, another attempt may
// need; the handler closes the body.
func (b *spooledBody) Close() error { return nil }

// replayable reports whether all of the body is there to be sent again.
func (b *spooledBody) replayable() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.complete && !b.tooLarge
}

// readOn waits for what is still under way of a small body, and reports whether it
// is all there. The error is a *panics.Fault.
func (b *spooledBody) readOn(ctx context.Context) (kept bool, err error) {
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
	patience := time.NewTimer(readOnTime)
	defer patience.Stop()
	select {
	case err = <-read:
	case <-patience.C:
	case <-ctx.Done():
	}
	return err == nil && b.replayable(), err
}

// readRest reads until nothing is to be gained by it.
func (b *spooledBody) readRest() (fault error) {
	defer panics.Catch(&fault)
	buf := copyBuffers.Get()
	defer copyBuffers.Put(buf)
	for {
		if _, err := b.Read(buf); err != nil {
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

// rewind gives req its body anew. The body must be replayable.
func (b *spooledBody) rewind(req *http.Request) {
	if b != nil {
		req.Body = b.copy()
	}
}

// again is the request's GetBody.
func (b *spooledBody) again() (io.ReadCloser, error) {
	if !b.replayable() {
		return nil, errNotKept
	}
	return b.copy(), nil
}

// copy returns what was kept.
func (b *spooledBody) copy() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return io.NopCloser(bytes.NewReader(b.kept.Bytes()))
}
