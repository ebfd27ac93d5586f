package proxy

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
)

const (
	// tunnelIdle is how long nothing may pass through a tunnel.
	tunnelIdle = 30 * time.Minute
	// tunnelLinger is how long nothing may pass once one end has finished.
	tunnelLinger = 2 * time.Minute
	// tunnelTick is how often a copy looks up from its work. It is short of
	// tunnelLinger, so that slow progress is noticed.
	tunnelTick = 30 * time.Second
	// tunnelHurry is how long nothing may pass when the proxy ends.
	tunnelHurry = time.Second
)

// tunnels are the connections that pass unread, from before the host is reached.
// They are tracked so that they end with the proxy. The zero value has none.
type tunnels struct {
	mu     sync.Mutex
	open   map[*tunnel]struct{}
	closed bool
	wg     sync.WaitGroup
}

// tunnel is a client's connection to a host that is not served.
type tunnel struct {
	client, host net.Conn
	giveUpDial   context.CancelFunc // the host is nil until it is reached

	passed   atomic.Int64 // when something last passed, in Unix nanoseconds
	patience atomic.Int64 // how long nothing may pass, in nanoseconds
	finished atomic.Bool  // one end has sent all it had
}

// add tracks a tunnel, or reports that the proxy is closing.
func (ts *tunnels) add(t *tunnel) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return false
	}
	if ts.open == nil {
		ts.open = make(map[*tunnel]struct{})
	}
	ts.open[t] = struct{}{}
	ts.wg.Add(1)
	return true
}

// reached notes the host of a tunnel.
func (ts *tunnels) reached(t *tunnel, host net.Conn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.host = host; ts.closed {
		t.hurry(tunnelHurry)
	}
}

func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	delete(ts.open, t)
	ts.mu.Unlock()
	ts.wg.Done()
}

// drain waits until all tunnels have ended: idle ones do within a second. When
// ctx ends it cuts them off and does not wait.
func (ts *tunnels) drain(ctx context.Context) {
	ts.mu.Lock()
	ts.closed = true
	for t := range ts.open {
		if t.host != nil {
			t.hurry(tunnelHurry)
		}
	}
	ts.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		ts.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// cut cuts off the tunnels that are open, and returns how many.
func (ts *tunnels) cut() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for t := range ts.open {
		t.giveUpDial()
		t.client.Close()
		if t.host != nil {
			t.host.Close()
		}
	}
	return len(ts.open)
}

// hurry lowers the tunnel's patience, and makes both copies look up from their
// work to notice.
func (t *tunnel) hurry(patience time.Duration) {
	t.patience.Store(int64(patience))
	t.setDeadline(t.client)
	t.setDeadline(t.host)
}

// setDeadline makes reading from conn return within a tick, or sooner where
// the patience is less. It fails only for a connection that is closed.
func (t *tunnel) setDeadline(conn net.Conn) {
	conn.SetReadDeadline(time.Now().Add(min(tunnelTick, time.Duration(t.patience.Load()))))
}

// entrance is the way by which a client asks for a host, and how it is answered.
type entrance struct {
	method   string // in the log, "" for none
	accepted string // tells it that the host has been reached, "" for nothing
	refuse   func(client net.Conn, refused *answer.Refusal)
}

var byConnect = entrance{
	method: http.MethodConnect, accepted: "HTTP/1.1 200 Connection established\r\n\r\n",
	refuse: func(client net.Conn, refused *answer.Refusal) { refused.Response(nil).Write(client) },
}
