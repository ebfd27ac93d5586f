package proxy

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// doorPause is how long a listener waits before it looks whether there is room
// again.
const doorPause = 20 * time.Millisecond

// door is a listener that lets in what there is room for. What waits outside, waits
// in the kernel.
type door struct {
	net.Listener
	form     Form
	front    *front // for clients that speak TLS
	arrivals *arrivals
	files    *files
	notice   func(net.Conn, *speech) // is told of clients that speak something else than HTTP
	entering *atomic.Int64           // who is let in, until it has asked for something, and the door itself while it waits
	once     sync.Once               // of Close

	usedReserve bool // by the last connection
}

// Accept implements net.Listener. It fails for good only.
func (d *door) Accept() (net.Conn, error) {
	for {
		for d.arrivals.full() || d.usedReserve && d.files.scarce() {
			time.Sleep(doorPause)
		}
		d.entering.Add(1)
		conn, err := d.Listener.Accept()
		if err != nil {
			d.entering.Add(-1)
		}
		switch {
		case err == nil:
			d.usedReserve = d.files.isReserved(conn)
			c := d.arrive(&clientConn{Conn: conn, notice: d.notice, form: d.form})
			c.listener, c.entering = d.Listener, d.entering
			return c, nil
		case isExhausted(err):
			d.files.relieve(err)
			time.Sleep(doorPause)
		case !errors.Is(err, syscall.ECONNABORTED): // a client that left before it was let in
			return nil, err
		}
	}
}

// arrive adds a connection to the arrivals.
func (d *door) arrive(client *clientConn) *arrival {
	if d.form == FormPlain {
		return d.arrivals.add(client)
	}
	outer := &outerConn{Conn: client, client: client, front: d.front}
	outer.arrival = d.arrivals.add(outer)
	return outer.arrival
}

// Close implements net.Listener. It may be called more than once.
func (d *door) Close() (err error) {
	d.once.Do(func() { err = d.Listener.Close() })
	return err
}

// isExhausted reports whether the process, or the system, can open nothing more:
// accept(2).
func isExhausted(err error) bool {
	for _, errno := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// files keeps a reserve of what the process can open, with which those who have a
// connection are served. The zero value knows no limit.
type files struct {
	log   *slog.Logger
	limit int         // how many may be open, 0 if nobody knows
	free  func() bool // closes what is not needed, and reports whether there was something

	mu     sync.Mutex
	said   time.Time // when that was logged last
	events int       // since then
}

// usable is how many may be open without those kept in reserve.
func (f *files) usable() int { return f.limit - min(f.limit/4, 1024) }

// isReserved reports whether a connection took of the reserve: the kernel gives the
// lowest descriptor that is free.
func (f *files) isReserved(conn net.Conn) (reserved bool) {
	c, ok := conn.(syscall.Conn)
	if !ok || f.limit == 0 {
		return false
	}
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { reserved = int(fd) >= f.usable() })
	}
	return reserved
}

// scarce reports whether only the reserve is left, and closes what is not needed then.
func (f *files) scarce() bool {
	if lowest, err := lowestFile(); err == nil && lowest < f.usable() {
		return false
	}
	f.relieve(errScarce)
	return true
}

var errScarce = errors.New("what is left is for those who have a connection")

// relieve closes what is not needed, and says so once a minute.
func (f *files) relieve(why error) {
	freed := f.free()
	f.mu.Lock()
	f.events++
	events := f.events
	quiet := time.Since(f.said) < time.Minute
	if !quiet {
		f.said, f.events = time.Now(), 0
	}
	f.mu.Unlock()
	if !quiet {
		f.log.Warn("too many open files: new connections wait", "limit", f.limit, "times", events, "closed_idle", freed, "error", why,
			"remedy", "raise the limit (ulimit -n, LimitNOFILE=), or lower max_connections of clients")
	}
}
