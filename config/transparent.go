package config

import (
	"net/netip"

	"ghapp-proxy/policy"
	"ghapp-proxy/transparent"
)

// Transparent is the [transparent] table: where clients are served that do not know of a proxy.
type Transparent struct {
	Listen    string             // where what they send is redirected to; "" for nowhere
	DNSListen string             // where their questions are; "" for nowhere
	Client    string             // whoever connects there, "" for who it is elsewhere
	Ranges    transparent.Ranges // of what DNSListen answers
}

const transparentHint = "below a line [transparent] there can be listen, dns_listen, ranges and client"

// readTransparent reads the [transparent] table.
func readTransparent(t *table) Transparent {
	ranges := readRanges(t)
	var tr Transparent
	tr.Client, _ = t.text("client")
	tr.Listen = readTransparentListen(t, "listen")
	tr.DNSListen = readTransparentListen(t, "dns_listen")
	if tr.Listen == "" {
		for _, key := range []string{"dns_listen", "client", "ranges"} {
			if t.has(key) {
				t.fault(key, withHint(`for example "0.0.0.0:8443"`, "listen is missing"))
			}
		}
	}
	switch {
	case tr.DNSListen != "":
		tr.Ranges = ranges
	case t.has("ranges"):
		t.fault("ranges", withHint("they are what its answers are taken from", "dns_listen is missing"))
	}
	return tr
}

func readTransparentListen(t *table, key string) string {
	s, ok := t.text(key)
	if !ok {
		return ""
	}
	if err := checkListen(s); err != nil {
		t.fault(key, err)
	}
	return s
}

// readRanges reads up to one network of each family.
func readRanges(t *table) transparent.Ranges {
	if !t.has("ranges") {
		return transparent.DefaultRanges
	}
	var ranges transparent.Ranges
	for _, p := range parsed(t, "ranges", parseRange) {
		into := &ranges.IPv4
		if p.Addr().Is6() {
			into = &ranges.IPv6
		}
		if into.IsValid() {
			t.fault("ranges", withHint(`for example ["198.18.0.0/15"]`, "more than one network of IPv4, or of IPv6"))
		}
		*into = p
	}
	if ranges == (transparent.Ranges{}) {
		t.fault("ranges", withHint("leave the key out for those that lead nowhere else", "must not be empty"))
	}
	return ranges
}

func parseRange(s string) (netip.Prefix, error) {
	p, err := parseNetwork(s)
	if bits := p.Addr().BitLen() - p.Bits(); err == nil && bits < 8 {
		err = withHint("a /24 or larger, of IPv6 a /120", "has too few addresses")
	}
	return p, err
}

// checkListeners sees that nothing else listens where these do.
func checkListeners(t *table, cfg *Config) {
	own := []listener{{"listen", cfg.Transparent.Listen}, {"dns_listen", cfg.Transparent.DNSListen}}
	others := listeners(cfg)
	for _, own := range own {
		for _, other := range others {
			if own.address != "" && policy.SameListener(other.address, own.address) {
				t.fault(own.key, withHint("give it a port of its own", "%s is the same", other.key))
			}
		}
		others = append(others, listener{"transparent." + own.key, own.address})
	}
}

// checkTransparentClient sees that a client of that name can be told from others there.
func checkTransparentClient(t *table, cfg *Config) {
	tr := cfg.Transparent
	if tr.Client == "" {
		return
	}
	c, ok := cfg.Clients.ByName(tr.Client)
	switch {
	case !ok:
		t.fault("client", withHint("name one of the [client.NAME] tables", "no client named %q", tr.Client))
	case !IsLoopback(tr.Listen) && len(c.Networks) == 0:
		t.fault("client", withHint("list them as client."+c.Name+".networks", "listen is not a loopback address, and nothing says which networks it is for"))
	}
}
