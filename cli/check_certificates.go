package cli

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/certs"
)

// checkCertificates says how good the proxy's CAs are, who trusts them here, and what
// else expires.
func (x *examination) checkCertificates() (list []finding) {
	cas, err := existingAuthorities(x.cfg)
	if err != nil {
		return []finding{bad("", "ca", "%v", err)} // it was good a moment ago
	}
	if len(cas) == 0 {
		list = append(list, good("ca", "none yet: `ghapp-proxy serve` and `ghapp-proxy ca` make one in %s", caDir(x.cfg)))
	}
	var roots []*x509.Certificate
	for _, ca := range cas {
		list = append(list, describeCA(ca)...)
		roots = append(roots, parseCertificates(ca.PEM())[0]) // the newest
	}
	if len(roots) > 0 {
		list = append(list, x.checkTrust(roots)...)
	}
	list = append(list, checkOwnCertificate(x.cfg)...)
	return append(list, checkRoots(x.cfg.Upstream.RootsPEM)...)
}

// describeCA says until when a CA is good, and for what.
func describeCA(ca *certs.CA) []finding {
	until := ca.Expires().Format(time.DateOnly)
	var list []finding
	if fault := ca.Expiring(); fault != nil {
		list = append(list, dubious(fault.Hint, "ca", "%s: %v", fault.Path, fault.Reason))
	}
	domains, err := permittedBy(ca)
	switch {
	case err != nil:
		return append(list, bad("", "ca", "%v", err))
	case len(domains) == 0:
		return append(list, dubious("keep its key well, or have a limited one made: see name_constraints in [ca]", "ca",
			"%v is good until %s, and limited to no names: who has its key can pass for every site", ca, until))
	}
	return append(list, good("ca", "%v is good until %s, for %s and what is below, and for nothing else", ca, until, strings.Join(domains, ", ")))
}

// permittedBy are the names that a CA is limited to, none for all.
func permittedBy(ca *certs.CA) ([]string, error) {
	leaf, err := ca.Certificate(ca.Hosts()[0])
	if err != nil {
		return nil, err
	}
	for _, der := range leaf.Certificate[1:] {
		issuer, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		if len(issuer.PermittedDNSDomains) > 0 {
			return issuer.PermittedDNSDomains, nil
		}
	}
	return parseCertificates(ca.PEM())[0].PermittedDNSDomains, nil
}

// checkRoots says when the certificates of upstream.ca_file end.
func checkRoots(text []byte) (list []finding) {
	roots := parseCertificates(text)
	if len(roots) == 0 {
		return nil
	}
	const key = "upstream.ca_file"
	soon := 0
	for _, root := range roots {
		if end := root.NotAfter; time.Until(end) < certs.Notice {
			soon++
			list = append(list, dubious("replace it, if a server still needs it", key, "%s is good until %s only", root.Subject, end.Format(time.DateOnly)))
		}
	}
	if soon == 0 {
		first := slices.MinFunc(roots, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		list = append(list, good(key, "%d certificates, good until %s or longer", len(roots), first.NotAfter.Format(time.DateOnly)))
	}
	return list
}

// parseCertificates are the certificates in PEM text; what is none is left out.
func parseCertificates(text []byte) (list []*x509.Certificate) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			list = append(list, cert)
		}
	}
	return list
}
