//go:build !386 && !s390x

package proxy

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"ghapp-proxy/internal/racetest"
)

// rawSocket reads and writes a socket by system calls of which the scheduler is not told.
// The calls never wait, the runtime's poller does, as for net's own.
//
// net tells the scheduler of each call, in case it takes long. Where nothing else runs,
// that wakes the runtime's monitor, which then polls every 20 µs, for as long as a
// request takes: this costs more than the call (sysmon of Go 1.26).
type rawSocket struct {
	net.Conn
	raw   syscall.RawConn
	tries bool // Read does not wait: see readIdle
}

// newRawSocket returns a connection of net's so, and another as it is. Nobody can splice
// what it returns. The race detector learns from net's own calls what happens before what,
// so they stay where it is on.
func newRawSocket(conn net.Conn) net.Conn {
	if racetest.Enabled {
		return conn
	}
	return rawSocketOf(conn)
}

// rawSocketOf is newRawSocket, whether the race detector is on or not.
func rawSocketOf(conn net.Conn) net.Conn {
	switch conn := conn.(type) {
	case *net.TCPConn:
		if raw, err := conn.SyscallConn(); err == nil {
			return &rawSocket{Conn: conn, raw: raw}
		}
	case *net.UnixConn:
		if raw, err := conn.SyscallConn(); err == nil && conn.LocalAddr().Network() == "unix" { // else it has no stream
			return &rawSocket{Conn: conn, raw: raw}
		}
	}
	return conn
}

// Read implements net.Conn.
func (s *rawSocket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return s.Conn.Read(p)
	}
	t := newTransfer(p)
	defer t.release()
	t.tries = s.tries
	switch err := s.raw.Read(t.receive); {
	case t.errno == syscall.EAGAIN:
		return 0, errNotYet
	case err != nil || t.errno != 0:
		return 0, s.fault("read", err, t.errno)
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
}

// errNotYet is for a Read that does not wait. It is temporary, so that TLS reads on later.
var errNotYet net.Error = notYet{}

type notYet struct{}

func (notYet) Error() string   { return "nothing has come yet" }
func (notYet) Timeout() bool   { return true }
func (notYet) Temporary() bool { return true }

// readIdle reads from the TLS over a connection, of which nothing may come for long. It does not wait within TLS: the runtime halves the stack of a goroutine that waits
// with less than a quarter of it in use, and with TLS on it, it is more than that of 8 KB.
// Whoever calls it has not much on the stack either.
func readIdle(conn, under net.Conn, p []byte) (int, error) {
	raw, _ := under.(*rawSocket)
	for raw != nil {
		if n, err := raw.try(conn, p); err != errNotYet {
			return n, err
		}
		if err := raw.wait(); err != nil {
			return 0, err
		}
	}
	return conn.Read(p)
}

// try reads from what is over the socket, with errNotYet in place of waiting.
func (s *rawSocket) try(over net.Conn, p []byte) (int, error) {
	s.tries = true
	defer func() { s.tries = false }()
	return over.Read(p)
}

// wait waits until there is something to read, or an end or an error.
func (s *rawSocket) wait() error {
	t := newTransfer(nil)
	defer t.release()
	return s.fault("read", s.raw.Read(t.await), 0)
}

// Write implements net.Conn.
func (s *rawSocket) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return s.Conn.Write(p)
	}
	t := newTransfer(p)
	defer t.release()
	if err := s.raw.Write(t.send); err != nil || t.errno != 0 {
		return t.n, s.fault("write", err, t.errno)
	}
	return t.n, nil
}

// fault is the error of a Read or a Write, as net's own is.
func (s *rawSocket) fault(op string, err error, errno syscall.Errno) error {
	if errno != 0 {
		return &net.OpError{Op: op, Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
	}
	if own, ok := err.(*net.OpError); ok {
		own.Op = op // "raw-" before it
	}
	return err
}

// CloseWrite half-closes the connection.
func (s *rawSocket) CloseWrite() error { return closeWrite(s.Conn) }

// transfer is a Read or a Write. It has the methods as values, which are not made anew.
type transfer struct {
	p     []byte // what is left of it
	n     int    // octets that were read or written
	errno syscall.Errno
	tries bool // it does not wait
	woken bool // it need not look again

	receive, send, await func(fd uintptr) bool
}

var transfers = sync.Pool{New: func() any {
	t := new(transfer)
	t.receive, t.send, t.await = t.doReceive, t.doSend, t.doAwait
	return t
}}

func newTransfer(p []byte) *transfer {
	t := transfers.Get().(*transfer)
	t.p, t.n, t.errno, t.tries, t.woken = p, 0, 0, false, false
	return t
}

func (t *transfer) release() {
	t.p = nil
	transfers.Put(t)
}

// doReceive reads what there is; false if that is nothing.
func (t *transfer) doReceive(fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&t.p[0])), uintptr(len(t.p)), syscall.MSG_DONTWAIT, 0, 0)
		switch errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			if t.tries {
				t.errno = errno
			}
			return t.tries
		case 0:
			t.n = int(n)
			return true
		default:
			t.errno = errno
			return true
		}
	}
}

// doSend writes what is left; false if there is no room for all of it.
func (t *transfer) doSend(fd uintptr) bool {
	for len(t.p) > 0 {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&t.p[0])), uintptr(len(t.p)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		case 0:
			t.n += int(n)
			t.p = t.p[n:]
		default:
			t.errno = errno
			return true
		}
	}
	return true
}

// doAwait looks whether something has come, and is called again when it has.
func (t *transfer) doAwait(fd uintptr) bool {
	if t.woken || !isQuiet(fd) {
		return true
	}
	t.woken = true
	return false
}

// isQuiet reports whether a socket is open at its other end, and nothing has come over it.
func isQuiet(fd uintptr) bool {
	for {
		var one [1]byte
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&one)), 1, syscall.MSG_DONTWAIT|syscall.MSG_PEEK, 0, 0)
		if errno != syscall.EINTR {
			return errno == syscall.EAGAIN
		}
	}
}
