package proxy

import (
	"cmp"
	"errors"
	"log"
	"net"
	"net/http"

	"ghapp-proxy/event"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/policy"
)

// New returns a Proxy. It does no I/O and starts no goroutine before Serve.
func New(opts Options) *Proxy {
	opts.Patience = cmp.Or(opts.Patience, queueFor)
	p := &Proxy{
		opts: opts, inside: newHandover(),
		guesses: newPerAddress(maxGuesses), strangers: newPerAddress(maxStrangers), handshakes: newPerName(), events: &event.Sink{Log: opts.Log, Also: opts.Events},
	}
	p.opts.draining = &p.draining
	if p.opts.stalls == (stalls{}) {
		p.opts.stalls = maxStalls
	}
	kept := newPlaceholders()
	kept.revokedByAll = opts.Revoked
	p.gateway = &gateway{patience: opts.Patience, events: p.events, use: p.use, again: p.again, placeholders: kept, documents: graphql.NewCache()}
	p.Replace(opts.Configuration)
	p.files = files{log: opts.Log, limit: maxFiles(), free: p.closeIdle}
	p.connect, p.front = newConnect(), p.newFront()
	errorLog := log.New(serverLog{opts.Log}, "", 0)
	p.outer = http.Server{
		Handler: p.counted(attend(p.serveOuter, &p.opts)), ErrorLog: errorLog,
		ConnContext: withInbound, ConnState: p.onState,
		ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHead,
		DisableGeneralOptionsHandler: true,
	}
	p.inner = http.Server{
		Handler: p.counted(attend(p.gateway.ServeHTTP, &p.opts)), ConnContext: withSession, ConnState: p.noteInside, ErrorLog: errorLog, TLSConfig: p.tlsConfig(),
		ReadHeaderTimeout: headTimeout, MaxHeaderBytes: maxHead, // idleLimit is in place of IdleTimeout
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: policy.DefaultMaxRequests, MaxReadFrameSize: maxFrame},
		DisableGeneralOptionsHandler: true,
	}
	p.relay = &relay{handler: p.inner.Handler, note: p.noteInside, hand: p.inside.give, log: opts.Log, conns: make(map[*relayConn]struct{})}
	return p
}

// Serve accepts clients on ln, and on others, until Shutdown is called, then
// returns http.ErrServerClosed. It may be called once.
func (p *Proxy) Serve(ln net.Listener, others ...*Listener) error {
	failed := make(chan error, 2+2*len(others))
	n := 2
	p.forbid(ln.Addr())
	go func() { failed <- p.inner.Serve(p.inside) }()
	go func() { failed <- p.serveAt(p.door(ln)) }()
	for _, l := range others {
		p.forbid(l.Addr())
		n++
		if l.Names == nil {
			go func() { failed <- p.serveAt(p.door(l)) }()
			continue
		}
		n++
		web := newHandover()
		go func() { failed <- p.serveTransparent(p.door(l), l, web) }()
		go func() { failed <- p.serveAt(web) }()
	}
	err := <-failed
	if !errors.Is(err, http.ErrServerClosed) { // one listener failed: end the others as well
		p.outer.Close()
		p.inside.Close()
		p.shutDoors()
	}
	for range n - 1 {
		if other := <-failed; !errors.Is(other, http.ErrServerClosed) && !errors.Is(other, net.ErrClosed) {
			err = errors.Join(err, other)
		}
	}
	return err
}

// forbid makes connections to a listener of ours fail, now and after Replace.
func (p *Proxy) forbid(addr net.Addr) {
	p.replacing.Lock()
	defer p.replacing.Unlock()
	p.own = append(p.own, addr)
	p.current.Load().parts.Upstream.Forbid(addr)
}

// serveAt serves who comes through a door, until Shutdown closes it.
func (p *Proxy) serveAt(d net.Listener) error {
	err := p.outer.Serve(d)
	if p.closing.Load() && errors.Is(err, net.ErrClosed) {
		return http.ErrServerClosed
	}
	return err
}

// door makes a listener one of the proxy's.
func (p *Proxy) door(ln net.Listener) *door {
	d := &door{Listener: ln, arrivals: &p.arrivals, files: &p.files, notice: p.noteSpeech, entering: &p.entering, form: p.opts.Form, front: p.front}
	if own, ok := ln.(*Listener); ok {
		d.form = own.Form
	}
	p.replacing.Lock()
	defer p.replacing.Unlock()
	if p.doors = append(p.doors, d); p.closing.Load() {
		d.Close()
	}
	return d
}

// closeIdle closes what nobody needs just now, and reports whether there was
// something.
func (p *Proxy) closeIdle() bool {
	p.current.Load().parts.Upstream.Close()
	return p.arrivals.closeFirst()
}
