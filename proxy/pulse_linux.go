package proxy

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pulse ends connections whose other end acknowledges nothing of what was sent.
//
// TCP_USER_TIMEOUT alone would also end those whose other end acknowledges
// everything but has no room for more (RFC 5482, section 1), and a host may
// pause for minutes while it takes an upload. So the system has the time limit
// only while there is silence.
type pulse struct {
	patience time.Duration

	mu    sync.Mutex
	conns map[syscall.RawConn]bool // open connections → the limit is set
	timer *time.Timer              // nil where there is nothing to look at
}

// add watches a socket until it is closed.
func (p *pulse) add(conn syscall.RawConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = make(map[syscall.RawConn]bool)
	}
	p.conns[conn] = false
	if p.timer == nil {
		p.timer = time.AfterFunc(p.patience/4, p.look)
	}
}

// look goes through the connections, as long as there are any.
func (p *pulse) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn, limited := range p.conns {
		silent, err := p.limit(conn, limited)
		if err != nil {
			delete(p.conns, conn) // closed
			continue
		}
		p.conns[conn] = silent
	}
	if p.timer = nil; len(p.conns) > 0 {
		p.timer = time.AfterFunc(p.patience/4, p.look)
	}
}

// limit sets the limit of a connection that has become silent, or lifts it.
func (p *pulse) limit(conn syscall.RawConn, limited bool) (silent bool, err error) {
	gone := conn.Control(func(fd uintptr) {
		var info *unix.TCPInfo
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err != nil {
			return
		}
		silent = p.isSilent(info)
		if silent != limited {
			limit := 0
			if silent {
				limit = int(p.patience.Milliseconds())
			}
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, limit)
		}
	})
	if gone != nil {
		return false, gone
	}
	return silent, err
}

// isSilent reports whether something is on its way that nobody acknowledges. Who
// has no room is asked ever less often, up to every two minutes, and so
// acknowledges as rarely. Linux before 5.4 tells no window.
func (p *pulse) isSilent(info *unix.TCPInfo) bool {
	return info.Unacked > 0 && info.Snd_wnd > 0 && time.Duration(info.Last_ack_recv)*time.Millisecond > p.patience/2
}
