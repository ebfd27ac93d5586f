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
	hosts := make([]string, len(s.Hosts))
	for i, host := range s.Hosts {
		hosts[i] = foldName(host)
		if err := checkName(hosts[i]); err != nil {
			return s, fmt.Errorf("host %q: %w", host, err)
		}
	}
	slices.Sort(hosts)
	s.Hosts = slices.Compact(hosts)
	return s, nil
}

// permitted returns the fewest DNS constraints that permit all hosts: a host
// below another is left out, because RFC 5280, section 4.2.1.10 lets
// "github.com" permit "api.github.com". Serving one more such host therefore
// needs no new CA.
func (s Spec) permitted() []string {
	if s.Unconstrained {
		return nil
	}
	var names []string
	for _, host := range s.Hosts {
		isBelow := func(other string) bool { return strings.HasSuffix(host, "."+other) }
		if !slices.ContainsFunc(s.Hosts, isBelow) {
			names = append(names, host)
		}
	}
	return names
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
