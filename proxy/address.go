package proxy

import (
	"net"
	"net/netip"

	"ghapp-proxy/transparent"
)

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// addressOf is the address in a RemoteAddr, the zero value if there is none.
func addressOf(hostport string) netip.Addr {
	at, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// networkOf is transparent.NetworkOf for a RemoteAddr.
func networkOf(remote string) netip.Prefix { return transparent.NetworkOf(addressOf(remote)) }

// Reaches reports whether a connection to the address to reaches a listener on own.
func Reaches(to, own netip.Addr) bool {
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
