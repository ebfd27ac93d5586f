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

// Connections that say nothing are bounded for each address and listener, the
// first of them closed, and forgotten when they end or become a client's.
func TestArrivals(t *testing.T) {
	var a arrivals
	main, socket := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, &net.UnixAddr{Name: "/run/agent.sock", Net: "unix"}
	hog, other := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1}
	nobody := &net.UnixAddr{Net: "unix"}
	var all []*arriving
	arrive := func(from, to net.Addr) *arriving {
		c := &arriving{from: from, to: to}
		all = append(all, c)
		a.note(c, http.StateNew)
		return c
	}
	known, first, second, client := arrive(hog, main), arrive(hog, main), arrive(nobody, socket), arrive(other, main)
	a.remove(known) // it counts for a client
	for range maxArrivals - 1 {
		arrive(hog, main)
		arrive(nobody, socket)
	}
	if first.closed || second.closed {
		t.Fatalf("%d connections are too much", maxArrivals)
	}
	if arrive(hog, main).closed || arrive(nobody, socket).closed || !first.closed || !second.closed {
		t.Errorf("of more than %d connections the first is closed: %t and %t", maxArrivals, first.closed, second.closed)
	}
	if known.closed || client.closed {
		t.Error("what is a client's, or another address's, is closed")
	}
	for i, c := range all {
		a.note(c, http.StateActive)
		a.note(c, []http.ConnState{http.StateHijacked, http.StateClosed}[i%2])
	}
	if len(a.open) != 0 || len(a.at) != 0 {
		t.Errorf("%d addresses and %d connections are left", len(a.open), len(a.at))
	}
}
