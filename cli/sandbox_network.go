package cli

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/sandbox"
	"ghapp-proxy/transparent"
)

// inside is the network of a sandbox: a proxy for tools that know of one, a resolver that has an address for each
// name that the proxy leads to, and all of these addresses, at the ports to which it leads.
type inside struct {
	names    *transparent.Names
	resolver netip.Addr
	ports    []uint16
	proxy    string // its address
}

// maxInsidePorts bounds how many ports are listened on.
const maxInsidePorts = 200

func newInside(egress *policy.Egress) *inside {
	ranges := transparent.DefaultRanges
	if !hasIPv6() {
		ranges.IPv6 = netip.Prefix{}
	}
	n := &inside{names: transparent.NewNames(ranges), resolver: ranges.IPv4.Masked().Addr().Next(), ports: egress.Ports()}
	n.ports = n.ports[:min(len(n.ports), maxInsidePorts)]
	port := uint16(3128)
	for slices.Contains(n.ports, port) {
		port++
	}
	n.proxy = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	return n
}

// hasIPv6 reports whether the kernel speaks it, and a new network namespace does.
func hasIPv6() bool {
	off, err := os.ReadFile("/proc/sys/net/ipv6/conf/default/disable_ipv6")
	return err == nil && len(off) > 0 && off[0] == '0'
}

func (n *inside) options() sandbox.Options {
	dns := net.JoinHostPort(n.resolver.String(), "53")
	opts := sandbox.Options{Listen: []string{n.proxy, dns}, Packets: []string{dns}}
	for _, port := range n.ports {
		opts.Listen = append(opts.Listen, ":"+strconv.Itoa(int(port)))
	}
	ranges := n.names.Ranges()
	for _, network := range []netip.Prefix{ranges.IPv4, ranges.IPv6} {
		if network.IsValid() {
			opts.Local = append(opts.Local, network)
		}
	}
	return opts
}

// listeners are those of the proxy. Whoever gets there is the command, within its limits.
func (n *inside) listeners(box *sandbox.Sandbox, admission proxy.Admission) []*proxy.Listener {
	list := []*proxy.Listener{{Listener: box.Listeners[0], Admission: admission}}
	for _, ln := range box.Listeners[2:] { // after the resolver's
		list = append(list, &proxy.Listener{Listener: ln, Admission: admission, Names: n.names})
	}
	return list
}

// private is the proxy as the command is told of it.
func (n *inside) private() *privateProxy {
	address := &url.URL{Scheme: "http", Host: n.proxy}
	return &privateProxy{address: address, open: address}
}

// resolverFile is what the command sees as /etc/resolv.conf.
const resolverFile = "resolv.conf"

func (n *inside) shareResolver(spec *sandbox.Spec, dir string) error {
	text := "# of ghapp-proxy run --sandbox: it answers for what the proxy leads to\nnameserver " + n.resolver.String() + "\n"
	spec.Bind = append(spec.Bind, sandbox.Bind{Name: resolverFile, At: "/etc/resolv.conf"})
	return os.WriteFile(filepath.Join(dir, resolverFile), []byte(text), 0o644)
}
