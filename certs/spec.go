package certs

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Spec says what a CA must be able to sign. Names are compared without regard
// to case.
type Spec struct {
	// Instance is the DNS name of the GitHub instance, such as "github.com". It
	// names the files and the certificates' subjects. Instances have separate
	// CAs, so that adding one leaves the roots of the others trusted.
	Instance string

	// Hosts are the exact DNS names that leaves are signed for; there must be
	// one at least. The name constraints permit these and the names below them.
	Hosts []string

	// Domains are DNS names that the constraints permit as well, such as
	// "githubusercontent.com" where the host is "raw.githubusercontent.com": then
	// a host that is served there later needs no new root. All below them must
	// be in the hands of whoever runs the instance.
	Domains []string

	// Unconstrained leaves the name constraints out, for clients whose TLS
	// library refuses them (libgit2 with mbedTLS). Whoever steals the key of
	// such a CA can impersonate every server to clients that trust it.
	Unconstrained bool
}

// normalize returns a checked copy with lower-case, sorted, unique hosts.
func (s Spec) normalize() (Spec, error) {
	s.Instance = foldName(s.Instance)
	if err := checkName(s.Instance); err != nil {
		return s, fmt.Errorf("instance %q: %w", s.Instance, err)
	}
	if len(s.Hosts) == 0 {
		return s, fmt.Errorf("instance %s: no hosts to make a CA for", s.Instance)
	}
	var err error
	if s.Hosts, err = normalizeNames("host", s.Hosts); err != nil {
		return s, err
	}
	s.Domains, err = normalizeNames("domain", s.Domains)
	return s, err
}

// normalizeNames returns checked names in lower case, sorted, each once.
func normalizeNames(what string, names []string) ([]string, error) {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = foldName(name)
		if err := checkName(list[i]); err != nil {
			return nil, fmt.Errorf("%s %q: %w", what, name, err)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// permitted returns the DNS constraints of a new CA.
func (s Spec) permitted() []string {
	if s.Unconstrained {
		return nil
	}
	return s.tops()
}

// tops returns the fewest DNS constraints that permit all hosts and domains: a
// name below another is left out, because RFC 5280, section 4.2.1.10 lets
// "github.com" permit "api.github.com".
func (s Spec) tops() []string {
	all := slices.Sorted(slices.Values(slices.Concat(s.Hosts, s.Domains)))
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return strings.HasSuffix(name, "."+other) })
	})
}

// further returns the specs of CAs for hosts that the CA of s does not permit:
// one for each of the tops, so that the next host there needs no other.
func (s Spec) further(hosts []string) (list []Spec) {
	for _, top := range s.tops() {
		spec := Spec{Instance: top, Domains: []string{top}}
		for _, host := range hosts {
			if permits([]string{top}, host) {
				spec.Hosts = append(spec.Hosts, host)
			}
		}
		if len(spec.Hosts) > 0 {
			list = append(list, spec)
		}
	}
	return list
}

// named returns s, or the one of its further specs that is called name.
func (s Spec) named(name string) Spec {
	for _, spec := range s.further(s.Hosts) {
		if spec.Instance == name && name != s.Instance {
			return spec
		}
	}
	return s
}

// permits reports whether constraints permit a DNS name; none permit all.
func permits(constraints []string, name string) bool {
	return len(constraints) == 0 || slices.ContainsFunc(constraints, func(c string) bool {
		return name == c || strings.HasSuffix(name, "."+c)
	})
}

// ParseHost returns a DNS name as certificates have it, in lower case.
func ParseHost(name string) (string, error) {
	name = foldName(name)
	return name, checkName(name)
}

// foldName returns name as DNS compares it: in lower case, and without the dot
// of the DNS root.
func foldName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// checkName returns an error unless the folded name is a host name in the
// preferred syntax of RFC 1034, section 3.5 (RFC 1123 lets labels begin with a
// digit). Such a name is also safe as part of a file name.
func checkName(name string) error {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return errors.New("is an IP address; the CA signs for DNS names only")
	}
	if name == "" || len(name) > 253 {
		return errors.New("is not a DNS name")
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return errors.New("is not a DNS name (international names: in their xn-- form)")
		}
	}
	return nil
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-") {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
