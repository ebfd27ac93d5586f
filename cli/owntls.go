package cli

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"ghapp-proxy/certs"
	"ghapp-proxy/config"
	"ghapp-proxy/proxy"
)

// ownInstance is what the CA is called that signs for the proxy's own names. It is one
// beside those for GitHub's, which may sign for GitHub's names alone.
const ownInstance = "ghapp-proxy"

// ownSpec is what that CA must sign for; ok is false where nobody needs one.
func ownSpec(cfg *config.Config) (spec certs.Spec, ok bool) {
	spec = certs.Spec{Instance: ownInstance, Hosts: cfg.TLS.Names, Unconstrained: !cfg.CA.NameConstraints}
	return spec, cfg.Form.HasTLS() && len(cfg.TLS.Names) > 0
}

// formOf is what clients speak to the proxy.
func formOf(f config.Form) proxy.Form {
	return map[config.Form]proxy.Form{config.FormTLS: proxy.FormTLS, config.FormBoth: proxy.FormBoth}[f]
}

// ownCertificate is the proxy's Configuration.OwnCertificate.
func ownCertificate(cfg *config.Config, cas *authorities) func(string) (*tls.Certificate, error) {
	return func(name string) (*tls.Certificate, error) {
		switch names := cfg.TLS.Names; {
		case cfg.TLS.Certificate != nil:
			return cfg.TLS.Certificate, nil
		case len(names) == 0:
			return nil, errors.New("no certificate is configured: see [tls]")
		case slices.Contains(names, strings.ToLower(name)):
			return cas.certificate(strings.ToLower(name))
		default: // as servers do that know no such name: the client tells what it wants instead
			return cas.certificate(names[0])
		}
	}
}

// ownURL is that of the proxy as clients on this machine, or its network, name it.
func ownURL(cfg *config.Config) *url.URL {
	if !cfg.Form.HasTLS() {
		return &url.URL{Scheme: "http", Host: cfg.Listen}
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return &url.URL{Scheme: "https", Host: cfg.Listen} // it was checked
	}
	return &url.URL{Scheme: "https", Host: net.JoinHostPort(cmp.Or(ownName(cfg, host), host), port)}
}

// ownName is a name, or an address, by which clients can call the proxy that listens on
// an address; "" if nobody knows one.
func ownName(cfg *config.Config, address string) string {
	if len(cfg.TLS.Names) > 0 {
		return cfg.TLS.Names[0]
	}
	if cfg.TLS.Certificate == nil {
		return ""
	}
	leaf := cfg.TLS.Certificate.Leaf
	if leaf.VerifyHostname(address) == nil {
		return address
	}
	i := slices.IndexFunc(leaf.DNSNames, func(name string) bool { return !strings.HasPrefix(name, "*") })
	if i >= 0 {
		return leaf.DNSNames[i]
	}
	return ""
}
