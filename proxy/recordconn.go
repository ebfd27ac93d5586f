package proxy

import (
	"net"
	"sync"

	"ghapp-proxy/internal/poison"
)

const (
	// recordSize is that of the largest TLS record with its header: RFC 8446, section 5.2.
	recordSize = 5 + 16<<10 + 256
	// bulkSize is that of the buffer for what comes faster than a record at a time, and
	// bulkReads after how many reads in a row that left something it is borrowed: of a
	// body that is over soon it costs more than it saves.
	bulkSize  = 64 << 10
	bulkReads = 16
)

var bulkBuffers = sync.Pool{New: func() any { return new([bulkSize]byte) }}

// recordConn is a connection under a TLS connection, to which it gives what belongs to
// one record at a time. So it can be told what the TLS connection has not seen yet,
// which would read ahead otherwise, and does not say so.
type recordConn struct {
	net.Conn
	left int // octets of the record under way that were not given yet

	read, end int // what is in the buffer
	buf       [recordSize]byte
	bulk      *[bulkSize]byte // is the buffer in place of buf, unless it is nil
	full      int             // reads in a row that filled the buffer
}

// buffer is where what was read is.
func (c *recordConn) buffer() []byte {
	if c.bulk != nil {
		return c.bulk[:]
	}
	return c.buf[:]
}

// pending reports whether something has come that was not given.
func (c *recordConn) pending() bool { return c.read < c.end }

// rest gives back what was borrowed: no more of an answer is to come.
func (c *recordConn) rest() {
	c.full = 0
	if c.bulk == nil || c.pending() {
		return
	}
	poison.Over(c.bulk[:])
	bulkBuffers.Put(c.bulk)
	c.bulk, c.read, c.end = nil, 0, 0
}

// Read implements io.Reader.
func (c *recordConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		for c.end-c.read < 5 {
			if err := c.fill(); err != nil {
				return 0, err // of a record that is cut off there is nothing to be had
			}
		}
		header := c.buffer()[c.read:]
		c.left = 5 + int(header[3])<<8 + int(header[4])
	}
	if !c.pending() {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p[:min(len(p), c.left)], c.buffer()[c.read:c.end])
	c.read += n
	c.left -= n
	return n, nil
}

// fill reads on.
func (c *recordConn) fill() error {
	before := c.buffer()[c.read:c.end]
	if c.bulk == nil && c.full >= bulkReads {
		c.bulk = bulkBuffers.Get().(*[bulkSize]byte)
	}
	to := c.buffer()
	c.read, c.end = 0, copy(to, before)
	n, err := c.Conn.Read(to[c.end:])
	if c.end += n; c.end == len(to) {
		c.full++
	} else {
		c.full = 0
	}
	if n > 0 {
		return nil // an error is met again
	}
	return err
}
