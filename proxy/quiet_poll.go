//go:build unix && (!linux || 386 || s390x)

package proxy

import "golang.org/x/sys/unix"

// isQuiet reports whether a socket is open at its other end, and nothing has come over it.
func isQuiet(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) // which its end is, too
	return n == 0 && err == nil
}
