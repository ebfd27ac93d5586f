package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/panics"
	"ghapp-proxy/policy"
)

// openTunnel connects a client to a host, tells it so, and copies until both ends
// have finished. It owns client.
func (p *Proxy) openTunnel(ctx context.Context, by *lease, client net.Conn, to policy.Destination, c caller, how entrance) {
	client = bare(client)
	defer client.Close()
	c.slot.attach(client)
	c.slot.asked.Store(true)
	defer c.slot.release()
	e := &event.Event{
		Kind: event.Tunnel, ID: event.NewID(), Time: time.Now(), Address: client.RemoteAddr().String(),
		Method: how.method, Host: to.String(), Decision: event.Forwarded, Status: http.StatusOK,
	}
	c.sign(e)
	defer func() {
		e.Duration = time.Since(e.Time)
		p.events.End(e)
	}()

	way := heading{to: to, tunnel: true}
	if refused := p.head(&c, &way); refused != nil {
		p.refuseTunnel(client, &c, e, refused, how)
		return
	}
	upstream := by.parts.Upstream
	t, err := p.dialTunnel(ctx, upstream, client, to)
	if err != nil {
		p.refuseTunnel(client, &c, e, tunnelRefusal(err, to), how)
		if denial, ok := errors.AsType[*policy.EgressDenial](err); ok && denial.Addr.IsValid() {
			e.Destination, e.DecidedBy = denial.Addr.String(), denial.Key
		}
		return
	}
	defer p.tunnels.remove(t)
	defer t.host.Close()
	if left, ends := c.endsIn(e.Time); ends {
		defer time.AfterFunc(left, func() { client.Close(); t.host.Close() }).Stop()
	}
	reached := way
	reached.addr = upstream.addrOf(to, t.host)
	refused := p.head(&c, &reached)
	limited := upstream.opts.Egress.Limited()
	by.release() // nothing else is needed of it, and the tunnel may last
	e.Duration = time.Since(e.Time)
	if refused == nil {
		refused = begin(p.events, e)
	}
	if refused != nil {
		p.refuseTunnel(client, &c, e, refused, how)
		return
	}
	e.Phase = event.End
	e.Sent, e.Received, e.Err = t.carry(how.accepted, to, limited)
	switch fault, ok := errors.AsType[*panics.Fault](e.Err); {
	case errors.As(e.Err, new(*helloError)):
		e.Decision, e.Level = event.Refused, slog.LevelWarn
	case ok:
		e.Level, e.Fault = slog.LevelError, fault
	}
}

// refuseTunnel tells a client that it gets no tunnel.
func (p *Proxy) refuseTunnel(client net.Conn, c *caller, e *event.Event, refused *answer.Refusal, how entrance) {
	e.Kind, e.Phase, e.Level = event.Connect, "", slog.LevelWarn
	e.Decision, e.DecidedBy = decisionOf(refused), refused.DecidedBy
	e.Status, e.Err = refused.Status, refused
	how.refuse(client, c.refusal(refused, e.ID))
}

// errClosing is for a tunnel that ends with the proxy, or comes too late.
var errClosing = errors.New("the proxy is closing")

// dialTunnel connects a client to its host. The tunnel is tracked, and has to be
// removed.
func (p *Proxy) dialTunnel(ctx context.Context, upstream *Upstream, client net.Conn, to policy.Destination) (*tunnel, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &tunnel{client: client, giveUpDial: cancel}
	t.patience.Store(int64(tunnelIdle))
	if !p.tunnels.add(t) {
		return nil, errClosing
	}
	host, err := upstream.dialTunnel(ctx, to)
	if err != nil {
		p.tunnels.remove(t)
		return nil, err
	}
	p.tunnels.reached(t, host)
	return t, nil
}

var closingTunnel = answer.Define(answer.Kind{
	Status: http.StatusServiceUnavailable, Code: answer.ConnectionTerminated,
	Title:  errClosing.Error(),
	Remedy: "try again in a moment",
})

// tunnelRefusal says why there is no tunnel.
func tunnelRefusal(err error, to policy.Destination) *answer.Refusal {
	if errors.Is(err, errClosing) {
		return closingTunnel.Refuse()
	}
	return upstreamRefusal(err, to.String())
}

// carry tells the client that its host has been reached, and copies until the
// tunnel ends. Where it is limited, the tunnel has to begin as one to that
// destination.
func (t *tunnel) carry(accepted string, to policy.Destination, limited bool) (sent, received int64, err error) {
	if _, err := io.WriteString(t.client, accepted); err != nil {
		return 0, 0, err
	}
	client := t.client
	if limited && to.Port == 443 {
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
		var half result
		defer func() { up <- half }()
		half.n, half.err = t.copyHalf(t.host, client)
	}()
	received, err = t.copyHalf(client, t.host)
	other := <-up
	return other.n, received, errors.Join(err, other.err)
}

// copyHalf copies one direction and passes its end on.
func (t *tunnel) copyHalf(dst, src net.Conn) (n int64, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = t.giveUp(panics.Recovered(fault)) // and the other half notices
		}
	}()
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
			t.finished.Store(true)
			t.hurry(min(tunnelLinger, time.Duration(t.patience.Load())))
			_ = closeWrite(dst) // fails where dst has ended as well
			return n, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, t.giveUp(err)
		case time.Since(time.Unix(0, t.passed.Load())) >= time.Duration(t.patience.Load()):
			return n, t.giveUp(t.idle())
		}
	}
}

// idle says why a tunnel ends through which nothing passes, nil if that was its
// end.
func (t *tunnel) idle() error {
	switch {
	case t.finished.Load():
		return nil
	case t.patience.Load() <= int64(tunnelHurry):
		return errClosing
	}
	return fmt.Errorf("nothing has passed for %v", tunnelIdle)
}

// giveUp ends the other direction as well: it may be waiting for bytes that
// will not come. Only the first error is worth reporting, and none once one end
// has finished: many close a connection with a reset then.
func (t *tunnel) giveUp(err error) error {
	t.client.Close()
	t.host.Close()
	if errors.Is(err, net.ErrClosed) || t.finished.Load() && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		return nil
	}
	return err
}
