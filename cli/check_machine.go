package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ownTime is how long a proxy on this machine may take to answer.
const ownTime = 2 * time.Second

// checkMachine says whether `serve` would find free what it takes of this machine.
func (x *examination) checkMachine(ctx context.Context) []finding {
	list := []finding{checkListener(ctx, "listen", x.cfg.Listen, answersAsProxy)}
	for _, c := range x.cfg.Clients.All() {
		if c.Listen != "" {
			list = append(list, checkListener(ctx, "client."+c.Name+".listen", c.Listen, answersAsProxy))
		}
	}
	if address := x.cfg.Admin.Listen; address != "" {
		list = append(list, checkListener(ctx, "admin.listen", address, answersAsAdmin))
	}
	if led := x.cfg.Transparent; led.Listen != "" {
		list = append(list, checkListener(ctx, "transparent.listen", led.Listen, answersAsProxy)) // what should be TLS has an answer, too
		if led.DNSListen != "" {
			list = append(list, checkListener(ctx, "transparent.dns_listen", led.DNSListen, resolves))
		}
	}
	if path := x.cfg.AuditLog; path != "" && path != "-" {
		list = append(list, good("audit_log", "%s can be written", path)) // or the configuration was not in order
	}
	return list
}

// checkListener says whether an address is free: it listens there for a moment, but for
// sockets, of which it looks at the place. A proxy that runs there already, as isOurs
// reports, is as good.
func checkListener(ctx context.Context, key, address string, isOurs func(ctx context.Context, address string) bool) finding {
	err := checkFree(ctx, address)
	switch {
	case err == nil:
		return good(key, "%s is free", address)
	case isOurs(ctx, address):
		return good(key, "a ghapp-proxy is running on %s", address)
	}
	return bad("end what is there, or choose another address", key, "%v", err)
}

// checkFree says why nobody can listen on an address.
func checkFree(ctx context.Context, address string) error {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		return checkSocket(ctx, path)
	}
	ln, err := listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return ln.Close()
}

// checkSocket says why there can be no socket at a path.
func checkSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return mayWriteIn(filepath.Dir(path))
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there, and no socket", path)
	case listens(ctx, path):
		return fmt.Errorf("somebody listens on %s", path)
	}
	return nil // of a proxy that has ended
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

// answersAsAdmin reports whether the admin listener of a ghapp-proxy is at an address.
func answersAsAdmin(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, ownTime)
	defer cancel()
	return askHealth(ctx, io.Discard, address, "/healthz") == nil
}

// resolves reports whether a resolver of ours is at an address: it denies the name by which browsers ask whether it decides what they reach.
func resolves(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, ownTime)
	defer cancel()
	ask := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	_, err := ask.LookupHost(ctx, "use-application-dns.net.")
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// answersAsProxy reports whether a ghapp-proxy listens on an address of this machine.
func answersAsProxy(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, ownTime)
	defer cancel()
	network := "tcp"
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		network, address = "unix", path
	}
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
