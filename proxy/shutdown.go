package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// recordTime is how long what was cut off may take to write its records.
	recordTime = 2 * time.Second
	// recordTick is how often that is looked at.
	recordTick = 5 * time.Millisecond
	// firstTime is how long a new connection is waited for that asks nothing: as long as
	// net/http does.
	firstTime = 5 * time.Second
)

// CutOffError is Shutdown's for what had not finished.
type CutOffError struct {
	Requests, Tunnels int
	// Unrecorded is how many of these were still at it when Shutdown returned:
	// they may come too late for the audit log.
	Unrecorded int
	Err        error // why it did not wait any longer
}

// Error implements error.
func (e *CutOffError) Error() string {
	return fmt.Sprintf("%d requests and %d tunnels were cut off: %v", e.Requests, e.Tunnels, e.Err)
}

// Unwrap returns why it did not wait any longer.
func (e *CutOffError) Unwrap() error { return e.Err }

// counted counts a handler of requests as it runs. That of a CONNECT runs as
// long as the tunnel.
func (p *Proxy) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.underway.Add(1)
		defer p.underway.Add(-1)
		h.ServeHTTP(w, r)
	})
}

// Drain makes each connection end with its next answer, while new ones are accepted
// as ever. Shutdown closes those on which nothing is asked: what a client sends at
// that moment is lost, which it need not be to who was told before.
func (p *Proxy) Drain() { p.draining.Store(true) }

// Shutdown stops accepting, waits for requests under way and for tunnels that
// are not idle, and when ctx ends cuts off what is left: then its error is a
// *CutOffError. When it returns, all that was begun has its record, save for what
// the error says.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.closing.Store(true)
	p.Drain()
	p.closeDoors(ctx)
	err := p.outer.Shutdown(ctx)
	p.awaitFirst(ctx)                             // net/http does not count a handshake, nor an HTTP/2 connection before its first request
	err = errors.Join(err, p.relay.shutdown(ctx)) // which may still give the inner connections
	err = errors.Join(err, p.inner.Shutdown(ctx))
	p.inside.Close()
	p.tunnels.drain(ctx)
	if ctx.Err() == nil {
		p.awaitRecords()
		return err
	}
	cut := &CutOffError{Err: ctx.Err(), Tunnels: p.tunnels.cut()}
	cut.Requests = max(0, int(p.underway.Load())-cut.Tunnels)
	p.outer.Close() // what it returns is not news
	p.relay.close()
	p.inner.Close()
	if cut.Unrecorded = p.awaitRecords(); cut.Requests+cut.Tunnels == 0 {
		return nil
	}
	return cut
}

// closeDoors stops accepting, and waits for what those ask for who have come in. net/http
// (1.26) closes a connection whose first request it has read when it is shutting down,
// and does not know of one that was just accepted: TestUpgradeUnderLoad loses both.
func (p *Proxy) closeDoors(ctx context.Context) {
	p.shutDoors()
	defer p.arrivals.closeSilent()
	end := time.Now().Add(firstTime)
	for p.entering.Load() > 0 && ctx.Err() == nil && time.Now().Before(end) {
		time.Sleep(recordTick)
	}
}

// shutDoors stops accepting.
func (p *Proxy) shutDoors() {
	p.replacing.Lock()
	defer p.replacing.Unlock()
	for _, d := range p.doors {
		d.Close() // it may have failed before
	}
}

// awaitFirst waits for the first request of connections that are quite new.
func (p *Proxy) awaitFirst(ctx context.Context) {
	tick := time.NewTicker(recordTick)
	defer tick.Stop()
	for p.anyNew() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// anyNew reports whether there is a connection that a client has just opened, and
// has asked nothing of yet.
func (p *Proxy) anyNew() bool {
	for _, c := range p.current.Load().callers {
		if c.usage.anyNew(time.Now().Add(-firstTime)) {
			return true
		}
	}
	return false
}

// awaitRecords waits until nothing is under way, but not for long, and returns
// what still is.
func (p *Proxy) awaitRecords() int {
	for end := time.Now().Add(recordTime); p.underway.Load() > 0 && time.Now().Before(end); {
		time.Sleep(recordTick)
	}
	p.events.Flush()
	return int(p.underway.Load())
}
