package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"

	"github.com/elazarl/goproxy"
)

// Options are the parts of a Proxy. All are required unless they say otherwise.
type Options struct {
	// Hosts are intercepted; everything else is tunnelled, where the egress
	// policy of Upstream lets it.
	Hosts []github.Host
	// Policy is what is in force until Replace. The zero value is usable.
	Policy
	// Credentials are injected.
	Credentials *auth.Source
	// Certificate returns the certificate to show for a served host. It is
	// called at every handshake, from many goroutines.
	Certificate func(host string) (*tls.Certificate, error)
	// CAPEM is what clients must trust; it is served as /ca.pem.
	CAPEM []byte
	// Upstream reaches GitHub and everything else.
	Upstream *Upstream
	// Admission says who may use the proxy. The zero value admits everybody.
	Admission Admission
	// PlainHTTP serves http:// requests for served hosts, which leave as https.
	PlainHTTP bool
	// Patience is how long a request or a connection that is more than a client may
	// have at once waits for its turn; 0 means ten seconds.
	Patience time.Duration
	// Log receives one line per request and per tunnel, without secrets.
	Log *slog.Logger
	// Audit receives an event.Record of each request and tunnel, each as a line of JSON in one Write, from
	// many goroutines; nil for none.
	Audit io.Writer
	// Events are called with what became of each request and tunnel, beside the
	// log and the audit log. They must not keep the Event, nor take long.
	Events []func(*event.Event)

	// AuditRequired answers 503 instead of doing what cannot be recorded.
	AuditRequired bool

	stalls stalls // zero for maxStalls
}

const (
	headTimeout = 30 * time.Second // for the TLS handshake and for a request's head
	idleTimeout = 3 * time.Minute  // between requests
	maxHead     = 128 << 10        // bytes of a request's head; GitHub refuses less
	maxFrame    = 64 << 10         // bytes of an HTTP/2 frame: net/http keeps room for the largest that came
)

// Proxy is a forward proxy that injects credentials. It is made by New.
type Proxy struct {
	opts      Options
	hosts     map[string]github.Host // name → served host
	connect   *goproxy.ProxyHttpServer
	gateway   *gateway
	elsewhere *forwarder  // to hosts that are not served
	outer     http.Server // takes CONNECT and absolute-form requests
	inner     http.Server // takes what is inside a CONNECT to a served host
	inside    *handover   // where the outer hands connections to the inner
	tunnels   tunnels
	underway  atomic.Int64 // handlers that run: each writes its records before it ends

	current            atomic.Pointer[state]
	guesses, strangers *perAddress // wrong secrets, and those that are not known
	handshakes         *perName    // warnings of those that fail
	closing            atomic.Bool // Shutdown was called
	arrivals           arrivals
	files              files
	events             *event.Sink
	plain              sync.Map // net.Conn that sent a request in absolute form → its *slot
}

// New returns a Proxy. It does no I/O and starts no goroutine before Serve.
func New(opts Options) *Proxy {
	opts.Patience = cmp.Or(opts.Patience, queueFor)
	p := &Proxy{
		opts: opts, hosts: make(map[string]github.Host), inside: newHandover(),
		guesses: newPerAddress(maxGuesses), strangers: newPerAddress(maxStrangers), handshakes: newPerName(), events: &event.Sink{Log: opts.Log, Audit: event.NewAudit(opts.Audit, opts.AuditRequired, opts.Log), Also: opts.Events},
	}
	if p.opts.stalls == (stalls{}) {
		p.opts.stalls = maxStalls
	}
	p.Replace(opts.Policy)
	for _, host := range opts.Hosts {
		p.hosts[host.Name] = host
	}
	p.elsewhere = newForwarder(ownPools{opts.Upstream.elsewhere})
	p.gateway = &gateway{opts: opts, events: p.events, again: p.again, forward: newForwarder(opts.Upstream.Transport()), placeholders: newPlaceholders()}
	p.files = files{log: opts.Log, limit: maxFiles(), free: p.closeIdle}
	p.connect = p.newConnect()
	errorLog := log.New(serverLog{opts.Log}, "", 0)
	p.outer = http.Server{
		Handler: p.counted(attend(p.serveOuter, &p.opts)), ErrorLog: errorLog,
		BaseContext: withListener, ConnContext: withPeer, ConnState: p.onState,
		ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHead,
		DisableGeneralOptionsHandler: true,
	}
	p.inner = http.Server{
		Handler: p.counted(attend(p.gateway.ServeHTTP, &p.opts)), ConnContext: withSession, ConnState: p.noteInside, ErrorLog: errorLog, TLSConfig: p.tlsConfig(),
		ReadHeaderTimeout: headTimeout, MaxHeaderBytes: maxHead, // idleLimit is in place of IdleTimeout
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: policy.DefaultMaxRequests, MaxReadFrameSize: maxFrame},
		DisableGeneralOptionsHandler: true,
	}
	return p
}

// Listener is another listener, whose clients are told otherwise.
type Listener struct {
	net.Listener
	// Client is the name of the client that whoever connects here is; "" for
	// none in particular.
	Client string
	// Admission is in place of the Options' where Client is "".
	Admission Admission
}

// Serve accepts clients on ln, and on others, until Shutdown is called, then
// returns http.ErrServerClosed. It may be called once.
func (p *Proxy) Serve(ln net.Listener, others ...*Listener) error {
	failed := make(chan error, 2+len(others))
	p.opts.Upstream.Forbid(ln.Addr())
	go func() { failed <- p.inner.Serve(p.inside) }()
	go func() { failed <- p.outer.Serve(p.door(ln)) }()
	for _, l := range others {
		p.opts.Upstream.Forbid(l.Addr())
		go func() { failed <- p.outer.Serve(p.door(l)) }()
	}
	err := <-failed
	if !errors.Is(err, http.ErrServerClosed) { // one listener failed: end the others as well
		p.outer.Close()
		p.inside.Close()
	}
	for range cap(failed) - 1 {
		if other := <-failed; !errors.Is(other, http.ErrServerClosed) && !errors.Is(other, net.ErrClosed) {
			err = errors.Join(err, other)
		}
	}
	return err
}

func (p *Proxy) door(ln net.Listener) net.Listener {
	return &door{Listener: ln, arrivals: &p.arrivals, files: &p.files, notTLS: p.noteTLS}
}

// closeIdle closes what nobody needs just now, and reports whether there was
// something.
func (p *Proxy) closeIdle() bool {
	p.opts.Upstream.Close()
	return p.arrivals.closeFirst()
}

// withListener is the outer server's BaseContext.
func withListener(ln net.Listener) context.Context {
	if other, ok := ln.(*door).Listener.(*Listener); ok {
		return context.WithValue(context.Background(), listenerKey{}, other)
	}
	return context.Background()
}
