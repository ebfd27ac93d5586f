package proxy

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// arriving is a connection from an address to a listener.
type arriving struct {
	net.Conn
	from, to net.Addr
	sends    string
	closed   bool
}

func (c *arriving) RemoteAddr() net.Addr { return c.from }
func (c *arriving) LocalAddr() net.Addr  { return c.to }
func (c *arriving) Close() error         { c.closed = true; return nil }

func (c *arriving) Read(p []byte) (int, error) {
	n := copy(p, c.sends)
	c.sends = c.sends[n:]
	return n, nil
}

// comers open connections to the main listener of a proxy.
type comers struct{ arrivals }

func (a *comers) from(host string) (*arriving, *arrival) {
	c := &arriving{from: &net.TCPAddr{IP: net.ParseIP(host), Port: 1}, to: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}}
	return c, a.add(c)
}

// Connections that say nothing are bounded, all together. The first of the network
// that has most of them is closed, and none that ends or becomes a client's counts.
func TestArrivals(t *testing.T) {
	var a comers
	client, known := a.from("10.0.0.1")
	known.identified()
	other, _ := a.from("192.0.2.1")
	first, _ := a.from("127.0.0.1")
	second, _ := a.from("127.0.0.2")
	var ended []*arrival
	for i := range maxArrivals - 3 {
		_, c := a.from([]string{"127.0.0.3", "127.255.0.1", "::ffff:127.0.0.4"}[i%3])
		ended = append(ended, c)
	}
	if first.closed || other.closed {
		t.Fatalf("%d connections are too much", maxArrivals)
	}
	newcomer, _ := a.from("192.0.2.7")
	if newcomer.closed || !first.closed || second.closed || other.closed || client.closed {
		t.Errorf("one more: %v is closed, the first of the largest network %v, its second %v, another's %v, a client's %v; want only the first",
			newcomer.closed, first.closed, second.closed, other.closed, client.closed)
	}
	socket := &arriving{from: &net.UnixAddr{Net: "unix"}, to: &net.UnixAddr{Name: "/run/agent.sock", Net: "unix"}}
	a.add(socket)
	if socket.closed || !second.closed {
		t.Errorf("one by a socket: it is closed %v, the next of the largest network %v", socket.closed, second.closed)
	}
	for _, c := range ended {
		c.Close()
		c.Close()
	}
	if a.n != 3 || len(a.arrivals.from) != 3 {
		t.Errorf("%d connections of %d networks are left, want 3: two addresses' and the socket's", a.n, len(a.arrivals.from))
	}
}

// Who sends a head without an end is weighed, by its lines as well, and who has sent
// most is closed when it is too much for all.
func TestArrivalsAreWeighed(t *testing.T) {
	var a comers
	send := func(c *arriving, to *arrival, text string) {
		for c.sends = text; c.sends != "" && !c.closed; {
			to.Read(make([]byte, 4<<10))
		}
	}
	modest, itself := a.from("10.0.0.1")
	send(modest, itself, "CONNECT api.github.com:443 HTTP/1.1\r\n")
	client, known := a.from("10.0.0.1")
	send(client, known, strings.Repeat("x", maxArrived/2))
	known.identified()
	answered, again := a.from("10.0.0.1")
	send(answered, again, strings.Repeat("x", maxArrived/2))
	again.answered()
	hog, its := a.from("10.0.0.2")
	send(hog, its, strings.Repeat("a:\n", maxArrived/(3+lineWeight)-2))
	if hog.closed {
		t.Errorf("%d bytes are too much", a.sent)
	}
	send(modest, itself, strings.Repeat("x", 1000))
	if !hog.closed || modest.closed || client.closed || answered.closed {
		t.Errorf("closed are the largest %v, a small one %v, a client's %v, one that was answered %v; want only the largest",
			hog.closed, modest.closed, client.closed, answered.closed)
	}
	itself.Close()
	again.Close()
	if a.sent != 0 || a.n != 0 {
		t.Errorf("%d bytes of %d connections are left", a.sent, a.n)
	}
}

// A connection that has just come is not closed for another: that waits outside.
func TestArrivalsWaitOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a comers
		for range maxArrivals {
			if a.full() {
				t.Fatalf("%d connections are too much", a.n)
			}
			a.from("127.0.0.1")
		}
		if !a.full() || a.closeFirst() {
			t.Error("one that has just come is closed for another")
		}
		time.Sleep(arrivalGrace)
		if a.full() || !a.closeFirst() || a.n != maxArrivals-1 {
			t.Error("none is closed that has waited for long enough")
		}
	})
}

// goingArrival is an arriving that another goroutine may close.
type goingArrival struct {
	arriving
	gone atomic.Bool
}

func (c *goingArrival) Close() error { c.gone.Store(true); return nil }

// Whoever has not said who it is by then keeps no connection, whatever it asks for.
func TestArrivalEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a arrivals
		at := func(host string) (*goingArrival, *arrival) {
			c := &goingArrival{arriving: arriving{from: &net.TCPAddr{IP: net.ParseIP(host), Port: 1}, to: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}}}
			return c, a.add(c)
		}
		client, known := at("192.0.2.1")
		stranger, unknown := at("192.0.2.2")
		for range 10 {
			time.Sleep(headTimeout / 11)
			unknown.answered()
		}
		known.identified()
		if stranger.gone.Load() || client.gone.Load() {
			t.Errorf("closed too early: the stranger %v, the client %v", stranger.gone.Load(), client.gone.Load())
		}
		time.Sleep(headTimeout)
		if synctest.Wait(); !stranger.gone.Load() || client.gone.Load() {
			t.Errorf("closed: the stranger %v, the client %v; want only the first", stranger.gone.Load(), client.gone.Load())
		}
	})
}
