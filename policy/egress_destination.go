package policy

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"ghapp-proxy/github"
)

// Destination is where a client wants to go, in the one spelling that is both
// decided about and connected to.
type Destination struct {
	Host string     // a name in lower case without trailing dot, or Addr's text
	Port uint16     // never 0
	Addr netip.Addr // if the host is an address: without zone, IPv4 as IPv4; else invalid
}

// String returns "host:port", with brackets where an address needs them.
func (d Destination) String() string {
	return net.JoinHostPort(d.Host, strconv.FormatUint(uint64(d.Port), 10))
}

// ParseDestination reads "host:port", or "host" where defaultPort is not 0. It
// refuses what a resolver could take for another host than a reader: addresses
// in octal, hexadecimal or with less than four parts, zones, ports by name.
func ParseDestination(hostport string, defaultPort uint16) (Destination, error) {
	if !isASCII(hostport) { // some of Unicode's letters have ASCII ones as their lower case
		return Destination{}, fmt.Errorf("the host name %.100q is not ASCII", hostport)
	}
	name, portText := github.SplitHost(hostport)
	d := Destination{Port: defaultPort}
	var err error
	if portText != "" || defaultPort == 0 {
		if d.Port, err = parsePort(portText); err != nil {
			return Destination{}, err
		}
	}
	d.Host, d.Addr, err = parseHost(name)
	if err != nil {
		return Destination{}, err
	}
	return d, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

func parsePort(s string) (uint16, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("the port %.20q is not a number from 1 to 65535", s)
	}
	return uint16(port), nil
}

// parseHost reads a name, or an address that may be in brackets, of which
// github.SplitHost has put the name into lower case.
func parseHost(s string) (string, netip.Addr, error) {
	bare, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		var closed bool
		if bare, closed = strings.CutSuffix(bare, "]"); !closed || !strings.Contains(bare, ":") {
			return "", netip.Addr{}, fmt.Errorf("%.100q is not an IPv6 address in brackets", s)
		}
	}
	if addr, err := netip.ParseAddr(bare); err == nil {
		if addr.Zone() != "" {
			return "", netip.Addr{}, fmt.Errorf("the address %.100q has a zone, which only means something on this machine", s)
		}
		addr = addr.Unmap()
		return addr.String(), addr, nil
	}
	switch {
	case bracketed || strings.Contains(bare, ":"):
		return "", netip.Addr{}, fmt.Errorf("%.100q is not an address", s)
	case endsInNumber(bare):
		return "", netip.Addr{}, fmt.Errorf("%.100q is not an address in the form 192.0.2.1", s)
	case !validName(bare):
		return "", netip.Addr{}, fmt.Errorf("%.100q is not a host name", s)
	}
	return bare, netip.Addr{}, nil
}

// endsInNumber reports whether some resolvers read a name as an IPv4 address:
// inet_aton(3) takes 127.1, 0x7f.0.0.1 and 2130706433, and no top level domain
// is a number (WHATWG URL Standard, "ends in a number checker"). Where it is made
// of strtoul(3), that of C23 takes 0b1 too.
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == "" {
		return false
	}
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	if binary, ok := strings.CutPrefix(last, "0b"); ok {
		return strings.Trim(binary, "01") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// validName reports whether name is made of labels as DNS has them; "_" does
// occur in the names of hosts.
func validName(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// HostPattern is an element of egress.allow, allow_private or deny. It is made by
// ParseHostPattern.
type HostPattern struct {
	text   string
	name   string       // host name; "" for a prefix; of a wildcard the part after "*", so "" for any host
	wild   bool         // "*.example.com" or "*"
	prefix netip.Prefix // addresses
	port   uint16       // 0 if none is given
}

// String returns the pattern as it was written.
func (p HostPattern) String() string { return p.text }

// ParseHostPattern reads a host ("example.com"), all hosts below a domain
// ("*.example.com"), any host ("*"), an address or a range of addresses
// ("10.0.0.0/8"); each may be followed by ":PORT".
func ParseHostPattern(s string) (HostPattern, error) {
	if !isASCII(s) {
		return HostPattern{}, fmt.Errorf("%.100q is not ASCII: write it in its xn-- form", s)
	}
	p := HostPattern{text: s}
	host, portText := s, ""
	if before, bits, isRange := strings.Cut(s, "/"); isRange {
		bits, portText, _ = strings.Cut(bits, ":")
		host = before + "/" + bits
	} else if addr, err := netip.ParseAddr(s); err != nil || addr.Is4() {
		host, portText = github.SplitHost(s)
	}
	if portText != "" || strings.HasSuffix(s, ":") && !strings.HasSuffix(s, "::") {
		var err error
		if p.port, err = parsePort(portText); err != nil {
			return HostPattern{}, err
		}
	}
	return p, p.setHost(host)
}

func (p *HostPattern) setHost(host string) error {
	if strings.Contains(host, "/") {
		prefix, err := netip.ParsePrefix(host)
		switch {
		case err != nil || prefix.Addr().Is4In6():
			return fmt.Errorf("%.100q is neither a host, which has no scheme and no path, nor a range of addresses such as 10.0.0.0/8", host)
		case prefix != prefix.Masked():
			return fmt.Errorf("%s is an address within a range: the range is %s", host, prefix.Masked())
		}
		p.prefix = prefix
		return nil
	}
	if host == "*" {
		p.wild = true
		return nil
	}
	domain, wild := strings.CutPrefix(host, "*.")
	name, addr, err := parseHost(domain)
	switch {
	case err != nil:
		return err
	case wild && addr.IsValid():
		return fmt.Errorf("%.100q: * stands for names, not for a part of an address", host)
	case addr.IsValid():
		p.prefix = netip.PrefixFrom(addr, addr.BitLen())
	case wild:
		p.name, p.wild = "."+name, true
	default:
		p.name = name
	}
	return nil
}

// MatchHost reports whether the pattern is about a host, whatever its port.
func (p HostPattern) MatchHost(d Destination) bool {
	switch {
	case p.wild:
		return strings.HasSuffix(d.Host, p.name)
	case p.name != "":
		return p.name == d.Host
	default:
		return p.matchAddr(d.Addr)
	}
}

// IsName reports whether the pattern is the name of one host.
func (p HostPattern) IsName() bool { return !p.wild && p.name != "" }

// exact reports whether the pattern is this very name.
func (p HostPattern) exact(d Destination) bool { return p.IsName() && p.name == d.Host }

// matchAddr reports whether the pattern is about an address, in any of the
// forms that lead to the same place.
func (p HostPattern) matchAddr(addr netip.Addr) bool {
	return p.prefix.IsValid() && (p.prefix.Contains(addr) || p.prefix.Contains(canonical(addr)))
}

// allowsPort reports whether an element of egress.allow or allow_private is about a port:
// without one of its own it stands for the web's.
func (p HostPattern) allowsPort(port uint16) bool {
	if p.port == 0 {
		return isWebPort(port)
	}
	return p.port == port
}

// deniesPort reports whether an element of egress.deny is about a port:
// without one of its own it stands for all.
func (p HostPattern) deniesPort(port uint16) bool { return p.port == 0 || p.port == port }

func isWebPort(port uint16) bool { return port == 443 || port == 80 }
