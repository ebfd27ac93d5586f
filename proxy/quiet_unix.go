//go:build unix

package proxy

import (
	"net"
	"syscall"
)

// canPeek reports that a socket can be looked at.
const canPeek = true

// socket is that of a connection, to look at it. Only whoever owns the connection does.
type socket struct {
	raw   syscall.RawConn // nil for a connection without
	look  func(fd uintptr) bool
	quiet bool
}

func newSocket(conn net.Conn) *socket {
	s := new(socket)
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.look = func(fd uintptr) bool {
		s.quiet = isQuiet(fd)
		return true
	}
	return s
}

// isQuiet reports whether a connection lives, and nothing has come over it that nobody
// has asked for: an answer that comes before its request is none.
func (s *socket) isQuiet() bool {
	s.quiet = false
	return s.raw != nil && s.raw.Read(s.look) == nil && s.quiet
}
