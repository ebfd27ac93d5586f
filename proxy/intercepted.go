package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// interceptedConn is a client's connection to a served host, after CONNECT.
type interceptedConn struct {
	net.Conn
	session session
	idle    idleLimit
	records gather

	sni   string      // that the client asks for, "" before the handshake
	shown bool        // it has been shown a certificate
	ready time.Time   // when TLS was negotiated
	used  atomic.Bool // it has begun a request
}

// Write implements net.Conn.
func (c *interceptedConn) Write(p []byte) (int, error) { return c.records.write(c.Conn, p) }

// Close implements net.Conn.
func (c *interceptedConn) Close() error {
	c.idle.stop()
	c.session.slot.release()
	return c.Conn.Close()
}

// withSession is the inner server's ConnContext: it lifts the session from
// under the TLS.
func withSession(ctx context.Context, conn net.Conn) context.Context {
	_, intercepted := interceptedOf(conn)
	if intercepted == nil {
		return ctx
	}
	s := &intercepted.session
	return context.WithValue(s.usage.limitQuestions(ctx), inboundKey{}, &inbound{client: clientConnOf(intercepted.Conn), session: s})
}

// insideConn is the TLS of an intercepted connection on which HTTP/1.1 is spoken.
// net/http takes its state for that of the request.
type insideConn struct {
	*tls.Conn
	unread []byte // what the relay has read, and left
}

// Read implements net.Conn.
func (c *insideConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}

// Write implements net.Conn.
func (c *insideConn) Write(p []byte) (int, error) {
	return writeOwn(c.Conn, clientConnOf(c.NetConn()), p, nil)
}

// interceptedOf returns the TLS of a connection of the inner server, and what is
// under it; nil for another.
func interceptedOf(conn net.Conn) (*tls.Conn, *interceptedConn) {
	if c, ok := conn.(*insideConn); ok {
		conn = c.Conn
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return nil, nil
	}
	c, _ := secure.NetConn().(*interceptedConn)
	return secure, c
}

// under is what clientConnOf looks at next.
func (c *interceptedConn) under() net.Conn { return c.Conn }
