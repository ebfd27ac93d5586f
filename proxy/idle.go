package proxy

import (
	"net"
	"sync"
	"time"
)

// idleLimit closes an intercepted connection that waits too long for a request.
//
// Server.IdleTimeout would do, too, but what an HTTP/2 connection holds, mebibytes
// of it, stays in memory for as long after the connection has ended: net/http sets
// the timer again when it ends the streams that were left (1.26, closeStream of
// http2serverConn). TestEndedConnectionsAreFreed fails with it.
type idleLimit struct {
	mu    sync.Mutex
	timer *time.Timer // nil before start and after stop
}

// start begins to watch conn, whose requests slot is told of.
func (l *idleLimit) start(conn net.Conn, slot *slot, limit time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(limit, func() { l.look(conn, slot, limit) })
}

// look closes the connection if it has been idle for long enough, else looks
// again when it may have been.
func (l *idleLimit) look(conn net.Conn, slot *slot, limit time.Duration) {
	left := limit
	if since := slot.idleSince.Load(); since != 0 {
		left -= time.Since(time.Unix(0, since))
	}
	if left <= 0 {
		conn.Close() // and stop, under which the connection is
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Reset(left)
	}
}

// stop ends the watch.
func (l *idleLimit) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}
