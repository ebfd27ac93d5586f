package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/policy"
)

const (
	// tunnelIdle is how long nothing may pass through a tunnel.
	tunnelIdle = 30 * time.Minute
	// tunnelLinger is how long nothing may pass once one end has finished.
	tunnelLinger = 2 * time.Minute
	// tunnelTick is how often a copy looks up from its work. It is short of
	// tunnelLinger, so that slow progress is noticed.
	tunnelTick = 30 * time.Second
)

// tunnels are the connections that pass unread. They are tracked so that they
// end with the proxy.
type tunnels struct {
	mu     sync.Mutex
	open   map[*tunnel]struct{}
	closed bool
	wg     sync.WaitGroup
}

// tunnel is a client's connection to a host that is not served.
type tunnel struct {
	client, host net.Conn

	passed   atomic.Int64 // when something last passed, in Unix nanoseconds
	patience atomic.Int64 // how long nothing may pass, in nanoseconds
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

func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	delete(ts.open, t)
	ts.mu.Unlock()
	ts.wg.Done()
}

// drain waits until all tunnels have ended: idle ones do within a second. When
// ctx ends it closes them.
func (ts *tunnels) drain(ctx context.Context) {
	ts.mu.Lock()
	ts.closed = true
	for t := range ts.open {
		t.hurry(time.Second)
	}
	ts.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		for t := range ts.open {
			t.client.Close()
			t.host.Close()
		}
	})
	ts.wg.Wait()
	stop()
}

// openTunnel connects to the host of the CONNECT, answers, and copies until
// both ends have finished. It owns client.
func (p *Proxy) openTunnel(r *http.Request, client net.Conn, to policy.Destination) {
	defer client.Close()
	line := p.opts.Log.With("client", r.RemoteAddr, "method", "CONNECT", "host", r.URL.Host)
	host, err := p.opts.Upstream.dialTunnel(r.Context(), to)
	if err != nil {
		refused := upstreamRefusal(err, r.URL.Host)
		if denial := (*policy.EgressDenial)(nil); errors.As(err, &denial) {
			line = line.With("address", denial.Addr, "decided_by", denial.Key)
		}
		line.Warn("refused", "status", refused.status, "error", refused.title)
		refused.response(r).Write(client)
		return
	}
	defer host.Close()
	if _, err := io.WriteString(client, established); err != nil {
		line.Warn("tunnel", "error", err)
		return
	}
	t := &tunnel{client: client, host: host}
	t.patience.Store(int64(tunnelIdle))
	if !p.tunnels.add(t) {
		return
	}
	defer p.tunnels.remove(t)
	if p.opts.Upstream.opts.Egress.Limited() && to.Port == 443 {
		if client, err = t.checkHello(to); err != nil {
			line.Warn("refused", "error", err)
			return
		}
	}
	t.copy(client, line)
}

// copy copies between client, which is t's own with what was read of it already
// put back, and the host, until both have finished or nothing passes for too
// long.
func (t *tunnel) copy(client net.Conn, line *slog.Logger) {
	start := time.Now()
	t.passed.Store(start.UnixNano())
	type result struct {
		n   int64
		err error
	}
	up := make(chan result, 1)
	go func() {
		n, err := t.copyHalf(t.host, client)
		up <- result{n, err}
	}()
	received, err := t.copyHalf(client, t.host)
	sent := <-up
	if err = errors.Join(err, sent.err); err != nil {
		line = line.With("error", err)
	}
	line.Info("tunnel", "bytes_in", sent.n, "bytes_out", received, "duration", time.Since(start).Round(time.Microsecond))
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

// copyHalf copies one direction and passes its end on.
func (t *tunnel) copyHalf(dst, src net.Conn) (n int64, err error) {
	if early, ok := src.(*prefixConn); ok {
		if n, err = early.prefix.WriteTo(dst); err != nil {
			return n, t.giveUp(err)
		}
		src = early.Conn
	}
	if early, ok := dst.(*prefixConn); ok {
		dst = early.Conn
	}
	for {
		t.setDeadline(src)
		// Between two bare TCP connections io.Copy splices: the bytes stay in
		// the kernel.
		m, err := io.Copy(dst, src)
		n += m
		if m > 0 {
			t.passed.Store(time.Now().UnixNano())
		}
		switch {
		case err == nil:
			t.hurry(min(tunnelLinger, time.Duration(t.patience.Load())))
			return n, closeWrite(dst)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, t.giveUp(err)
		case time.Since(time.Unix(0, t.passed.Load())) >= time.Duration(t.patience.Load()):
			return n, t.giveUp(errors.New("nothing has passed for too long"))
		}
	}
}

// giveUp ends the other direction as well: it may be waiting for bytes that
// will not come. Only the first error is worth reporting.
func (t *tunnel) giveUp(err error) error {
	t.client.Close()
	t.host.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
