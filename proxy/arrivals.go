package proxy

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// maxArrivals is how many connections one address may have open to one of the
// listeners at once of which nobody knows whose they are: MaxConnections counts
// only the others. A client says who it is within a moment, so the one that has
// waited longest is closed: clients that share an address, as all on this
// machine do, get in whatever one of them opens for nothing.
const maxArrivals = 2048

// arrivals are those connections. The zero value has none.
type arrivals struct {
	mu   sync.Mutex
	open map[arrival]*list.List     // of net.Conn, in the order in which they came
	at   map[net.Conn]*list.Element // where each is
}

// arrival is where a connection leads to and is from. Those over a Unix socket
// are all from one address, which is none.
type arrival struct {
	listener string
	from     netip.Prefix
}

func arrivalOf(conn net.Conn) arrival {
	return arrival{conn.LocalAddr().String(), networkOf(conn.RemoteAddr().String())}
}

// note is told of a connection of the outer server. It closes what is too much.
func (a *arrivals) note(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if first := a.add(conn); first != nil {
			first.Close() // the server notices, and notes that it is closed
		}
	case http.StateHijacked, http.StateClosed:
		a.remove(conn)
	}
}

// add adds a connection and returns the one that has to go for it, nil if none.
func (a *arrivals) add(conn net.Conn) net.Conn {
	from := arrivalOf(conn)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open, a.at = make(map[arrival]*list.List), make(map[net.Conn]*list.Element)
	}
	waiting := a.open[from]
	if waiting == nil {
		waiting = list.New()
		a.open[from] = waiting
	}
	a.at[conn] = waiting.PushBack(conn)
	if waiting.Len() <= maxArrivals {
		return nil
	}
	first := waiting.Remove(waiting.Front()).(net.Conn)
	delete(a.at, first)
	return first
}

// remove forgets a connection that has ended, or counts for a client.
func (a *arrivals) remove(conn net.Conn) {
	from := arrivalOf(conn)
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.at[conn]
	if at == nil {
		return
	}
	delete(a.at, conn)
	if a.open[from].Remove(at); a.open[from].Len() == 0 {
		delete(a.open, from)
	}
}
