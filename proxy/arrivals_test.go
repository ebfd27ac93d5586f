package proxy

import (
	"net"
	"net/http"
	"testing"
)

// arriving is a connection from an address to a listener.
type arriving struct {
	net.Conn
	from, to net.Addr
	closed   bool
}

func (c *arriving) RemoteAddr() net.Addr { return c.from }
func (c *arriving) LocalAddr() net.Addr  { return c.to }
func (c *arriving) Close() error         { c.closed = true; return nil }

// Connections that say nothing are bounded for each address and listener, and
// forgotten when they end or become a client's.
func TestArrivals(t *testing.T) {
	var a arrivals
	main, socket := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, &net.UnixAddr{Name: "/run/agent.sock", Net: "unix"}
	hog, other := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1}
	nobody := &net.UnixAddr{Net: "unix"}
	arrive := func(from, to net.Addr) (admitted bool) {
		c := &arriving{from: from, to: to}
		a.note(c, http.StateNew)
		if c.closed {
			a.note(c, http.StateClosed)
		}
		return !c.closed
	}
	for i := range maxArrivals {
		if !arrive(hog, main) || !arrive(nobody, socket) {
			t.Fatalf("connection %d is too much", i+1)
		}
	}
	if arrive(hog, main) || arrive(nobody, socket) {
		t.Errorf("more than %d connections are not too much", maxArrivals)
	}
	if !arrive(other, main) {
		t.Error("another address has to wait")
	}
	for range maxArrivals {
		a.note(&arriving{from: hog, to: main}, http.StateActive)
		a.note(&arriving{from: hog, to: main}, http.StateHijacked)
		a.note(&arriving{from: nobody, to: socket}, http.StateClosed)
	}
	a.note(&arriving{from: other, to: main}, http.StateIdle)
	a.note(&arriving{from: other, to: main}, http.StateClosed)
	if len(a.open) != 0 {
		t.Errorf("%v is left", a.open)
	}
}
