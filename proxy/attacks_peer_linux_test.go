package proxy

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestAttackReusedPort: who has left is not taken for who has connected from the same
// address and port since, to whom the kernel attributes it.
func TestAttackReusedPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	stranger, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	first, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := peerUID(first, first.LocalAddr()); err != nil {
		t.Fatalf("a peer that is there: %v", err)
	}
	io.WriteString(stranger, "a request")
	stranger.(*net.TCPConn).SetLinger(0) // it leaves with a reset, and no trace
	stranger.Close()

	dialer := net.Dialer{LocalAddr: stranger.LocalAddr(), Timeout: time.Second, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
	}}
	owner, err := dialer.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	text := make([]byte, 9)
	if _, err := io.ReadFull(first, text); err != nil {
		t.Skip("nothing of what was sent can be read:", err)
	}
	if uid, err := peerUID(first, first.LocalAddr()); err == nil {
		t.Errorf("what a stranger has sent is taken for uid %d's", uid)
	}
}

// farConn is a connection from another machine.
type farConn struct{ net.Conn }

func (farConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }
func (farConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 40000}
}

// TestAttackRoutedLoopback: where the kernel routes packets to the loopback address
// (net.ipv4.conf.all.route_localnet, which kube-proxy sets: CVE-2020-8558), who comes
// from another machine is not the proxy's user.
func TestAttackRoutedLoopback(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	conn := new(arrivals).add(farConn{near})
	defer conn.Close() // or its timer does, when the test has long ended
	if why := (&peer{conn: conn}).sameUser(); why == "" {
		t.Error("a neighbour of the machine passes for the user who runs the proxy")
	}
}
