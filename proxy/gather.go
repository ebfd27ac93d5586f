package proxy

import (
	"io"
	"sync"

	"ghapp-proxy/internal/poison"
)

const (
	// maxPlaintext is what a TLS record may hold: RFC 8446, section 5.1.
	maxPlaintext = 16 << 10
	// gatherSize is what the records take of all that an answerWriter holds, with their
	// headers, tags and padding.
	gatherSize = maxHeld + (maxHeld/maxPlaintext+1)*(recordSize-maxPlaintext)
)

var gatherBuffers = sync.Pool{New: func() any { return new([gatherSize]byte) }}

// gather is under a TLS connection, which writes each record by itself. Between begin and
// end they are held, so that they leave in one write. What others of the connection's
// write meanwhile, as alerts, keeps its place among them.
type gather struct {
	mu   sync.Mutex
	buf  *[gatherSize]byte // nil while nothing is held
	held int               // octets in it
	err  error             // of a write of what was held: TLS does not know that it failed
}

// begin holds what is written from now on.
func (g *gather) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.buf = gatherBuffers.Get().(*[gatherSize]byte)
}

// end writes what was held. Nothing is held any more.
func (g *gather) end(to io.Writer) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flush(to)
	poison.Over(g.buf[:])
	gatherBuffers.Put(g.buf)
	g.buf = nil
	return g.err
}

// write writes p, or holds it.
func (g *gather) write(to io.Writer, p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.buf != nil && len(p) > gatherSize-g.held {
		g.flush(to)
	}
	switch {
	case g.err != nil:
		return 0, g.err
	case g.buf == nil || len(p) > gatherSize:
		return to.Write(p)
	}
	g.held += copy(g.buf[g.held:], p)
	return len(p), nil
}

// flush writes what is held.
func (g *gather) flush(to io.Writer) {
	if g.err == nil && g.held > 0 {
		_, g.err = to.Write(g.buf[:g.held])
	}
	g.held = 0
}
