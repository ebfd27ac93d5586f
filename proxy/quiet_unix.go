//go:build unix

package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// canPeek reports that a socket can be looked at.
const canPeek = true

// socket is that of a connection, to look at it. Only whoever owns the connection does.
type socket struct {
	raw   syscall.RawConn // nil for a connection without
	look  func(fd uintptr) bool
	what  [1]unix.PollFd
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
		s.what[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN} // which its end is, too
		n, err := unix.Poll(s.what[:], 0)
		s.quiet = n == 0 && err == nil
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
