package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// maxArrivals is how many connections one address may have open to one of the
// listeners at once without a CONNECT that was taken: MaxConnections counts
// only those of whom it is known whose they are.
const maxArrivals = 2048

// arrivals are those connections. The zero value has none.
type arrivals struct {
	mu   sync.Mutex
	open map[arrival]int
}

// arrival is where a connection leads to and is from. Those over a Unix socket
// are all from one address, which is none.
type arrival struct {
	listener string
	from     netip.Prefix
}

// note is told of a connection of the outer server. It closes what is too much.
func (a *arrivals) note(conn net.Conn, state http.ConnState) {
	if state != http.StateNew && state != http.StateHijacked && state != http.StateClosed {
		return
	}
	at := arrival{conn.LocalAddr().String(), networkOf(conn.RemoteAddr().String())}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case state == http.StateNew:
		if a.open == nil {
			a.open = make(map[arrival]int)
		}
		if a.open[at]++; a.open[at] > maxArrivals {
			conn.Close() // the server notices, and notes that it is closed
		}
	case a.open[at] > 1:
		a.open[at]--
	default:
		delete(a.open, at)
	}
}
