package proxy

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"ghapp-proxy/rules"
)

// serveOuter takes what a client sends to the proxy's own address.
func (p *Proxy) serveOuter(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect && (!r.URL.IsAbs() || p.isOwnAddress(r)) {
		p.serveOwn(w, r)
		return
	}
	c, refused := p.identify(r)
	if refused != nil {
		refused.quiet = !p.strangers.allow(r.RemoteAddr) || refused.quiet
		p.refuseOuter(w, r, c, refused)
		return
	}
	here := r.Context().Value(peerKey{}).(*peer).arrival
	here.known()
	if r.Method != http.MethodConnect {
		if refused = p.countPlain(r, &c); refused != nil {
			p.arrivals.note(here) // it counts for nobody
			p.refuseOuter(w, r, c, refused)
			return
		}
		p.serveAbsolute(w, r, c)
		return
	}
	if refused = p.count(r, &c); refused != nil {
		p.refuseOuter(w, r, c, refused)
		return
	}
	defer c.slot.releaseUnused() // if goproxy did not hijack the connection
	p.connect.ServeHTTP(safeHijacker{w}, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
}

type callerKey struct{}

// countPlain counts the connection of a request in absolute form, until it
// closes or another client uses it, as behind one more proxy.
func (p *Proxy) countPlain(r *http.Request, c *caller) *refusal {
	conn := r.Context().Value(peerKey{}).(*peer).conn
	if held, ok := p.plain.Load(conn); ok {
		held := held.(*slot)
		if held.usage == c.usage {
			if held.told.Load().differs(c, r) {
				held.told.Store(c.identity(r))
				held.dropPool()
			}
			c.slot = held
			return nil
		}
		p.plain.Delete(conn)
		held.release()
	}
	if refused := p.count(r, c); refused != nil {
		return refused
	}
	c.slot.attach(conn)
	p.plain.Store(conn, c.slot)
	return nil
}

// onState is the outer server's ConnState.
func (p *Proxy) onState(conn net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		arrivalOf(conn).answered()
	}
	switch state {
	case http.StateClosed, http.StateHijacked:
		if held, ok := p.plain.LoadAndDelete(conn); ok && !held.(*slot).upgraded.Load() {
			held.(*slot).release()
		}
	case http.StateActive, http.StateIdle:
		if held, ok := p.plain.Load(conn); ok {
			held.(*slot).note(state)
		}
	}
}

// refuseOuter answers a client that may not use the proxy. A CONNECT that is
// refused for good is told why in the reason phrase; after a 407 the client
// may try again on the same connection.
func (p *Proxy) refuseOuter(w http.ResponseWriter, r *http.Request, c caller, refused *refusal) {
	refused = p.noteRefused(r, c, refused)
	if r.Method == http.MethodConnect && refused.status != http.StatusProxyAuthRequired {
		p.connect.ServeHTTP(safeHijacker{w}, r.WithContext(context.WithValue(r.Context(), refusedKey{}, refused)))
		return
	}
	host, _ := rules.SplitHost(r.URL.Host)
	refused.write(w, formFor(p.hosts[host]))
}

// noteRefused logs a request that is refused before it is a gateway's, and
// returns what to answer. The caller is the zero value if it is not known.
func (p *Proxy) noteRefused(r *http.Request, c caller, refused *refusal) *refusal {
	if c.usage != nil && refused.status != http.StatusTooManyRequests {
		refused = cmp.Or(c.usage.keepPace(c.usage.bounds()), refused)
	}
	refused = refused.of(newID())
	level := slog.LevelWarn
	switch {
	case refused.quiet:
		level = slog.LevelDebug
	case refused.challenge:
		level = slog.LevelInfo
	default:
		p.audit.write(func() *AuditRecord { return refusedRecord(r, c, refused) })
	}
	p.opts.Log.Log(r.Context(), level, "refused", "id", refused.id, "client", cmp.Or(c.clientName(), r.RemoteAddr),
		"method", logged(r.Method), "host", logged(r.URL.Host), "status", refused.status, "error", logged(refused.Error()))
	return refused
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
		writeWhole(w, http.StatusOK, p.opts.CAPEM)
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
func (p *Proxy) serveAbsolute(w http.ResponseWriter, r *http.Request, c caller) {
	name, port := rules.SplitHost(r.URL.Host)
	host, served := p.hosts[name]
	switch {
	case !isASCII(r.URL.Host):
		// It would be mapped, possibly to a served host.
		p.refuseOuter(w, r, c, nameRefusal(name))
	case served && !p.opts.PlainHTTP:
		p.refuseOuter(w, r, c, &refusal{
			status: http.StatusForbidden, code: "http_request_denied", title: "requests for " + name + " over http:// are not served",
			remedy: "use https://, or set plain_http = true",
		})
	case served && port != "" && port != defaultPort(r.URL.Scheme):
		p.refuseOuter(w, r, c, portRefusal(name, port))
	case served:
		if denial := c.client.DecideHost(host.Name); denial != nil {
			p.refuseOuter(w, r, c, denied(denial))
			return
		}
		p.gateway.serve(w, r, session{host: host, plain: true, caller: c})
	case r.URL.Scheme != "http":
		p.refuseOuter(w, r, c, &refusal{
			status: http.StatusBadRequest, code: "http_request_error", title: "a " + r.URL.Scheme + " URL in absolute form",
			remedy: "use CONNECT",
		})
	default:
		if refused := p.mayRequest(r); refused != nil {
			p.refuseOuter(w, r, c, refused)
			return
		}
		p.serveElsewhere(w, r, c)
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
func (p *Proxy) serveElsewhere(w http.ResponseWriter, r *http.Request, c caller) {
	x := &exchange{keep: true, via: p.opts.Upstream.next(r.URL), route: rules.Route{Operation: "elsewhere", Form: rules.Text}}
	x.id, x.start, x.records = newID(), time.Now(), p.audit
	x.path, x.query = target(r)
	x.session = session{host: rules.Host{Name: r.URL.Host}, plain: true, caller: c}
	out := recorderOf(w)
	x.out = out
	defer p.gateway.logLine(r, x, out)()
	if asksFor(r.Header, "h2c") {
		dropUpgrade(r.Header) // its HTTP2-Settings is for this hop only
	}
	if age := c.maxAge(); age > 0 && r.Header["Upgrade"] != nil {
		ctx, cut := context.WithCancel(r.Context())
		defer cut()
		r, x.cut = r.WithContext(ctx), cut
	}
	defer x.downgrade()
	refused := c.usage.begin(r.Context(), c.slot, p.opts.Patience)
	if refused == nil {
		defer c.usage.done()
		r, refused = x.session.limit(w, r)
	}
	if refused == nil {
		refused = x.recordFirst(r)
	}
	if refused != nil {
		x.err = refused
		refused.of(x.id).write(out, x.route.Form)
		return
	}
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

// noteTLS logs a client that speaks TLS to the proxy's own address.
func (p *Proxy) noteTLS(conn net.Conn) {
	level, from := slog.LevelDebug, conn.RemoteAddr().String()
	if p.strangers.allow(from) {
		level = slog.LevelWarn
	}
	f := tlsRefusal()
	p.opts.Log.Log(context.Background(), level, "a client speaks TLS to the proxy", "client", from, "error", f.title, "remedy", f.remedy)
}
