//go:build unix

package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// canPeek reports that isQuiet can look at a connection.
const canPeek = true

// isQuiet reports whether a connection lives, and nothing has come over it that nobody
// has asked for: an answer that comes before its request is none.
func isQuiet(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var octet [1]byte
		_, _, err := unix.Recvfrom(int(fd), octet[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN || err == unix.EWOULDBLOCK
		return true
	})
	return err == nil && quiet
}
