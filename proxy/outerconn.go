package proxy

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"

	"ghapp-proxy/policy"
)

// outerConn is a connection at the proxy's own address, where clients may speak TLS.
// Its first octets tell whether one does. The handshake is part of the first Read: so
// it has the deadline of a request's head, and no goroutine of its own.
type outerConn struct {
	net.Conn // the client
	client   *clientConn
	arrival  *arrival // which weighs what is sent in the handshake
	front    *front

	begun  bool                     // the first Read is over, or under way
	ready  bool                     // so is the handshake
	secure atomic.Pointer[tls.Conn] // nil for a client without TLS, and before it has begun
}

// Read implements net.Conn.
func (c *outerConn) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		return c.begin(p)
	}
	if secure := c.secure.Load(); secure != nil {
		return secure.Read(p)
	}
	return c.client.Read(p)
}

// begin is the first Read.
func (c *outerConn) begin(p []byte) (int, error) {
	n, err := c.client.Read(p)
	if err != nil || n == 0 || p[0] != handshakeRecord {
		return n, err
	}
	secure := tls.Server(&underOuter{Conn: unread(c.client, bytes.Clone(p[:n])), outer: c}, c.front.config)
	c.secure.Store(secure)
	if err := secure.Handshake(); err != nil {
		c.client.leaveUnread() // so that the alert arrives
		c.front.failed(c, err)
		return 0, errHandshake
	}
	c.ready = true
	c.arrival.answered() // nothing of it is kept
	return secure.Read(p)
}

// errHandshake stands for why a handshake failed, of which the client and the log have
// been told.
var errHandshake = errors.New("no TLS")

// Write implements net.Conn.
func (c *outerConn) Write(p []byte) (int, error) {
	if secure := c.secure.Load(); secure != nil {
		return writeOwn(secure, c.client, p, nil) // after a handshake that failed it fails, too
	}
	return c.client.Write(p)
}

// Close implements net.Conn. With TLS the client is told that there is no more to come.
func (c *outerConn) Close() error {
	if secure := c.secure.Load(); secure != nil {
		return secure.Close()
	}
	return c.client.Close()
}

// CloseWrite half-closes the connection.
func (c *outerConn) CloseWrite() error {
	if secure := c.secure.Load(); secure != nil {
		return secure.CloseWrite()
	}
	return c.client.CloseWrite()
}

// under is what clientConnOf looks at next.
func (c *outerConn) under() net.Conn { return c.client }

// bare returns what is under a connection of a client's, so that the kernel can
// splice it.
func bare(conn net.Conn) net.Conn {
	switch c := conn.(type) {
	case *clientConn:
		return c.Conn
	case *arrival:
		return bare(c.Conn)
	case *outerConn:
		if c.secure.Load() == nil {
			return bare(c.client)
		}
	case *prefixConn:
		c.Conn = bare(c.Conn)
	}
	return conn
}

// presentedBy is what the client of a connection has shown of itself, nil for nothing.
func presentedBy(conn net.Conn) policy.Presented {
	if c := arrivalOf(conn); c != nil {
		conn = c.Conn
	}
	if c, ok := conn.(*outerConn); ok {
		if secure := c.secure.Load(); secure != nil {
			return secure.ConnectionState().PeerCertificates
		}
	}
	return nil
}

// underOuter is what is under the TLS of an outerConn.
type underOuter struct {
	net.Conn
	outer *outerConn
}

// Read implements net.Conn.
func (c *underOuter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.outer.ready {
		c.outer.arrival.weigh(p[:n])
	}
	return n, err
}

// CloseWrite half-closes the connection.
func (c *underOuter) CloseWrite() error { return closeWrite(c.Conn) }

// front is what clients that speak TLS to the proxy meet.
type front struct {
	config *tls.Config
	failed func(net.Conn, error) // is told of a handshake that failed
}
