package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"ghapp-proxy/panics"
	"ghapp-proxy/policy"
)

// UpstreamOptions say how the world beyond the proxy is reached.
type UpstreamOptions struct {
	// ConnectTo redirects connections, like curl's --connect-to:
	// "host:port" → "address:port".
	ConnectTo map[string]string
	// RootCAs verify GitHub; nil means the system's.
	RootCAs *x509.CertPool
	// Proxy returns another HTTP proxy through which a URL is reached, nil for
	// none. It is not asked about what ConnectTo redirects. nil means direct
	// connections.
	Proxy func(*url.URL) *NextProxy
	// Egress limits where tunnels and http:// requests for hosts that are not
	// served may go; nil does not. Of addresses it is not asked about those in
	// ConnectTo, nor where another proxy resolves the names.
	Egress *policy.Egress
	// HTTP2 speaks HTTP/2 towards GitHub. A pool of HTTP/1.1 connections costs
	// less, so that is the default.
	HTTP2 bool
}

// Upstream reaches GitHub and everything else: it holds the pool of
// connections. It is safe for concurrent use.
type Upstream struct {
	opts   UpstreamOptions
	dialer net.Dialer
	pulse  pulse
	served *carrier // to served hosts

	// elsewhere is to where opts.Egress lets requests go. It is the pattern of
	// the transports that clients' connections have: see ownPools.
	elsewhere *http.Transport

	mu  sync.Mutex
	own []netip.AddrPort // the proxy's own listeners
}

// NewUpstream returns an Upstream. Call Close when it is no longer used.
func NewUpstream(opts UpstreamOptions) *Upstream { return newUpstream(opts, silence) }

// newUpstream is NewUpstream with another time for which a connection may be
// silent.
func newUpstream(opts UpstreamOptions, silence time.Duration) *Upstream {
	u := &Upstream{opts: opts, pulse: pulse{patience: silence}}
	u.dialer = net.Dialer{Timeout: 15 * time.Second, ControlContext: u.control(nil), KeepAliveConfig: keepAlive(silence)}
	shared := &http.Transport{
		DialContext:            u.dialServed,
		ForceAttemptHTTP2:      opts.HTTP2,
		DisableCompression:     true, // what the client asked for is what it gets
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    maxIdlePerHost, // the default of 2 re-dials under load
		IdleConnTimeout:        idle,
		TLSHandshakeTimeout:    tlsPatience,
		ResponseHeaderTimeout:  answerPatience,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxAnswerHead,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: maxUnread, MaxReceiveBufferPerConnection: 128 * maxUnread,
			SendPingTimeout: silence / 2, PingTimeout: silence / 2,
		},
		WriteBufferSize: 32 << 10,
		ReadBufferSize:  32 << 10,
		TLSClientConfig: &tls.Config{
			RootCAs:            opts.RootCAs,
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(256),
			// Small records let a host begin early with what it has; here it can only begin
			// with a whole head, which leaves in one record so.
			DynamicRecordSizingDisabled: true,
		},
	}
	var kept *pool
	if !opts.HTTP2 {
		kept = &pool{dial: u.dialServed, direct: func(to *url.URL) bool { return u.next(to) == nil }, config: shared.TLSClientConfig, idle: make(map[string][]*poolConn)}
	}
	u.served = newCarrier(kept, shared)
	u.elsewhere = shared.Clone()
	u.elsewhere.DialContext, u.elsewhere.Proxy = u.dialElsewhere, u.proxyElsewhere
	u.elsewhere.MaxIdleConns, u.elsewhere.MaxIdleConnsPerHost = 2, 1
	u.elsewhere.WriteBufferSize, u.elsewhere.ReadBufferSize = 0, 0 // net/http's
	return u
}

// Transport returns the transport to served hosts. It verifies certificates,
// never follows redirects and never decompresses. Connections are shared by
// requests that may be repeated: those of a safe method, and those that have an
// Idempotency-Key without values, which is not sent.
func (u *Upstream) Transport() http.RoundTripper { return u.served }

// Asking returns a transport to what the configuration names besides GitHub: issuers of
// tokens. The roots verify it, nil for those that verify GitHub. It keeps no connection.
func (u *Upstream) Asking(roots *x509.CertPool) http.RoundTripper {
	return &http.Transport{
		DialContext: u.dialServed, DisableKeepAlives: true, TLSHandshakeTimeout: tlsPatience, MaxResponseHeaderBytes: maxAnswerHead,
		TLSClientConfig: &tls.Config{RootCAs: cmp.Or(roots, u.opts.RootCAs), MinVersion: tls.VersionTLS12},
	}
}

// Close closes idle connections. Others are watched until they close.
func (u *Upstream) Close() { u.served.close() }

// Forbid makes connections to addr, a listener of this process, fail.
func (u *Upstream) Forbid(addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		u.mu.Lock()
		if own := unmap(tcp.AddrPort()); !slices.Contains(u.own, own) {
			u.own = append(u.own, own)
		}
		u.mu.Unlock()
	}
}

// control looks at the address of a socket that is about to be connected. No
// name is resolved after that, so there is no time to point it elsewhere. The
// egress policy decides about the address if d, for which that is, is not nil.
func (u *Upstream) control(d *policy.Destination) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, conn syscall.RawConn) error {
		if err := u.mayConnect(d, address); err != nil {
			return err
		}
		u.pulse.add(conn)
		return nil
	}
}

