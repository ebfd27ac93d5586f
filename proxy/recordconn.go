package proxy

import "net"

// recordSize is that of the largest TLS record with its header: RFC 8446, section 5.2.
const recordSize = 5 + 16<<10 + 256

// recordConn is a connection under a TLS connection, to which it gives what belongs to
// one record at a time. So it can be told what the TLS connection has not seen yet,
// which would read ahead otherwise, and does not say so.
type recordConn struct {
	net.Conn
	left int // octets of the record under way that were not given yet

	read, end int // what is in buf
	buf       [recordSize]byte
}

// pending reports whether something has come that was not given.
func (c *recordConn) pending() bool { return c.read < c.end }

// Read implements io.Reader.
func (c *recordConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		for c.end-c.read < 5 {
			if err := c.fill(); err != nil {
				return 0, err // of a record that is cut off there is nothing to be had
			}
		}
		c.left = 5 + int(c.buf[c.read+3])<<8 + int(c.buf[c.read+4])
	}
	if !c.pending() {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p[:min(len(p), c.left)], c.buf[c.read:c.end])
	c.read += n
	c.left -= n
	return n, nil
}

// fill reads on.
func (c *recordConn) fill() error {
	c.end = copy(c.buf[:], c.buf[c.read:c.end])
	c.read = 0
	n, err := c.Conn.Read(c.buf[c.end:])
	c.end += n
	if n > 0 {
		return nil // an error is met again
	}
	return err
}
