package cli

import (
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/config"
)

// checkOwnCertificate says how good the certificate is that the proxy shows to clients
// that speak TLS to it.
func checkOwnCertificate(cfg *config.Config) (list []finding) {
	pair := cfg.TLS.Certificate
	switch {
	case !cfg.Form.HasTLS() && (pair != nil || cfg.TLS.Names != nil):
		return []finding{dubious(`write listen = "https://…", or "http+https://…" for both`, "tls", "clients do not speak TLS to the proxy, so that [tls] is of no use")}
	case !cfg.Form.HasTLS():
		return nil
	case pair == nil:
		return []finding{good("tls", "the proxy's CA signs for %s", strings.Join(cfg.TLS.Names, ", "))}
	}
	const key = "tls.cert_file"
	for _, problem := range config.PairProblems(pair, time.Now()) {
		list = append(list, bad("clients refuse it: put another one in its place", key, "%v", problem))
	}
	leaf := pair.Leaf
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil {
		addr, _ := netip.ParseAddr(host)
		if name := ownName(cfg, host); name == "" && addr.IsValid() && !addr.IsUnspecified() {
			list = append(list, dubious("clients must call the proxy by a name of the certificate", key, "it is not for %s, by which the proxy listens", host))
		}
	}
	if isFor := slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth); len(leaf.ExtKeyUsage) > 0 && !isFor {
		list = append(list, bad("have one made for servers (extendedKeyUsage serverAuth)", key, "it is not for servers"))
	}
	others := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			others.AddCert(cert)
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: others}); err != nil && list == nil {
		list = append(list, dubious("whoever uses the proxy must trust who signed it", key, "this machine does not: %v", err))
	}
	if dueSoon(leaf, time.Now()) && time.Now().Before(leaf.NotAfter) {
		list = append(list, dubious("put another one in its place: a proxy that runs takes it by itself", key, "it ends on %s", leaf.NotAfter.Format(time.DateOnly)))
	}
	return append(list, good(key, "for %s, until %s", strings.Join(certificateNames(leaf), ", "), leaf.NotAfter.Format(time.DateOnly)))
}

// certificateNames are the names and the addresses of a certificate.
func certificateNames(leaf *x509.Certificate) []string {
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// dueSoon reports whether a certificate should have been replaced: a fifth of its life
// is left, which those who renew by themselves do not let it come to.
func dueSoon(leaf *x509.Certificate, now time.Time) bool {
	return leaf.NotAfter.Sub(now) < leaf.NotAfter.Sub(leaf.NotBefore)/5
}
