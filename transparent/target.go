package transparent

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Target is where a client wants to go, as far as its connection says.
type Target struct {
	Name string         // that its address stands for, "" if that stands for none: then what the client says is all there is
	Addr netip.AddrPort // that it has connected to
}

// Target is that of a connection which a listener has accepted. The error is for an address that stands for
// names, but was given to none.
func (n *Names) Target(conn net.Conn) (Target, error) {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return Target{}, fmt.Errorf("a %T leads to no address", conn)
	}
	t := Target{Addr: unmap(local.AddrPort())}
	if to, redirected := original(conn); redirected && !n.Contains(t.Addr.Addr()) {
		t.Addr = to
	}
	if !n.Contains(t.Addr.Addr()) {
		return t, nil
	}
	if t.Name, ok = n.Of(t.Addr.Addr()); !ok {
		return t, fmt.Errorf("%s stands for no name: only what the resolver answers leads somewhere", t.Addr.Addr())
	}
	return t, nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// Means reports whether a host that the client says can be what its address stands for. Where
// the resolver was asked with a search domain, as for "host.example.com.corp.example", clients still say
// what they were told: that is decided about, so that nothing else is gained by it.
func (t Target) Means(name string) bool {
	name = strings.ToLower(name)
	return name != "" && (t.Name == "" || t.Name == name || strings.HasPrefix(t.Name, name+"."))
}

// String is the name, or else the address.
func (t Target) String() string {
	if t.Name == "" {
		return t.Addr.Addr().String()
	}
	return t.Name
}
