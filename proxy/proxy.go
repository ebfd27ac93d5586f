package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/rules"

	"github.com/elazarl/goproxy"
)

// Options are the parts of a Proxy. All are required unless they say otherwise.
type Options struct {
	// Hosts are intercepted; everything else is tunnelled, where the egress
	// policy of Upstream lets it.
	Hosts []rules.Host
	// Rules classify what is intercepted. The zero value is usable.
	Rules rules.Set
	// DefaultOwner is whom a request means that names nobody, "" for the
	// default installation.
	DefaultOwner string
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
	// Log receives one line per request and per tunnel, without secrets.
	Log *slog.Logger

	decideRef refDecider // about the refs of every push, nil for none
}

const (
	headTimeout = 30 * time.Second // for the TLS handshake and for a request's head
	idleTimeout = 3 * time.Minute  // between requests
	maxHead     = 128 << 10        // bytes of a request's head; GitHub refuses less
)

// Proxy is a forward proxy that injects credentials. It is made by New.
type Proxy struct {
	opts      Options
	hosts     map[string]rules.Host // name → served host
	connect   *goproxy.ProxyHttpServer
	gateway   *gateway
	elsewhere *forwarder  // to hosts that are not served
	outer     http.Server // takes CONNECT and absolute-form requests
	inner     http.Server // takes what is inside a CONNECT to a served host
	inside    *handover   // where the outer hands connections to the inner
	tunnels   tunnels
}

// New returns a Proxy. It does no I/O and starts no goroutine before Serve.
func New(opts Options) *Proxy {
	p := &Proxy{opts: opts, hosts: make(map[string]rules.Host), inside: newHandover()}
	for _, host := range opts.Hosts {
		p.hosts[host.Name] = host
	}
	p.elsewhere = newForwarder(opts.Upstream.elsewhere)
	p.gateway = &gateway{opts: opts, forward: newForwarder(opts.Upstream.Transport())}
	if opts.Rules.Exchange {
		p.gateway.placeholders = newPlaceholders()
	}
	p.connect = p.newConnect()
	errorLog := log.New(serverLog{opts.Log}, "", 0)
	p.outer = http.Server{
		Handler: http.HandlerFunc(p.serveOuter), ConnContext: withPeer, ErrorLog: errorLog,
		ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHead,
		DisableGeneralOptionsHandler: true,
	}
	p.inner = http.Server{
		Handler: p.gateway, ConnContext: withSession, ErrorLog: errorLog, TLSConfig: p.tlsConfig(),
		ReadHeaderTimeout: headTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHead,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 128}, DisableGeneralOptionsHandler: true,
	}
	return p
}

// Serve accepts clients on ln until Shutdown is called, then returns
// http.ErrServerClosed. It may be called once.
func (p *Proxy) Serve(ln net.Listener) error {
	p.opts.Upstream.Forbid(ln.Addr())
	failed := make(chan error, 1)
	go func() { failed <- p.inner.ServeTLS(p.inside, "", "") }()
	err := p.outer.Serve(ln)
	if !errors.Is(err, http.ErrServerClosed) {
		p.inside.Close() // the listener failed: end the inside as well
	}
	if inner := <-failed; !errors.Is(inner, http.ErrServerClosed) && !errors.Is(inner, net.ErrClosed) {
		err = errors.Join(err, inner)
	}
	return err
}

// Shutdown stops accepting, waits for requests under way and for tunnels that
// are not idle, and when ctx ends cuts off what is left. It returns ctx's error
// if it had to.
func (p *Proxy) Shutdown(ctx context.Context) error {
	err := p.outer.Shutdown(ctx)
	err = errors.Join(err, p.inner.Shutdown(ctx))
	p.inside.Close()
	p.tunnels.drain(ctx)
	if err != nil {
		p.outer.Close() // cuts off: what it returns is not news
		p.inner.Close()
	}
	return errors.Join(err, ctx.Err())
}

// serveOuter takes what a client sends to the proxy's own address.
func (p *Proxy) serveOuter(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect && (!r.URL.IsAbs() || p.isOwnAddress(r)) {
		p.serveOwn(w, r)
		return
	}
	if refused := p.opts.Admission.admit(r); refused != nil {
		p.refuseOuter(w, r, refused)
		return
	}
	if r.Method == http.MethodConnect {
		p.connect.ServeHTTP(safeHijacker{w}, r)
		return
	}
	p.serveAbsolute(w, r)
}

