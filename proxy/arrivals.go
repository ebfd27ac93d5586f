package proxy

import (
	"bytes"
	"container/list"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/transparent"
)

const (
	// maxArrivals is how many connections may be open at once whose client has not
	// been identified: MaxConnections counts only the others. A client says who it is
	// within a moment, so one too many closes an older one: the first of the network
	// that has most. Then no network keeps out another. Nor, on a network that
	// clients share, as all on this machine do, does one of them keep out the rest.
	maxArrivals = 1024
	// maxArrived bounds what all of them have sent, in bytes: who has sent most is
	// closed. A line counts for more than it has: net/http makes a field of it.
	maxArrived = 8 << 20
	lineWeight = 128
	// arrivalGrace is for how long a connection is not closed for another: until
	// then that waits in the kernel.
	arrivalGrace = 100 * time.Millisecond
)

// arrivals are the connections whose client has not been identified. The zero value
// has none.
type arrivals struct {
	mu   sync.Mutex
	from map[network]*list.List // of *arrival, in the order in which they came
	n    int                    // of all of them
	sent int                    // by all of them, as weighed
}

// network is where a connection leads to and is from. Those over a Unix socket
// are all from one address, which is none.
type network struct {
	listener string
	from     netip.Prefix
}

// arrival is a connection that a client has opened. Until the client is identified,
// what it sends is weighed.
type arrival struct {
	net.Conn
	pending  *arrivals
	from     network
	listener net.Listener        // by which it came in
	to       *transparent.Target // where a client wants to go that does not know of the proxy; nil for one that does

	unidentified atomic.Bool // it is in the arrivals

	entering *atomic.Int64 // counts it until it has entered
	entered  atomic.Bool
	silent   atomic.Bool // its ClientHello is waited for

	at   *list.Element // there; guarded by their mu, as are these
	came time.Time
	sent int
	end  *time.Timer // closes it
}

// add adds a connection, and closes the one that has to go for it.
func (a *arrivals) add(conn net.Conn) *arrival {
	c := &arrival{Conn: conn, pending: a, from: network{conn.LocalAddr().String(), networkOf(conn.RemoteAddr().String())}}
	a.note(c)
	return c
}

// note adds a connection unless it is there.
func (a *arrivals) note(c *arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.at != nil {
		return
	}
	if a.from == nil {
		a.from = make(map[network]*list.List)
	}
	if a.from[c.from] == nil {
		a.from[c.from] = list.New()
	}
	c.at, c.came = a.from[c.from].PushBack(c), time.Now()
	c.unidentified.Store(true)
	c.end = time.AfterFunc(headTimeout, func() { closeNow(c.Conn) }) // whatever it has asked for
	if a.n++; a.n > maxArrivals {
		a.drop(a.first())
	}
}

// enter notes that the client has asked for something, or never will.
func (c *arrival) enter() {
	if c != nil && c.entering != nil && c.entered.CompareAndSwap(false, true) {
		c.entering.Add(-1)
	}
}

// first is the connection that is to be closed for another.
func (a *arrivals) first() *arrival {
	var first *arrival
	most := 0
	for _, waiting := range a.from {
		oldest := waiting.Front().Value.(*arrival)
		if n := waiting.Len(); n > most || n == most && oldest.came.Before(first.came) {
			first, most = oldest, n
		}
	}
	return first
}

// largest is the connection that has sent most.
func (a *arrivals) largest() (largest *arrival) {
	for _, waiting := range a.from {
		for at := waiting.Front(); at != nil; at = at.Next() {
			if c := at.Value.(*arrival); largest == nil || c.sent > largest.sent {
				largest = c
			}
		}
	}
	return largest
}

// drop closes a connection.
func (a *arrivals) drop(c *arrival) {
	a.remove(c)
	closeNow(c.Conn) // the server notices
}

// remove takes a connection out, if it is there.
func (a *arrivals) remove(c *arrival) {
	if c.at == nil {
		return
	}
	c.unidentified.Store(false)
	c.end.Stop()
	waiting := a.from[c.from]
	if waiting.Remove(c.at); waiting.Len() == 0 {
		delete(a.from, c.from)
	}
	a.n--
	a.sent -= c.sent
	c.at, c.sent = nil, 0
}

// full reports whether another connection would have one closed that came just now.
func (a *arrivals) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.n >= maxArrivals && time.Since(a.first().came) < arrivalGrace
}

// closeFirst closes the connection that would be closed for another, and reports
// whether there was one.
func (a *arrivals) closeFirst() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.n == 0 || time.Since(a.first().came) < arrivalGrace {
		return false
	}
	a.drop(a.first())
	return true
}

// closeSilent closes those that are to lead to a host and have not said to which.
func (a *arrivals) closeSilent() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, waiting := range a.from {
		for at := waiting.Front(); at != nil; at = at.Next() {
			if c := at.Value.(*arrival); c.silent.Load() {
				closeNow(c.Conn)
			}
		}
	}
}

// weigh counts what a connection has sent.
func (a *arrivals) weigh(c *arrival, text []byte) {
	weight := len(text) + lineWeight*bytes.Count(text, []byte{'\n'})
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.at == nil {
		return
	}
	c.sent += weight
	a.sent += weight
	if a.sent > maxArrived {
		a.drop(a.largest())
	}
}

// identified says that the client has been: the connection counts for it from now
// on.
func (c *arrival) identified() {
	if !c.unidentified.Load() {
		return
	}
	c.pending.mu.Lock()
	defer c.pending.mu.Unlock()
	c.pending.remove(c)
}

// answered says that what the connection has sent is not held any more.
func (c *arrival) answered() {
	if !c.unidentified.Load() {
		return
	}
	c.pending.mu.Lock()
	defer c.pending.mu.Unlock()
	c.pending.sent -= c.sent
	c.sent = 0
}

// Read implements net.Conn.
func (c *arrival) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.weigh(p[:n])
	}
	return n, err
}

// weigh counts what the client has sent.
func (c *arrival) weigh(text []byte) {
	if c.unidentified.Load() {
		c.pending.weigh(c, text)
	}
}

// Close implements net.Conn.
func (c *arrival) Close() error {
	defer c.identified() // while its client is waited for it is still there
	return c.Conn.Close()
}

// CloseWrite half-closes the connection.
func (c *arrival) CloseWrite() error { return closeWrite(c.Conn) }

// arrivalOf is the arrival of a connection of the outer server, nil if there is none.
func arrivalOf(conn net.Conn) *arrival {
	c, _ := conn.(*arrival)
	return c
}

// arrived returns the connection under conn, which the kernel can splice, once its
// client has been identified.
func arrived(conn net.Conn) net.Conn {
	if c := arrivalOf(conn); c != nil && !c.unidentified.Load() {
		return c.Conn
	}
	return conn
}

// under is what clientConnOf looks at next.
func (c *arrival) under() net.Conn { return c.Conn }
