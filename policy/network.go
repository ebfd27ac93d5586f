package policy

import (
	"errors"
	"net/netip"
)

// ErrNetworkBits says that the address of a network has more bits than the network.
var ErrNetworkBits = errors.New("has more bits than the network")

// ParseNetwork reads a network in CIDR notation, or one address. With
// ErrNetworkBits it returns what it has read.
func ParseNetwork(s string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(s)
	if addr, addrErr := netip.ParseAddr(s); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("not a network")
	case prefix.Addr().Is4In6():
		return netip.Prefix{}, errors.New("write the IPv4 network")
	case prefix != prefix.Masked():
		return prefix, ErrNetworkBits
	}
	return prefix, nil
}
