package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync"
)

// prefixConn replays bytes that were read from a connection too early.
type prefixConn struct {
	net.Conn
	prefix bytes.Reader
}

// withPrefix returns conn with what r has buffered put back in front; conn
// itself if that is nothing, so that the kernel can splice it.
func withPrefix(conn net.Conn, r *bufio.Reader) net.Conn {
	n := r.Buffered()
	if n == 0 {
		return conn
	}
	early := make([]byte, n)
	if _, err := io.ReadFull(r, early); err != nil {
		panic("proxy: bufio.Reader lost what it had buffered") // cannot happen
	}
	c := &prefixConn{Conn: conn}
	c.prefix.Reset(early)
	return c
}

// unread returns conn with bytes that were read from it put back in front.
func unread(conn net.Conn, read []byte) net.Conn {
	c := &prefixConn{Conn: conn}
	if early, ok := conn.(*prefixConn); ok { // copyHalf looks for one layer
		c.Conn = early.Conn
		rest := make([]byte, early.prefix.Len())
		n, _ := early.prefix.Read(rest) // a bytes.Reader does not fail
		read = append(read, rest[:n]...)
	}
	c.prefix.Reset(read)
	return c
}

// Read implements net.Conn.
func (c *prefixConn) Read(p []byte) (int, error) {
	if c.prefix.Len() > 0 {
		return c.prefix.Read(p)
	}
	return c.Conn.Read(p)
}

// CloseWrite half-closes the connection underneath.
func (c *prefixConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}

// handover is a listener whose connections are handed to it: the inside of the
// proxy listens on it. Ownership of a connection changes with give.
type handover struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), done: make(chan struct{}), addr: &net.TCPAddr{}}
}

// give hands conn over, or closes it if nobody listens any more.
func (h *handover) give(conn net.Conn) {
	select {
	case h.conns <- conn:
	case <-h.done:
		conn.Close()
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.addr }

// under is what clientConnOf looks at next.
func (c *prefixConn) under() net.Conn { return c.Conn }
