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
	"net/url"
	"sync"
	"syscall"
	"time"
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
	// HTTP2 speaks HTTP/2 towards GitHub. A pool of HTTP/1.1 connections costs
	// less, so that is the default.
	HTTP2 bool
}

// Upstream reaches GitHub and everything else: it holds the pool of
// connections. It is safe for concurrent use.
type Upstream struct {
	opts      UpstreamOptions
	dialer    net.Dialer
	transport *http.Transport

	mu  sync.Mutex
	own []*net.TCPAddr // the proxy's own listeners
}

// NewUpstream returns an Upstream. Call Close when it is no longer used.
func NewUpstream(opts UpstreamOptions) *Upstream {
	u := &Upstream{opts: opts}
	u.dialer = net.Dialer{Timeout: 15 * time.Second, ControlContext: u.refuseSelf}
	u.transport = &http.Transport{
		Proxy:                 u.proxyFor,
		DialContext:           u.dialPooled,
		ForceAttemptHTTP2:     opts.HTTP2,
		DisableCompression:    true, // what the client asked for is what it gets
		MaxIdleConns:          1024,
		MaxIdleConnsPerHost:   256, // the default of 2 re-dials under load
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 10 * time.Minute, // git and archives think for long
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       32 << 10,
		ReadBufferSize:        32 << 10,
		TLSClientConfig: &tls.Config{
			RootCAs:            opts.RootCAs,
			MinVersion:         tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(256),
		},
	}
	return u
}

// Transport returns the pooled transport. It verifies certificates, never
// follows redirects and never decompresses.
func (u *Upstream) Transport() http.RoundTripper { return u.transport }

// Close closes idle connections.
func (u *Upstream) Close() { u.transport.CloseIdleConnections() }

// forbid makes connections to addr, a listener of this proxy, fail.
func (u *Upstream) forbid(addr net.Addr) {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		u.mu.Lock()
		u.own = append(u.own, tcp)
		u.mu.Unlock()
	}
}

// errSelf is returned for connections that would reach this proxy again.
var errSelf = errors.New("the proxy does not connect to itself")

// refuseSelf looks at the address that is about to be dialled, after names are
// resolved.
func (u *Upstream) refuseSelf(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := net.ResolveTCPAddr("tcp", address) // numeric: no look-up
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, own := range u.own {
		if own.Port == to.Port && sameHost(own.IP, to.IP) {
			return errSelf
		}
	}
	return nil
}

// sameHost reports whether a connection to the address to reaches a listener on own.
func sameHost(own, to net.IP) bool {
	switch {
	case own.Equal(to):
		return true
	case to.IsUnspecified(): // Linux connects 0.0.0.0 to the loopback address
		return own.IsLoopback() || own.IsUnspecified()
	case !own.IsUnspecified():
		return false
	case to.IsLoopback():
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // fail closed
	}
	for _, addr := range addrs {
		if ipnet, ok := addr.(*net.IPNet); ok && ipnet.IP.Equal(to) {
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

// dialPooled is the transport's DialContext: addr is a host or, where there is
// one, the upstream proxy.
func (u *Upstream) dialPooled(ctx context.Context, network, addr string) (net.Conn, error) {
	if to, ok := u.opts.ConnectTo[addr]; ok {
		addr = to
	}
	return u.dialer.DialContext(ctx, network, addr)
}

// dialTunnel connects to addr ("host:port") for a tunnel, through the upstream
// proxy if there is one.
func (u *Upstream) dialTunnel(ctx context.Context, addr string) (net.Conn, error) {
	if to, ok := u.opts.ConnectTo[addr]; ok {
		return u.dialer.DialContext(ctx, "tcp", to)
	}
	if u.opts.Proxy == nil {
		return u.dialer.DialContext(ctx, "tcp", addr)
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