// refuseOuter answers a client that may not use the proxy. A CONNECT that is
// refused for good is told why in the reason phrase; after a 407 the client
// may try again on the same connection.
func (p *Proxy) refuseOuter(w http.ResponseWriter, r *http.Request, refused *refusal) {
	p.opts.Log.Warn("refused", "client", r.RemoteAddr, "method", r.Method, "host", r.URL.Host, "status", refused.status, "error", refused.title)
	if r.Method == http.MethodConnect && refused.status != http.StatusProxyAuthRequired {
		p.connect.ServeHTTP(safeHijacker{w}, r.WithContext(context.WithValue(r.Context(), refusedKey{}, refused)))
		return
	}
	host, _ := rules.SplitHost(r.URL.Host)
	refused.write(w, formFor(p.hosts[host]))
}

// isOwnAddress reports whether an absolute-form request asks the proxy for
// itself, as a client does that uses the proxy for its own address too.
func (p *Proxy) isOwnAddress(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || r.URL.Scheme != "http" || r.URL.Port() != strconv.Itoa(local.Port) {
		return false
	}
	name := r.URL.Hostname()
	return local.IP.Equal(net.ParseIP(name)) || name == "localhost" && local.IP.IsLoopback()
}

// serveOwn answers requests for the proxy itself.
func (p *Proxy) serveOwn(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ca.pem" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Write(p.opts.CAPEM)
		return
	}
	refused := &refusal{
		status: http.StatusNotFound, code: "http_request_error", title: "this is the address of a proxy",
		remedy: "set HTTPS_PROXY to it; the certificate to trust is at /ca.pem",
	}
	refused.write(w, rules.Text)
}

// serveAbsolute takes a request in absolute form: http://HOST/… sent to the
// proxy without CONNECT.
func (p *Proxy) serveAbsolute(w http.ResponseWriter, r *http.Request) {
	name, port := rules.SplitHost(r.URL.Host)
	host, served := p.hosts[name]
	switch {
	case !isASCII(r.URL.Host):
		// It would be mapped, possibly to a served host.
		p.refuseOuter(w, r, nameRefusal(name))
	case served && !p.opts.PlainHTTP:
		p.refuseOuter(w, r, &refusal{
			status: http.StatusForbidden, code: "http_request_denied", title: "requests for " + name + " over http:// are not served",
			remedy: "use https://, or set plain_http = true",
		})
	case served && port != "" && port != defaultPort(r.URL.Scheme):
		p.refuseOuter(w, r, portRefusal(name, port))
	case served:
		p.gateway.serve(w, r, session{host: host, plain: true})
	case r.URL.Scheme != "http":
		p.refuseOuter(w, r, &refusal{
			status: http.StatusBadRequest, code: "http_request_error", title: "a " + r.URL.Scheme + " URL in absolute form",
			remedy: "use CONNECT",
		})
	default:
		if refused := p.mayRequest(r); refused != nil {
			p.refuseOuter(w, r, refused)
			return
		}
		p.serveElsewhere(w, r)
	}
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func nameRefusal(name string) *refusal {
	return &refusal{
		status: http.StatusBadRequest, code: "http_request_error", title: fmt.Sprintf("the host name %q is not ASCII", name),
		remedy: "write it in its xn-- form",
	}
}

// serveElsewhere forwards an http:// request to a host that is not served,
// with whatever credential it carries.
func (p *Proxy) serveElsewhere(w http.ResponseWriter, r *http.Request) {
	x := &exchange{keep: true, viaProxy: p.opts.Upstream.opts.Proxy != nil, route: rules.Route{Operation: "elsewhere", Form: rules.Text}}
	x.path, x.query = target(r)
	x.session.host.Name = r.URL.Host
	out := newRecorder(w)
	defer p.gateway.logLine(r, x, out)()
	r = guardBody(w, r)
	p.elsewhere.serve(out, r, x)
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

func portRefusal(name, port string) *refusal {
	return &refusal{
		status: http.StatusForbidden, code: "http_request_denied",
		title: "port " + port + " of " + name + " is not served", remedy: "use 443",
	}
}

// formFor is the form of errors before a request is classified.
func formFor(host rules.Host) rules.Form {
	switch host.Service {
	case rules.API, rules.Uploads:
		return rules.JSON
	default:
		return rules.Text
	}
}
