package proxy

import (
	"cmp"
	"net"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
)

const (
	// lingerTime is for how long a connection is read on that is to be closed,
	// lingerQuiet for how long without a byte: nginx.org, "lingering_close",
	// where both are longer.
	lingerTime  = 10 * time.Second
	lingerQuiet = 2 * time.Second
	// maxLinger is how much is read of it.
	maxLinger = 256 << 20
)

// clientConn is a connection that a client has opened to the proxy. It is that
// of a tunnel, and under the TLS of an intercepted one, too.
type clientConn struct {
	net.Conn
	raw    net.Conn // the same for Read and Write; nil for that of a tunnel, which is spliced
	unread atomic.Bool

	form   Form
	begun  bool                    // something was read
	speaks *speech                 // and it is not of the form
	notice func(net.Conn, *speech) // is told of that, unless it is nil
}

// intercept says that the connection is to be no tunnel. Only its owner may, before
// others know of it.
func (c *clientConn) intercept() { c.raw = newRawSocket(c.Conn) }

// io is the connection to read and to write.
func (c *clientConn) io() net.Conn {
	if c.raw != nil {
		return c.raw
	}
	return c.Conn
}

// Read implements net.Conn. It fails for a client that does not begin in the form.
func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.io().Read(p)
	if c.begun || n == 0 {
		return n, err
	}
	if c.begun, c.speaks = true, speechOf(p[0], c.form); c.speaks == nil {
		return n, err
	}
	if c.notice != nil {
		c.notice(c, c.speaks)
	}
	return 0, errSpeech
}

// Write implements net.Conn.
func (c *clientConn) Write(p []byte) (int, error) {
	switch {
	case c.speaks == nil:
		return writeOwn(c.io(), c, p, nil)
	case c.speaks.words == nil:
		return writeOwn(c.Conn, c, p, c.speaks.refusal())
	}
	c.leaveUnread()
	if _, err := c.Conn.Write(c.speaks.words); err != nil {
		return 0, err
	}
	return len(p), nil
}

// leaveUnread says that the client may go on sending what nobody will read. The
// connection is to be closed: it then tells the client that there is no more to
// come, and takes for a while what the client sends. Otherwise the kernel would
// answer that with a reset, which makes clients lose what they have not read yet
// (RFC 9112, section 9.6).
func (c *clientConn) leaveUnread() { c.unread.Store(true) }

// Close implements net.Conn.
func (c *clientConn) Close() error {
	if c.unread.CompareAndSwap(true, false) { // a second Close ends the first
		c.linger()
	}
	return c.Conn.Close()
}

// linger reads on until the client has closed its side, for some time.
func (c *clientConn) linger() {
	if closeWrite(c.Conn) != nil {
		return
	}
	end := time.Now().Add(lingerTime)
	text := make([]byte, 4<<10)
	for read := 0; read < maxLinger; {
		deadline := time.Now().Add(lingerQuiet)
		if deadline.After(end) {
			deadline = end
		}
		if c.Conn.SetReadDeadline(deadline) != nil {
			return
		}
		n, err := c.Conn.Read(text)
		if err != nil {
			return
		}
		read += n
	}
}

// CloseWrite half-closes the connection.
func (c *clientConn) CloseWrite() error { return closeWrite(c.Conn) }

// clientConnOf returns the clientConn under a connection, nil if there is none.
func clientConnOf(conn net.Conn) *clientConn {
	for {
		switch c := conn.(type) {
		case *clientConn:
			return c
		case interface{ under() net.Conn }:
			conn = c.under()
		default:
			return nil
		}
	}
}

// rawUnder returns what the clientConn under a connection is read by; nil if it is not
// intercepted, or there is none.
func rawUnder(conn net.Conn) net.Conn {
	if c := clientConnOf(conn); c != nil {
		return c.raw
	}
	return nil
}

// closeNow closes a connection, whatever its client has not read yet.
func closeNow(conn net.Conn) {
	if c := clientConnOf(conn); c != nil {
		c.unread.Store(false)
		c.Conn.Close() // TLS over it would wait until the client takes its farewell
	}
	conn.Close() // whoever uses it reports that
}

// writeOwn writes p to conn, with our name in it if it is a server's error: then
// because, if not nil, is what there is to say. What the client still sends nobody
// reads.
func writeOwn(conn net.Conn, client *clientConn, p []byte, because *answer.Refusal) (int, error) {
	f := serverError(p)
	if f == nil {
		return conn.Write(p)
	}
	if client != nil {
		client.leaveUnread()
	}
	return len(p), cmp.Or(because, f).Response(nil).Write(conn)
}
