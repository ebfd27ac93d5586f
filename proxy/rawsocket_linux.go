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
	raw syscall.RawConn
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
			return &rawSocket{conn, raw}
		}
	case *net.UnixConn:
		if raw, err := conn.SyscallConn(); err == nil && conn.LocalAddr().Network() == "unix" { // else it has no stream
			return &rawSocket{conn, raw}
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
	switch err := s.raw.Read(t.receive); {
	case err != nil || t.errno != 0:
		return 0, s.fault("read", err, t.errno)
	case t.n == 0:
		return 0, io.EOF
	}
	return t.n, nil
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
	p             []byte // what is left of it
	n             int    // octets that were read or written
	errno         syscall.Errno
	receive, send func(fd uintptr) bool
}

var transfers = sync.Pool{New: func() any {
	t := new(transfer)
	t.receive, t.send = t.doReceive, t.doSend
	return t
}}

func newTransfer(p []byte) *transfer {
	t := transfers.Get().(*transfer)
	t.p, t.n, t.errno = p, 0, 0
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
			return false
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
