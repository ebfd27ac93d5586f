package proxy

import (
	"cmp"
	"context"
	"errors"
	"io"
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
func (p *Proxy) openTunnel(r *http.Request, client net.Conn, to policy.Destination, c caller) {
	defer client.Close()
	c.slot.attach(client)
	defer c.slot.release()
	start := time.Now()
	record := &AuditRecord{
		Time: start.UTC(), Kind: AuditTunnel, Client: c.clientName(), Address: r.RemoteAddr,
		Method: r.Method, Host: to.String(), Decision: AuditForwarded, Status: http.StatusOK,
	}
	line := p.opts.Log.With("client", cmp.Or(c.clientName(), r.RemoteAddr), "method", "CONNECT", "host", to.String())
	defer p.audit.write(func() *AuditRecord {
		record.Milliseconds = milliseconds(time.Since(start))
		return record
	})

	host, err := p.opts.Upstream.dialTunnel(r.Context(), to)
	if err != nil {
		refused := upstreamRefusal(err, to.String())
		record.refuse(refused)
		if denial := (*policy.EgressDenial)(nil); errors.As(err, &denial) {
			line, record.DecidedBy = line.With("address", denial.Addr, "decided_by", denial.Key), denial.Key
		}
		line.Warn("refused", "status", refused.status, "error", logged(refused.Error()))
		refused.response(r).Write(client)
		return
	}
	defer host.Close()
	if age := c.maxAge(); age > 0 {
		defer time.AfterFunc(age, func() { client.Close(); host.Close() }).Stop()
	}
	t := &tunnel{client: client, host: host}
	record.Sent, record.Received, err = p.carry(t, to)
	if err != nil {
		record.Reason, line = err.Error(), line.With("error", err)
	}
	if hello := (*helloError)(nil); errors.As(err, &hello) {
		record.Decision = AuditRefused
		line.Warn("refused")
		return
	}
	line.Info("tunnel", "bytes_in", record.Sent, "bytes_out", record.Received, "duration", time.Since(start).Round(time.Microsecond))
}

// refuse makes the record that of a CONNECT that was refused.
func (a *AuditRecord) refuse(refused *refusal) {
	a.Kind, a.Decision, a.DecidedBy = AuditConnect, refused.decision(), refused.decidedBy
	a.Status, a.Reason = refused.status, refused.Error()
}

// errClosing is for a tunnel that comes too late.
var errClosing = errors.New("the proxy is closing")

// carry answers the CONNECT and copies until the tunnel ends.
func (p *Proxy) carry(t *tunnel, to policy.Destination) (sent, received int64, err error) {
	if _, err := io.WriteString(t.client, established); err != nil {
		return 0, 0, err
	}
	t.patience.Store(int64(tunnelIdle))
	if !p.tunnels.add(t) {
		return 0, 0, errClosing
	}
	defer p.tunnels.remove(t)
	client := t.client
	if p.opts.Upstream.opts.Egress.Limited() && to.Port == 443 {
		if client, err = t.checkHello(to); err != nil {
			return 0, 0, &helloError{err}
		}
	}
	return t.copy(client)
}

// copy copies between client, which is t's own with what was read of it already
// put back, and the host, until both have finished or nothing passes for too
// long. It returns how many bytes the host and the client got.
func (t *tunnel) copy(client net.Conn) (sent, received int64, err error) {
	t.passed.Store(time.Now().UnixNano())
	type result struct {
		n   int64
		err error
	}
	up := make(chan result, 1)
	go func() {
		n, err := t.copyHalf(t.host, client)
		up <- result{n, err}
	}()
	received, err = t.copyHalf(client, t.host)
	other := <-up
	return other.n, received, errors.Join(err, other.err)
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
