package policy

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Set is all clients. The zero value and nil have none. It is safe for
// concurrent use.
type Set struct {
	clients  []*Client
	byName   map[string]*Client
	networks map[netip.Prefix]*Client
	roots    *x509.CertPool // of Certificates, nil for none
	lengths  []netip.Prefix // one of each length of the networks, the longest first
}

// Fault is something wrong between two clients.
type Fault struct {
	Client, Key   string // the later one, and the key of it
	Problem, Hint string
}

// NewSet makes a Set. Names are expected to be different; networks and listen
// addresses that are not are reported, the later client's.
func NewSet(clients []*Client) (*Set, []Fault) {
	s := &Set{clients: clients, byName: make(map[string]*Client), networks: make(map[netip.Prefix]*Client)}
	var faults []Fault
	for _, c := range clients {
		c.scope = c.makeScope()
		s.byName[c.Name] = c
		faults = append(faults, s.addListen(c)...)
		faults = append(faults, s.addNetworks(c)...)
		faults = append(faults, s.addCertificate(c)...)
	}
	slices.SortFunc(s.lengths, func(a, b netip.Prefix) int { return cmp.Compare(b.Bits(), a.Bits()) })
	return s, faults
}

func (s *Set) addListen(c *Client) []Fault {
	if c.Listen == "" {
		return nil
	}
	for _, other := range s.clients {
		if other == c {
			break
		}
		if SameListener(other.Listen, c.Listen) {
			return []Fault{{c.Name, "listen", fmt.Sprintf("[client.%s] listens there", other.Name), "give each client a port or a path of its own"}}
		}
	}
	return nil
}

func (s *Set) addNetworks(c *Client) (faults []Fault) {
	for _, prefix := range c.Networks {
		prefix = prefix.Masked()
		other, taken := s.networks[prefix]
		if !taken {
			s.networks[prefix] = c
			s.addLength(prefix)
			continue
		}
		fault := Fault{c.Name, "networks", fmt.Sprintf("%s is there twice", prefix), "leave one out"}
		if other != c {
			fault.Problem = fmt.Sprintf("[client.%s] has %s as well", other.Name, prefix)
			fault.Hint = "a network is of one client; of networks within each other, the smallest counts"
		}
		faults = append(faults, fault)
	}
	return faults
}

func (s *Set) addCertificate(c *Client) []Fault {
	if c.Certificate == nil {
		return nil
	}
	if s.roots == nil {
		s.roots = x509.NewCertPool()
	}
	s.roots.AppendCertsFromPEM(c.Certificate.RootsPEM)
	for _, other := range s.clients {
		if other == c {
			break
		}
		if o := other.Certificate; o != nil && o.URI == c.Certificate.URI && o.DNS == c.Certificate.DNS && bytes.Equal(o.RootsPEM, c.Certificate.RootsPEM) {
			return []Fault{{c.Name, "certificate", fmt.Sprintf("[client.%s] has the same", other.Name), "a certificate is of one client"}}
		}
	}
	return nil
}

// addLength has ByAddress look for networks like this one.
func (s *Set) addLength(prefix netip.Prefix) {
	alike := func(p netip.Prefix) bool { return p.Bits() == prefix.Bits() && p.Addr().Is4() == prefix.Addr().Is4() }
	if !slices.ContainsFunc(s.lengths, alike) {
		s.lengths = append(s.lengths, prefix)
	}
}

// All returns the clients, in the order of the file. Do not change it.
func (s *Set) All() []*Client {
	if s == nil {
		return nil
	}
	return s.clients
}

// ByName returns the client of that name.
func (s *Set) ByName(name string) (*Client, bool) {
	if s == nil {
		return nil, false
	}
	c, ok := s.byName[name]
	return c, ok
}

// ByPassword returns the client that has the user name as its name and the
// password as its secret. How long it takes does not depend on the secret.
func (s *Set) ByPassword(user, password string) (*Client, bool) {
	c, ok := s.ByName(user)
	if !ok {
		c = &Client{} // hash all the same: a client's name is not to be guessed by time
	}
	if !c.Secret.matches(password) {
		return nil, false
	}
	return c, true
}

// ByListen returns the client whose listener is the one at an address.
func (s *Set) ByListen(address string) (*Client, bool) {
	all := s.All()
	i := slices.IndexFunc(all, func(c *Client) bool { return c.Listen != "" && SameListener(c.Listen, address) })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// ByAddress returns the client that connects from the address. Of several
// networks that contain it the smallest counts.
func (s *Set) ByAddress(addr netip.Addr) (*Client, bool) {
	if s == nil {
		return nil, false
	}
	addr = addr.Unmap().WithZone("")
	for _, length := range s.lengths {
		if addr.Is4() != length.Addr().Is4() {
			continue
		}
		if network, err := addr.Prefix(length.Bits()); err == nil {
			if c, ok := s.networks[network]; ok {
				return c, true
			}
		}
	}
	return nil, false
}

// unixPrefix precedes the path of a Unix socket.
const unixPrefix = "unix:"

// SameListener reports whether two listen addresses cannot both be listened on.
// Port 0 never clashes: the system picks a free one.
func SameListener(a, b string) bool {
	if strings.HasPrefix(a, unixPrefix) || strings.HasPrefix(b, unixPrefix) {
		return a == b
	}
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	portA, portB = strings.TrimLeft(portA, "0"), strings.TrimLeft(portB, "0")
	if errA != nil || errB != nil || portA != portB || portA == "" {
		return false
	}
	ipA, ipB := addressOf(hostA), addressOf(hostB)
	if ipA.IsUnspecified() || ipB.IsUnspecified() {
		return true
	}
	local := strings.EqualFold(hostA, "localhost") || strings.EqualFold(hostB, "localhost")
	return ipA == ipB || local && ipA.IsLoopback() && ipB.IsLoopback()
}

// addressOf returns the address that a listen address has; localhost has two,
// of which it returns one.
func addressOf(host string) netip.Addr {
	if strings.EqualFold(host, "localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.IPv4Unspecified() // every interface, also for ""
	}
	return addr.Unmap()
}
