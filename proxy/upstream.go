package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"ghapp-proxy/policy"
)

// UpstreamOptions say how the world beyond the proxy is reached.
type UpstreamOptions struct {
	// ConnectTo redirects connections, like curl's --connect-to:
	// "host:port" → "address:port".
	ConnectTo map[string]string
	// RootCAs verify GitHub; nil means the system's.
	RootCAs *x509.CertPool
	// Proxy is another HTTP proxy through which everything is reached, except
	// what ConnectTo redirects. nil means direct connections.
	Proxy *url.URL
	// Egress limits where tunnels and http:// requests for hosts that are not
	// served may go; nil does not. Of addresses it is not asked about those in
	// ConnectTo, nor where Proxy resolves the names.
	Egress *policy.Egress
	// HTTP2 speaks HTTP/2 towards GitHub. A pool of HTTP/1.1 connections costs
	// less, so that is the default.
	HTTP2 bool
}

// Upstream reaches GitHub and everything else: it holds the pool of
// connections. It is safe for concurrent use.
type Upstream struct {
	opts      UpstreamOptions
	dialer    net.Dialer
	transport *http.Transport // to served hosts
	elsewhere *http.Transport // to where opts.Egress lets requests go

	mu  sync.Mutex
	own []netip.AddrPort // the proxy's own listeners
}

// NewUpstream returns an Upstream. Call Close when it is no longer used.
func NewUpstream(opts UpstreamOptions) *Upstream {
	u := &Upstream{opts: opts}
	u.dialer = net.Dialer{Timeout: 15 * time.Second, ControlContext: u.control}
	u.transport = &http.Transport{
		Proxy:                  u.proxyFor,
		DialContext:            u.dialPooled,
		ForceAttemptHTTP2:      opts.HTTP2,
		DisableCompression:     true, // what the client asked for is what it gets
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    256, // the default of 2 re-dials under load
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  10 * time.Minute, // git and archives think for long
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxAnswerHead,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: maxUnread, MaxReceiveBufferPerConnection: 128 * maxUnread},
		WriteBufferSize:        32 << 10,
		ReadBufferSize:         32 << 10,
		TLSClientConfig: &tls.Config{
			RootCAs:            opts.RootCAs,
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(256),
		},
	}
	u.elsewhere = u.transport.Clone()
	u.elsewhere.DialContext = u.dialElsewhere
	return u
}

// Transport returns the pooled transport to served hosts. It verifies certificates, never
// follows redirects and never decompresses.
func (u *Upstream) Transport() http.RoundTripper { return u.transport }

// Close closes idle connections.
func (u *Upstream) Close() {
	u.transport.CloseIdleConnections()
	u.elsewhere.CloseIdleConnections()
}

// Forbid makes connections to addr, a listener of this process, fail.
func (u *Upstream) Forbid(addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		u.mu.Lock()
		u.own = append(u.own, unmap(tcp.AddrPort()))
		u.mu.Unlock()
	}
}

// errSelf is returned for connections that would reach this proxy again.
var errSelf = errors.New("the proxy does not connect to itself")

type destinationKey struct{}

// control looks at the address of a socket that is about to be connected. No
// name is resolved after that, so there is no time to point it elsewhere.
func (u *Upstream) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if u.isOwn(unmap(to)) {
		return errSelf
	}
	if d, ok := ctx.Value(destinationKey{}).(policy.Destination); ok {
		decide := u.opts.Egress.DecideAddr
		if u.opts.Egress != nil && isThisMachine(to.Addr().Unmap().WithZone("")) {
			decide = u.opts.Egress.DecideOwnAddr
		}
		if denial := decide(d, to.Addr()); denial != nil {
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
		if own.Port() == to.Port() && reaches(to.Addr(), own.Addr()) {
			return true
		}
	}
	return false
}

// reaches reports whether a connection to the address to reaches a listener on own.
func reaches(to, own netip.Addr) bool {
	switch {
	case own == to:
		return true
	case to.IsUnspecified(): // Linux connects 0.0.0.0 to the loopback address
		return own.IsLoopback() || own.IsUnspecified()
	case !own.IsUnspecified():
		return false
	}
	return isThisMachine(to)
}

// isThisMachine reports whether an address is one of the machine's own.
func isThisMachine(to netip.Addr) bool {
	if to.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // fail closed
	}
	for _, addr := range addrs {
		if ipnet, ok := addr.(*net.IPNet); ok && ipnet.IP.Equal(to.AsSlice()) {
			return true
		}
	}
	return false
}

// proxyFor is the transport's Proxy function.
func (u *Upstream) proxyFor(req *http.Request) (*url.URL, error) {
	if _, redirected := u.opts.ConnectTo[hostPort(req.URL)]; redirected {
		return nil, nil
	}
	return u.opts.Proxy, nil
}

func hostPort(target *url.URL) string {
	if port := target.Port(); port != "" {
		return net.JoinHostPort(target.Hostname(), port)
	}
	if target.Scheme == "https" {
		return net.JoinHostPort(target.Hostname(), "443")
	}
	return net.JoinHostPort(target.Hostname(), "80")
}

// dialPooled is the transport's DialContext: addr is a served host or, where
// there is one, the upstream proxy.
func (u *Upstream) dialPooled(ctx context.Context, network, addr string) (net.Conn, error) {
	if to, ok := u.opts.ConnectTo[addr]; ok {
		addr = to
	}
	return u.dialer.DialContext(ctx, network, addr)
}

// dialElsewhere is the DialContext for requests to hosts that are not served.
// It decides by name again, since net/http has made addr from the URL.
func (u *Upstream) dialElsewhere(ctx context.Context, network, addr string) (net.Conn, error) {
	if u.opts.Proxy != nil {
		return u.dialPooled(ctx, network, addr)
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
	return u.dialer.DialContext(context.WithValue(ctx, destinationKey{}, d), "tcp", d.String())
}

// dialTunnel connects to d for a tunnel, through the upstream proxy if there is
// one.
func (u *Upstream) dialTunnel(ctx context.Context, d policy.Destination) (net.Conn, error) {
	addr := d.String()
	if to, ok := u.opts.ConnectTo[addr]; ok {
		return u.dialer.DialContext(ctx, "tcp", to)
	}
	if u.opts.Proxy == nil {
		return u.dialChecked(ctx, d)
	}
	conn, err := u.dialer.DialContext(ctx, "tcp", hostPort(u.opts.Proxy))
	if err != nil {
		return nil, fmt.Errorf("reach the upstream proxy: %w", err)
	}
	if u.opts.Proxy.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{RootCAs: u.opts.RootCAs, ServerName: u.opts.Proxy.Hostname(), MinVersion: tls.VersionTLS12})
	}
	tunnel, err := connectThrough(ctx, conn, u.opts.Proxy.User, addr)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return tunnel, nil
}

// connectThrough asks the proxy at the other end of conn for a tunnel to addr.
func connectThrough(ctx context.Context, conn net.Conn, user *url.Userinfo, addr string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": {""}}}
	if user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := req.Write(conn); err != nil {
		return nil, fmt.Errorf("ask the upstream proxy for a tunnel: %w", err)
	}
	r := bufio.NewReader(io.LimitReader(conn, 64<<10))
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, fmt.Errorf("read the upstream proxy's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the upstream proxy answered %q", resp.Status)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return withPrefix(conn, r), nil
}
