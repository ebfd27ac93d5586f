package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"ghapp-proxy/certs"
	"ghapp-proxy/config"
	"ghapp-proxy/github"
	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
	"ghapp-proxy/panics"
	"ghapp-proxy/proxy"
	"ghapp-proxy/rules"
)

// authorities are the CAs of the configured instances.
type authorities struct {
	all    []*certs.CA
	byHost map[string]*certs.CA // served host → its CA
}

// specs say what the CAs must sign for: one for each instance, or one for all
// where the files are given.
func specs(cfg *config.Config) []certs.Spec {
	var list []certs.Spec
	for _, instance := range instances(cfg) {
		spec := certs.Spec{Instance: string(instance), Domains: instance.Domains(), Unconstrained: !cfg.CA.NameConstraints}
		for _, host := range instance.Hosts() {
			spec.Hosts = append(spec.Hosts, host.Name)
		}
		list = append(list, spec)
	}
	if spec, ok := ownSpec(cfg); ok {
		list = append(list, spec)
	}
	if cfg.CA.CertFile != "" && len(list) > 0 {
		for _, spec := range list[1:] {
			list[0].Hosts = append(list[0].Hosts, spec.Hosts...)
		}
		list = list[:1]
	}
	return list
}

// instances are the GitHubs of the configured Apps, in order.
func instances(cfg *config.Config) []github.Instance {
	var list []github.Instance
	for _, app := range cfg.Apps {
		if !slices.Contains(list, app.Instance) {
			list = append(list, app.Instance)
		}
	}
	return list
}

// servedHosts are the hosts to intercept.
func servedHosts(cfg *config.Config) []github.Host {
	var list []github.Host
	for _, instance := range instances(cfg) {
		list = append(list, instance.Hosts()...)
	}
	return list
}

// policyOf is who may do what.
func policyOf(cfg *config.Config, grants *grant.Source, tokens *oidc.Source) proxy.Policy {
	return proxy.Policy{Grants: grants, Tokens: tokens, Rules: ruleSet(cfg), DefaultOwner: cfg.DefaultOwner, Clients: cfg.Clients, Anonymous: cfg.AllowAnonymous, Origins: cfg.Origins}
}

// ruleSet are the rules in force.
func ruleSet(cfg *config.Config) rules.Set {
	return rules.Set{JWTWrites: cfg.JWTWrites, Exchange: cfg.Exchange == config.ExchangePlaceholder, Rules: cfg.Rules}
}

// authority makes or loads the CAs of one instance.
type authority func(certs.Spec) ([]*certs.CA, error)

// inMemory makes CAs that are kept nowhere. Given files are used all the same.
func inMemory(cfg *config.Config) authority {
	if cfg.CA.CertFile != "" {
		return onDisk(cfg)
	}
	return func(spec certs.Spec) ([]*certs.CA, error) { return one(certs.New(spec)) }
}

func one(ca *certs.CA, err error) ([]*certs.CA, error) { return []*certs.CA{ca}, err }

// onDisk loads the given CA, or those of the state directory, which are
// created on first use.
func onDisk(cfg *config.Config) authority {
	return func(spec certs.Spec) ([]*certs.CA, error) {
		if cfg.CA.CertFile != "" {
			return one(certs.Load(cfg.CA.CertFile, cfg.CA.KeyFile, spec))
		}
		cas, err := certs.Open(caDir(cfg), spec)
		if err != nil {
			return nil, fmt.Errorf("%w: the CA is kept below state_dir = %q", err, cfg.StateDir)
		}
		return cas, nil
	}
}

// caDir is where the CAs are kept.
func caDir(cfg *config.Config) string { return filepath.Join(cfg.StateDir, "ca") }

// openAuthorities opens all CAs; the error names all that failed.
func openAuthorities(cfg *config.Config, open authority) (*authorities, error) {
	a := &authorities{byHost: make(map[string]*certs.CA)}
	var failed error
	for _, spec := range specs(cfg) {
		cas, err := open(spec)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		a.all = append(a.all, cas...)
		for _, ca := range cas {
			for _, host := range ca.Hosts() {
				a.byHost[host] = ca
			}
		}
	}
	return a, failed
}

// pem is what clients must trust.
func (a *authorities) pem() []byte {
	var text []byte
	for _, ca := range a.all {
		text = append(text, ca.PEM()...)
	}
	return text
}

// bundle is the system's roots and what clients must trust besides.
func (a *authorities) bundle(cfg *config.Config) ([]byte, error) {
	roots := certs.SystemRoots{File: os.Getenv("SSL_CERT_FILE"), Dirs: os.Getenv("SSL_CERT_DIR")}
	if filepath.Dir(roots.File) == envDir(cfg) {
		roots.File = "" // of an earlier `env`: it may hold a CA that was renewed since
	}
	return roots.Bundle(a.pem())
}

// certificate is the proxy's Options.Certificate.
func (a *authorities) certificate(host string) (*tls.Certificate, error) {
	ca, ok := a.byHost[host]
	if !ok {
		return nil, fmt.Errorf("no CA for %s", host)
	}
	return ca.Certificate(host)
}

// secret is one that all proxies have that have the same CAs, and nobody else.
func (a *authorities) secret(purpose string) []byte {
	var all []byte
	for _, ca := range a.all {
		all = append(all, ca.Secret(purpose)...)
	}
	return all
}

// prepare makes a certificate for each host, before somebody waits for it. What fails
// then is said when it fails again.
func (a *authorities) prepare(log *slog.Logger) {
	defer panics.Log(log, "certificates could not be made beforehand")
	for host, ca := range a.byHost {
		_, _ = ca.Certificate(host)
	}
}

// userAgent is what GitHub is told.
const userAgent = "ghapp-proxy"

// connect makes the way to GitHub; next says which proxy is on it. own are the
// addresses that this program listens on.
func connect(cfg *config.Config, own ...net.Addr) (upstream *proxy.Upstream, next func(*url.URL) *proxy.NextProxy, err error) {
	roots, err := rootCAs(cfg.Upstream.RootsPEM)
	if err != nil {
		return nil, nil, err
	}
	if next, err = nextProxy(cfg, os.LookupEnv, own); err != nil {
		return nil, nil, &statusError{exitConfig, err}
	}
	upstream = proxy.NewUpstream(proxy.UpstreamOptions{
		ConnectTo: cfg.Upstream.ConnectTo, RootCAs: roots, Proxy: next, HTTP2: cfg.Upstream.HTTP2,
		Egress: cfg.Egress,
	})
	for _, addr := range own {
		upstream.Forbid(addr) // before anybody asks
	}
	return upstream, next, nil
}

// rootCAs are the system's roots and those of a ca_file; nil for the system's alone.
func rootCAs(extra []byte) (*x509.CertPool, error) {
	if extra == nil {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's roots: %w", err)
	}
	if !pool.AppendCertsFromPEM(extra) {
		return nil, errors.New("ca_file contains no certificate")
	}
	return pool, nil
}
