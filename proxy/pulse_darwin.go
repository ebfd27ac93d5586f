package proxy

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pulse makes the system end connections whose other end acknowledges nothing of
// what was sent.
type pulse struct{ patience time.Duration }

// add is best effort: without the option a dead path is noticed later.
func (p *pulse) add(conn syscall.RawConn) {
	_ = conn.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RXT_CONNDROPTIME, int(p.patience.Seconds()))
	})
}
