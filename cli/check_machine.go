package cli

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ghapp-proxy/policy"
)

// ownTime is how long a proxy on this machine may take to answer.
const ownTime = 2 * time.Second

// checkMachine says whether `serve` would find free what it takes of this machine.
func (x *examination) checkMachine(ctx context.Context) []finding {
	list := []finding{checkListener(ctx, "listen", "tcp", x.cfg.Listen)}
	for _, c := range x.cfg.Clients.All() {
		if c.Listen != "" {
			list = append(list, checkClientListener(ctx, c))
		}
	}
	if path := x.cfg.AuditLog; path != "" && path != "-" {
		list = append(list, good("audit_log", "%s can be written", path)) // or the configuration was not in order
	}
	return list
}

// checkListener listens on an address for a moment. A proxy that runs there already
// is as good.
func checkListener(ctx context.Context, key, network, address string) finding {
	ln, err := listen(ctx, network, address)
	switch {
	case err == nil:
		ln.Close()
		return good(key, "%s is free", address)
	case answersAsProxy(ctx, network, address):
		return good(key, "a ghapp-proxy is running on %s", address)
	}
	return bad("end what listens there, or choose another address", key, "%v", err)
}

// checkClientListener is checkListener for that of a client, which may be a socket.
func checkClientListener(ctx context.Context, c *policy.Client) finding {
	key := "client." + c.Name + ".listen"
	path, isUnix := strings.CutPrefix(c.Listen, "unix:")
	if !isUnix {
		return checkListener(ctx, key, "tcp", c.Listen)
	}
	info, err := os.Lstat(path)
	switch {
	case os.IsNotExist(err):
		err = mayWriteIn(filepath.Dir(path))
	case err == nil && info.Mode().Type() != os.ModeSocket:
		return bad("remove it, or choose another path", key, "%s is there, and no socket", path)
	case err == nil && answersAsProxy(ctx, "unix", path):
		return good(key, "a ghapp-proxy is running on %s", path)
	case err == nil && listens(ctx, path):
		return bad("end what listens there, or choose another path", key, "another program listens on %s", path)
	}
	if err != nil {
		return bad("make its directory, or choose another path", key, "%v", err)
	}
	return good(key, "%s is free", path)
}

// listens reports whether somebody listens on a socket.
func listens(ctx context.Context, path string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// answersAsProxy reports whether a ghapp-proxy listens on an address of this machine.
func answersAsProxy(ctx context.Context, network, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, ownTime)
	defer cancel()
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().IsUnspecified() {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if at.Addr().Is6() {
			loopback = netip.IPv6Loopback()
		}
		address = netip.AddrPortFrom(loopback, at.Port()).String()
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://localhost/", nil)
	if err != nil {
		return false
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return strings.HasPrefix(resp.Header.Get("Proxy-Status"), "ghapp-proxy")
}
