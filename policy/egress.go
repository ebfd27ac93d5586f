package policy

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// Egress says where tunnels and http:// requests may go. It is not asked about
// served hosts. A nil *Egress lets everything pass; the zero value lets ports
// 443 and 80 of public addresses pass. It is not changed once it is in use.
type Egress struct {
	// DenyUnlisted refuses what Allow does not list.
	DenyUnlisted bool
	// Allow lists what passes, on ports 443 and 80 where an element names no
	// port. Of addresses that are not public only those pass that it lists as
	// addresses: a name leads where whoever has it wants.
	Allow []HostPattern
	// AllowPrivate lists names that pass as in Allow, and lead to private
	// addresses too. Their elements must be of one name (HostPattern.IsName).
	AllowPrivate []HostPattern
	// Deny lists what never passes, on any port where an element names none.
	// It wins over Allow. Addresses in it are looked for behind names as well.
	Deny []HostPattern
}

// EgressDenial says why somebody may not go somewhere.
type EgressDenial struct {
	Key    string // what decided: egress.default, egress.deny[1], egress.allow
	Reason string // the cause, without a full stop
	Remedy string // "" if there is none
	// Addr is the address that the name led to, for the log of whoever runs
	// the proxy; invalid where the name was enough.
	Addr netip.Addr
}

// Error implements error, so that a dialler can return the denial.
func (d *EgressDenial) Error() string { return d.Reason }

// Limited reports whether some hosts may be reached and others may not, so
// that it matters what a tunnel is used for.
func (e *Egress) Limited() bool {
	return e != nil && (e.DenyUnlisted || len(e.Allow)+len(e.AllowPrivate)+len(e.Deny) > 0)
}

// Decide decides about a destination by its name, or by its address if it is
// one. nil lets it pass, as far as the name goes: where it is resolved,
// DecideAddr has to be asked as well.
func (e *Egress) Decide(d Destination) *EgressDenial {
	if e == nil {
		return nil
	}
	for i, p := range e.Deny {
		if p.MatchHost(d) && p.deniesPort(d.Port) {
			return e.denied(i, d, netip.Addr{})
		}
	}
	switch listed := e.lists(d); {
	case !listed && e.DenyUnlisted:
		return &EgressDenial{Key: "egress.default", Reason: notAllowed(d), Remedy: "add it to egress.allow"}
	case !listed && !isWebPort(d.Port):
		return &EgressDenial{Key: "egress.allow", Reason: notAllowed(d) + ": ports other than 443 and 80 must be listed", Remedy: addTo(d)}
	case d.Addr.IsValid():
		return e.DecideAddr(d, d.Addr)
	}
	if what := localName(d.Host); what != "" && !e.listsName(d, what) {
		return &EgressDenial{Key: "egress.allow", Reason: notAllowed(d) + ": it is " + what, Remedy: addTo(d) + ", and its address"}
	}
	return nil
}

// DecideTunnel is Decide for a CONNECT. Where egress is limited, port 80 has to
// be listed: what passes there is not looked at, and could be meant for another
// host. Requests for http:// are sent without a tunnel.
func (e *Egress) DecideTunnel(d Destination) *EgressDenial {
	if denial := e.Decide(d); denial != nil || !e.Limited() || d.Port != 80 {
		return denial
	}
	for p := range e.allowed() {
		if p.port == d.Port && p.MatchHost(d) {
			return nil
		}
	}
	return &EgressDenial{Key: "egress.allow", Reason: notAllowed(d) + ": tunnels to port 80 must be listed", Remedy: "send the request without a tunnel, or " + addTo(d)}
}

// DecideAddr decides about an address that a destination was resolved to. It
// has to be asked about the very address that is connected to: a name may lead
// elsewhere the next time.
func (e *Egress) DecideAddr(d Destination, addr netip.Addr) *EgressDenial {
	if e == nil {
		return nil
	}
	for i, p := range e.Deny {
		if p.matchAddr(addr) && p.deniesPort(d.Port) {
			return e.denied(i, d, addr)
		}
	}
	kind, ok := kindOf(addr)
	if !ok || e.listsAddr(d, addr) || kind.private && anyOf(e.AllowPrivate, d) {
		return nil
	}
	denial := &EgressDenial{Key: "egress.allow", Addr: addr, Reason: notAllowed(d) + ": it leads to " + kind.what + " address"}
	switch {
	case d.Addr.IsValid():
		denial.Reason = notAllowed(d) + ": it is " + kind.what + " address"
		denial.Remedy = addTo(d)
	case kind.private:
		denial.Key, denial.Remedy = "egress.allow_private", addToPrivate(d)
	default:
		denial.Remedy = addTheAddress
	}
	return denial
}