// decideAddr is the egress policy's decision about an address of d.
func (u *Upstream) decideAddr(d policy.Destination, addr netip.Addr) *policy.EgressDenial {
	if u.opts.Egress != nil && isThisMachine(addr.Unmap().WithZone("")) {
		return u.opts.Egress.DecideOwnAddr(d, addr)
	}
	return u.opts.Egress.DecideAddr(d, addr)
}

// isDirect reports whether d is connected to by an address that its name has.
func (u *Upstream) isDirect(d policy.Destination) bool {
	_, redirected := u.opts.ConnectTo[d.String()]
	return !redirected && u.next(&url.URL{Scheme: "https", Host: d.String()}) == nil
}

// addrOf is the address of a tunnel's host, the zero value where that is not known.
func (u *Upstream) addrOf(d policy.Destination, host net.Conn) netip.Addr {
	tcp, ok := host.RemoteAddr().(*net.TCPAddr)
	if !ok || !u.isDirect(d) {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// mayConnect says why there must be no connection to an address.
func (u *Upstream) mayConnect(d *policy.Destination, address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if u.isOwn(unmap(to)) {
		return errSelf
	}
	if d != nil {
		if denial := u.decideAddr(*d, to.Addr()); denial != nil {
			return denial
		}
	}
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// isOwn reports whether a connection to an address reaches a listener of this
// process.
func (u *Upstream) isOwn(to netip.AddrPort) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, own := range u.own {
		if own.Port() == to.Port() && Reaches(to.Addr(), own.Addr()) {
			return true
		}
	}
	return false
}

// isSelf is isOwn for a destination that is an address, or the name of this machine.
func (u *Upstream) isSelf(d policy.Destination) bool {
	addrs := []netip.Addr{d.Addr}
	if !d.Addr.IsValid() {
		if d.Host != "localhost" && !strings.HasSuffix(d.Host, ".localhost") { // RFC 6761, section 6.3
			return false
		}
		addrs = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return u.isOwn(netip.AddrPortFrom(a.Unmap(), d.Port)) })
}

// dialServed is the DialContext to served hosts, which may have any address.
func (u *Upstream) dialServed(ctx context.Context, network, addr string) (net.Conn, error) {
	return u.dialHost(ctx, addr, func() (net.Conn, error) { return u.dialer.DialContext(ctx, network, addr) })
}

// dialTunnel connects to d for a tunnel.
func (u *Upstream) dialTunnel(ctx context.Context, d policy.Destination) (net.Conn, error) {
	return u.dialHost(ctx, d.String(), func() (net.Conn, error) { return u.dialChecked(ctx, d) })
}

// dialHost connects to addr: to what ConnectTo has for it, else through the next
// proxy, else by direct.
func (u *Upstream) dialHost(ctx context.Context, addr string, direct func() (net.Conn, error)) (conn net.Conn, err error) {
	defer panics.Catch(&err) // transports dial in goroutines of their own
	if to, ok := u.opts.ConnectTo[addr]; ok {
		return u.dialer.DialContext(ctx, "tcp", to)
	}
	if next := u.next(&url.URL{Scheme: "https", Host: addr}); next != nil {
		return u.dialThrough(ctx, next, addr)
	}
	return direct()
}

// dialElsewhere is the DialContext for requests to hosts that are not served: to
// the next proxy, if there is one. It decides by name again, since net/http has
// made addr from the URL.
func (u *Upstream) dialElsewhere(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	defer panics.Catch(&err) // as dialHost
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok && x.via != nil {
		conn, err := u.dialer.DialContext(ctx, network, addr)
		return conn, x.via.blame(addr, err)
	}
	d, err := policy.ParseDestination(addr, 0)
	if err != nil {
		return nil, err
	}
	if denial := u.opts.Egress.Decide(d); denial != nil {
		return nil, denial
	}
	if to, ok := u.opts.ConnectTo[d.String()]; ok {
		return u.dialer.DialContext(ctx, network, to)
	}
	return u.dialChecked(ctx, d)
}

// dialChecked connects to d if the egress policy lets the address pass.
func (u *Upstream) dialChecked(ctx context.Context, d policy.Destination) (net.Conn, error) {
	dialer := u.dialer
	dialer.ControlContext = u.control(&d)
	return dialer.DialContext(ctx, "tcp", d.String())
}

// next returns the proxy through which a URL is reached, nil for none.
func (u *Upstream) next(target *url.URL) *NextProxy {
	if u.opts.Proxy == nil {
		return nil
	}
	if _, redirected := u.opts.ConnectTo[hostPort(target)]; redirected {
		return nil
	}
	return u.opts.Proxy(target)
}

// proxyElsewhere is the transport's Proxy for http:// requests, which leave in
// absolute form.
func (u *Upstream) proxyElsewhere(req *http.Request) (*url.URL, error) {
	if x := exchangeOf(req); x.via != nil {
		return x.via.URL, nil
	}
	return nil, nil
}

// dialThrough connects to addr through the next proxy.
func (u *Upstream) dialThrough(ctx context.Context, next *NextProxy, addr string) (net.Conn, error) {
	conn, err := u.dialer.DialContext(ctx, "tcp", hostPort(next.URL))
	if err != nil {
		return nil, next.blame(addr, err)
	}
	if next.URL.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{RootCAs: u.opts.RootCAs, ServerName: next.URL.Hostname(), MinVersion: tls.VersionTLS12})
	}
	tunnel, status, err := connectThrough(ctx, conn, next.URL.User, addr)
	switch {
	case err != nil:
		conn.Close()
		return nil, next.blame(addr, err)
	case tunnel == nil:
		conn.Close()
		return nil, &nextProxyError{name: next.Name, to: addr, status: status}
	}
	return tunnel, nil
}
