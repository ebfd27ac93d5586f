package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// What the proxy's own address does not take.
var (
	ownAddress = answer.Define(answer.Kind{
		Status: http.StatusNotFound, Code: answer.RequestError,
		Title:  "this is the address of a proxy",
		Remedy: "set HTTPS_PROXY to it; the certificate to trust is at /ca.pem",
	})
	noPlainHTTP = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "requests for %s over http:// are not served",
		Remedy: "use https://, or set plain_http = true",
	})
	notByConnect = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title:  "a %s URL in absolute form",
		Remedy: "use CONNECT",
	})
)

// serveOuter takes what a client sends to the proxy's own address.
func (p *Proxy) serveOuter(w http.ResponseWriter, r *http.Request) {
	in := inboundOf(r.Context())
	in.arrival.enter()
	toOrigin := r.Method != http.MethodConnect && !r.URL.IsAbs()
	switch to := in.arrival.to; {
	case to != nil:
		if refused := asAbsolute(r, to); refused != nil {
			refused.Quiet = !p.strangers.allow(r.RemoteAddr)
			p.noteRefused(r, caller{led: true}, refused).Write(w, answer.Text)
			return
		}
		toOrigin = false
	case toOrigin && !in.takesOrigin(r) || p.isOwnAddress(r):
		p.serveOwn(w, r)
		return
	}
	by := p.use()
	defer by.release()
	says := in.evidence(r.Header)
	says.waits = r.Context()
	c, refused := p.identify(by.state, says)
	if refused != nil && in.arrival.to != nil {
		refused = withoutChallenge(refused)
	}
	if refused != nil {
		refused.Quiet = !p.strangers.allow(r.RemoteAddr) || refused.Quiet
		p.refuseOuter(w, r, c, refused)
		return
	}
	in.arrival.identified()
	if r.Method != http.MethodConnect {
		if refused = p.countPlain(r, in, &c); refused != nil {
			p.arrivals.note(in.arrival) // it counts for nobody
			p.refuseOuter(w, r, c, refused)
			return
		}
		if toOrigin {
			p.serveOrigin(w, r, &by, c)
		} else {
			p.serveAbsolute(w, r, &by, c)
		}
		return
	}
	if refused = p.count(r.Context(), in.evidence(r.Header), &c); refused != nil {
		p.refuseOuter(w, r, c, refused)
		return
	}
	defer c.slot.releaseUnused() // if goproxy did not hijack the connection
	decided := p.decideHost(&by, r.URL.Host, c, byConnect)
	if decided.refused != nil {
		p.refuseOuter(w, r, c, decided.refused)
		return
	}
	p.takeConnect(w, r, decided)
}

// countPlain counts the connection of a request in absolute form, until it
// closes or another client uses it, as behind one more proxy.
func (p *Proxy) countPlain(r *http.Request, in *inbound, c *caller) *answer.Refusal {
	conn, by := in.peer.conn, in.evidence(r.Header)
	if held, ok := p.plain.Load(conn); ok {
		held := held.(*slot)
		if held.usage == c.usage {
			if held.told.Load().differs(c, by) {
				held.told.Store(c.identity(by))
				held.dropPool()
			}
			c.slot = held
			return nil
		}
		p.plain.Delete(conn)
		held.release()
	}
	if refused := p.count(r.Context(), by, c); refused != nil {
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
		arrivalOf(conn).enter()
		if held, ok := p.plain.LoadAndDelete(conn); ok && !held.(*slot).upgraded.Load() {
			held.(*slot).release()
		}
	case http.StateActive, http.StateIdle:
		if held, ok := p.plain.Load(conn); ok {
			held.(*slot).note(state)
		}
	}
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
		answer.WriteWhole(w, http.StatusOK, p.current.Load().parts.CAPEM)
		return
	}
	if r.URL.Path == tokenPath && r.Method == http.MethodPost {
		p.serveToken(w, r)
		return
	}
	ownAddress.Refuse().Write(w, answer.Text)
}

// serveAbsolute takes a request in absolute form: http://HOST/… sent to the
// proxy without CONNECT.
func (p *Proxy) serveAbsolute(w http.ResponseWriter, r *http.Request, by *lease, c caller) {
	name, port := github.SplitHost(r.URL.Host)
	host, served := by.hosts[name]
	switch {
	case !isASCII(r.URL.Host):
		// It would be mapped, possibly to a served host.
		p.refuseOuter(w, r, c, notASCII.Refuse(name))
	case served && !by.parts.PlainHTTP:
		p.refuseOuter(w, r, c, noPlainHTTP.Refuse(name))
	case served && port != "" && port != defaultPort(r.URL.Scheme):
		p.refuseOuter(w, r, c, otherPort.Refuse(port, name))
	case served:
		if denial := c.client.DecideHost(host.Name); denial != nil {
			p.refuseOuter(w, r, c, decide.Denied(denial))
			return
		}
		p.gateway.serve(w, r, session{host: host, plain: true, caller: c})
	case r.URL.Scheme != "http":
		p.refuseOuter(w, r, c, notByConnect.Refuse(r.URL.Scheme))
	default:
		to, refused := by.mayRequest(r)
		if refused == nil {
			refused = p.head(&c, &heading{to: to})
			defer c.slot.to.Store(nil)
		}
		if refused != nil {
			p.refuseOuter(w, r, c, refused)
			return
		}
		p.serveElsewhere(w, r, by, c)
	}
}

// serveElsewhere forwards an http:// request to a host that is not served,
// with whatever credential it carries.
func (p *Proxy) serveElsewhere(w http.ResponseWriter, r *http.Request, by *lease, c caller) {
	x := &exchange{unserved: true, via: by.parts.Upstream.next(r.URL), Verdict: decide.Verdict{Route: rules.Route{Operation: "elsewhere", Form: answer.Text}}}
	x.id, x.start, x.events = event.NewID(), time.Now(), p.events
	x.path, x.query = target(r)
	x.session = session{host: github.Host{Name: r.URL.Host}, plain: true, caller: c}
	out := recorderOf(w)
	x.out = out
	defer x.end(r, out)
	if asksFor(r.Header, "h2c") {
		dropUpgrade(r.Header) // its HTTP2-Settings is for this hop only
	}
	if _, ends := c.endsIn(c.slot.opened); ends && r.Header["Upgrade"] != nil {
		ctx, cut := context.WithCancel(r.Context())
		defer cut()
		r, x.cut = r.WithContext(ctx), cut
	}
	defer x.downgrade()
	refused := x.queue(r, p.opts.Patience)
	if refused == nil {
		defer c.usage.done()
		r, refused = x.session.limit(w, r)
	}
	if refused == nil {
		refused = x.recordFirst(r)
	}
	if refused != nil {
		x.err = refused
		c.refusal(refused, x.id).Write(out, x.Route.Form)
		return
	}
	by.elsewhere.serve(out, r, x)
}

// noteSpeech logs a client that takes the proxy for one of another kind.
func (p *Proxy) noteSpeech(conn net.Conn, s *speech) {
	level, from := slog.LevelDebug, conn.RemoteAddr().String()
	if p.handshakes.allow(networkOf(from).String() + " " + s.name) {
		level = slog.LevelWarn
	}
	f := s.refusal()
	p.opts.Log.Log(context.Background(), level, "a client speaks "+s.name+" to the proxy", "client", from, "error", f.Title, "remedy", f.Remedy)
}