// DecideOwnAddr is DecideAddr for an address of the machine that the proxy runs
// on, where other services may rely on being out of reach. It passes only if
// Allow lists it, or a range of loopback addresses, and not some larger network.
func (e *Egress) DecideOwnAddr(d Destination, addr netip.Addr) *EgressDenial {
	denial := e.DecideAddr(d, addr)
	if e == nil || denial != nil {
		return denial
	}
	for _, p := range e.Allow {
		if p.matchAddr(addr) && p.allowsPort(d.Port) && (p.prefix.IsSingleIP() || canonical(addr).IsLoopback()) {
			return nil
		}
	}
	leads := "leads to"
	if d.Addr.IsValid() {
		leads = "is"
	}
	return &EgressDenial{
		Key: "egress.allow", Addr: addr, Reason: notAllowed(d) + ": it " + leads + " an address of the proxy's own machine", Remedy: addTheAddress,
	}
}

// Ports are those on which something may pass: 443, 80, and those that are listed.
func (e *Egress) Ports() []uint16 {
	ports := []uint16{443, 80}
	if e == nil {
		return ports
	}
	for p := range e.allowed() {
		if p.port != 0 && !slices.Contains(ports, p.port) {
			ports = append(ports, p.port)
		}
	}
	return ports
}

// LeadsTo reports whether something may pass to a name, on some port. What is no name, as an address is, leads nowhere.
func (e *Egress) LeadsTo(name string) bool {
	host, addr, err := parseHost(name)
	if err != nil || addr.IsValid() {
		return false
	}
	return slices.ContainsFunc(e.Ports(), func(port uint16) bool { return e.Decide(Destination{Host: host, Port: port}) == nil })
}

const addTheAddress = "if that is meant, add the address to egress.allow"

// allowed are the elements of Allow and AllowPrivate.
func (e *Egress) allowed() iter.Seq[HostPattern] {
	return func(yield func(HostPattern) bool) {
		for _, list := range [...][]HostPattern{e.Allow, e.AllowPrivate} {
			for _, p := range list {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// anyOf reports whether one of the patterns is about a destination and its port.
func anyOf(patterns []HostPattern, d Destination) bool {
	return slices.ContainsFunc(patterns, func(p HostPattern) bool { return p.MatchHost(d) && p.allowsPort(d.Port) })
}

// lists reports whether a destination is listed by its name or address.
func (e *Egress) lists(d Destination) bool { return anyOf(e.Allow, d) || anyOf(e.AllowPrivate, d) }

// listsName reports whether this very name is listed. AllowPrivate does not count
// for names of the machine itself, which have no private addresses.
func (e *Egress) listsName(d Destination, what string) bool {
	exactly := func(p HostPattern) bool { return p.exact(d) && p.allowsPort(d.Port) }
	return slices.ContainsFunc(e.Allow, exactly) || what != thisMachine && slices.ContainsFunc(e.AllowPrivate, exactly)
}

// listsAddr reports whether Allow lists an address.
func (e *Egress) listsAddr(d Destination, addr netip.Addr) bool {
	for _, p := range e.Allow {
		if p.matchAddr(addr) && p.allowsPort(d.Port) {
			return true
		}
	}
	return false
}

func (e *Egress) denied(i int, d Destination, addr netip.Addr) *EgressDenial {
	key := fmt.Sprintf("egress.deny[%d]", i+1)
	return &EgressDenial{Key: key, Addr: addr, Reason: notAllowed(d) + ": " + key + " forbids it"}
}

func notAllowed(d Destination) string { return "egress to " + d.String() + " is not allowed" }

// addTo says what to add so that a destination passes.
func addTo(d Destination) string { return fmt.Sprintf("add %q to egress.allow", entry(d)) }

// addToPrivate is addTo for a name that leads to a private address.
func addToPrivate(d Destination) string {
	return fmt.Sprintf("if that is meant, add %q to egress.allow_private", entry(d))
}

// entry is how a list has a destination.
func entry(d Destination) string {
	if d.Port == 443 {
		return d.Host
	}
	return d.String()
}

var (
	// hereNames are names that hosts files have for the machine itself: those of
	// Debian, Fedora, Alpine and macOS.
	hereNames = []string{
		"localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6",
		"ip6-localhost", "ip6-loopback", "ipv6-localhost", "ipv6-loopback", "broadcasthost", "loopback",
	}
	// outerNames are names that containers have for what they run on.
	outerNames = []string{"host.docker.internal", "gateway.docker.internal", "host.containers.internal", "host.lima.internal"}
)

const thisMachine = "this machine"

// localName says what a name is that never leads to a public address. Another
// proxy that resolves names for us is not asked about these.
func localName(name string) string {
	switch {
	case slices.Contains(hereNames, name), strings.HasSuffix(name, ".localhost"): // RFC 6761, section 6.3
		return thisMachine
	case slices.Contains(outerNames, name):
		return "the machine that containers run on"
	case name == "metadata.google.internal" || name == "metadata.goog":
		return "a metadata service"
	}
	return ""
}
