package policy

import "net/netip"

// addressKind says what an address is, for those that are not public.
type addressKind struct {
	prefix netip.Prefix
	what   string
	// private: it can be opened for a name. Elsewhere the address itself has to
	// be allowed, because nobody who names a host means the proxy's own machine,
	// its metadata service or a multicast group.
	private bool
}

// special are the addresses that the Internet does not lead to, or not to one
// place, the more specific first. Sources: the IANA IPv4 and IPv6
// Special-Purpose Address Registries (RFC 6890) without what they call globally
// reachable, and the clouds' documentation of their metadata services.
var special = []addressKind{
	{prefix("fd00:ec2::/32"), "cloud metadata", false},      // Amazon EC2
	{prefix("fd20:ce::254/128"), "cloud metadata", false},   // Google Compute Engine
	{prefix("100.100.100.200/32"), "cloud metadata", false}, // Alibaba Cloud
	{prefix("168.63.129.16/32"), "cloud metadata", false},   // Azure's host; public by its number
	{prefix("127.0.0.0/8"), "a loopback", false},
	{prefix("::1/128"), "a loopback", false},
	{prefix("10.0.0.0/8"), "a private", true},
	{prefix("172.16.0.0/12"), "a private", true},
	{prefix("192.168.0.0/16"), "a private", true},
	{prefix("100.64.0.0/10"), "a private", true}, // carrier-grade NAT, RFC 6598
	{prefix("fc00::/7"), "a private", true},
	{prefix("169.254.0.0/16"), "a link-local", false}, // 169.254.169.254 among them
	{prefix("fe80::/10"), "a link-local", false},
	{prefix("224.0.0.0/4"), "a multicast", false},
	{prefix("ff00::/8"), "a multicast", false},
	{prefix("0.0.0.0/8"), "an unspecified", false},
	{prefix("::/128"), "an unspecified", false},
	{prefix("192.0.0.0/24"), "a reserved", false},
	{prefix("192.0.2.0/24"), "a documentation", false},
	{prefix("192.88.99.0/24"), "a 6to4 relay", false},
	{prefix("198.18.0.0/15"), "a benchmarking", false},
	{prefix("198.51.100.0/24"), "a documentation", false},
	{prefix("203.0.113.0/24"), "a documentation", false},
	{prefix("240.0.0.0/4"), "a reserved", false}, // 255.255.255.255 among them
	{prefix("2001::/32"), "a Teredo", false},     // they embed IPv4 addresses, and
	{prefix("2002::/16"), "a 6to4", false},       // nobody needs them (RFC 7526)
	{prefix("64:ff9b:1::/48"), "a local NAT64", false},
	{prefix("2001::/23"), "a reserved", false}, // benchmarking and ORCHID among them
	{prefix("2001:db8::/32"), "a documentation", false},
	{prefix("3fff::/20"), "a documentation", false}, // RFC 9637
}

var (
	globalUnicast = prefix("2000::/3")     // all that IANA has given out of IPv6
	nat64         = prefix("64:ff9b::/96") // RFC 6052
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// canonical is the address that a connection to addr ends at: it takes IPv4
// addresses out of their IPv4-mapped and NAT64 forms, and drops the zone.
func canonical(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr
}

// kindOf classifies an address; ok is false if it is a public one.
func kindOf(addr netip.Addr) (kind addressKind, ok bool) {
	addr = canonical(addr)
	for _, kind := range special {
		if kind.prefix.Contains(addr) {
			return kind, true
		}
	}
	return addressKind{what: "a reserved"}, !addr.Is4() && !globalUnicast.Contains(addr)
}
