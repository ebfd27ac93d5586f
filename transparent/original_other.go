//go:build !linux

package transparent

import (
	"net"
	"net/netip"
)

// original is where a connection was to lead before it was redirected, which cannot be told here.
func original(net.Conn) (to netip.AddrPort, ok bool) { return to, false }
