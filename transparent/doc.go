// Package transparent tells where clients want to go that do not know of a proxy: a
// resolver gives them addresses that stand for names, and a connection to such an
// address means that name.
//
//	names := transparent.NewNames(transparent.DefaultRanges)
//	resolver := &transparent.Resolver{Names: names, Leads: p.Leads} // p is a *proxy.Proxy
//	go resolver.Serve(udp, tcp)                                      // on port 53 of the clients' network
//	go p.Serve(listener, &proxy.Listener{Listener: web, Names: names})
//	…
//	resolver.Close()
//
// The network has to lead what is sent to the ranges to the listeners. In a network
// namespace with nothing but loopback, local routes do:
//
//	ip address add 198.18.0.1/15 dev lo               # on loopback, the whole range is local then
//	ip address add fd67:6861:7070::1/128 dev lo       # or some clients ask for no AAAA
//	ip route add local fd67:6861:7070::/64 dev lo
//
// with listeners on [::]:443, [::]:80 and the other ports of policy.Egress.Ports, and
// "nameserver 198.18.0.1" in /etc/resolv.conf. The first address of each range is given
// to no name: it is for the machine. Elsewhere nftables redirects; see
// docs/transparent.md.
//
// # What clients are answered
//
// A and AAAA of names to which the proxy leads, with an address that stays the name's
// for ten minutes after it was last asked for or used. A name to which it does not
// lead does not exist (NXDOMAIN): tools say at once that there is no such host, and a
// search list goes on to the next. Who asks with EDNS is told why (RFC 8914). Of other
// types there is nothing: not of HTTPS and SVCB either, which would have clients use
// HTTP/3 or Encrypted Client Hello. Nobody else is asked, whatever a client asks: no
// data leaves by DNS, and the proxy resolves only what it connects to.
//
// # Limitations
//
// Whether a name exists is found out when it is connected to. A resolver that
// verifies DNSSEC takes the answers for forged. Who keeps an address for longer than
// ten minutes may find it to be another name's, which the server name in its
// ClientHello, or its Host field, gives away: it is refused.
package transparent
