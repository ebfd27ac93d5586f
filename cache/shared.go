package cache

import (
	"context"
	"io"
	"sync"

	"ghapp-proxy/panics"
)

// sharedChunk is the size of the largest part that a sharedBody is kept in.
const sharedChunk = 64 << 10

// sharedBody is a body that several read while it comes, each at his own pace.
type sharedBody struct {
	flight *flight
	memory int64 // that is reserved

	mu     sync.Mutex
	more   sync.Cond // signalled when there is more, or somebody may have left
	chunks [][]byte
	length int64
	ended  bool
	err    error // that it ended with
}

func newSharedBody(f *flight, memory int64) *sharedBody {
	s := &sharedBody{flight: f, memory: memory}
	s.more.L = &s.mu
	return s
}

// pump reads the body for all, until its end or until nobody is left.
func (s *sharedBody) pump(body io.ReadCloser) {
	err := s.copy(body)
	body.Close()
	s.mu.Lock()
	s.ended, s.err = true, err
	s.mu.Unlock()
	s.more.Broadcast()
	<-s.flight.Done() // nobody is left
	s.flight.of.cache.giveBack(s.memory)
}

func (s *sharedBody) copy(body io.Reader) (err error) {
	defer panics.Catch(&err)
	for {
		chunk := s.room()
		n, err := body.Read(chunk[len(chunk):cap(chunk)])
		s.mu.Lock()
		s.chunks[len(s.chunks)-1] = chunk[:len(chunk)+n]
		s.length += int64(n)
		s.mu.Unlock()
		s.more.Broadcast()
		if err != nil {
			return err
		}
	}
}

// room is the chunk that the next octets go into.
func (s *sharedBody) room() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.chunks); n > 0 && len(s.chunks[n-1]) < cap(s.chunks[n-1]) {
		return s.chunks[n-1]
	}
	chunk := make([]byte, 0, min(max(s.memory-sharedChunk-s.length, 512), sharedChunk))
	s.chunks = append(s.chunks, chunk)
	return chunk
}

// reader is the body for one of those aboard.
func (s *sharedBody) reader(ctx context.Context, mine *seat) io.ReadCloser {
	r := &sharedReader{body: s, ctx: ctx, mine: mine}
	r.stop = context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.more.Broadcast()
	})
	return r
}

// sharedReader reads a sharedBody.
type sharedReader struct {
	body *sharedBody
	ctx  context.Context
	mine *seat
	stop func() bool
	read int64
}

// Read implements io.Reader.
func (r *sharedReader) Read(p []byte) (int, error) {
	s := r.body
	s.mu.Lock()
	defer s.mu.Unlock()
	for r.read == s.length && !s.ended && r.ctx.Err() == nil {
		s.more.Wait()
	}
	switch {
	case r.ctx.Err() != nil:
		return 0, r.ctx.Err()
	case r.read == s.length:
		return 0, s.err
	}
	n := s.copyAt(p, r.read)
	r.read += int64(n)
	if r.read == s.length && s.ended && s.err == io.EOF {
		return n, io.EOF
	}
	return n, nil
}

// copyAt copies what begins at an offset, of one chunk. The body must be locked.
func (s *sharedBody) copyAt(p []byte, offset int64) int {
	for _, chunk := range s.chunks {
		if offset < int64(len(chunk)) {
			return copy(p, chunk[offset:])
		}
		offset -= int64(len(chunk))
	}
	return 0
}

// Close implements io.Closer.
func (r *sharedReader) Close() error {
	r.stop()
	r.mine.leave()
	return nil
}
