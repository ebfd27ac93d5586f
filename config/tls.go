package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"ghapp-proxy/certs"
)

const tlsHint = "below a line [tls] there can be cert_file with key_file, or names"

// readTLS reads the [tls] table.
func readTLS(t *table, cfg *Config) TLS {
	var own TLS
	own.CertFile, _ = t.file("cert_file")
	own.KeyFile, _ = t.file("key_file")
	own.Names = parsed(t, "names", parseTLSName)
	switch cert, key := t.has("cert_file"), t.has("key_file"); {
	case cert != key:
		missing := map[bool]string{true: "key_file", false: "cert_file"}[cert]
		t.fault(map[bool]string{true: "cert_file", false: "key_file"}[cert], withHint("give both, or names to have a certificate made by the proxy's own CA", "%s is missing", missing))
	case cert && t.has("names"):
		t.fault("names", withHint("leave names out: those of the certificate count", "cert_file is given as well"))
	case own.CertFile != "" && own.KeyFile != "":
		own.Certificate = readPair(t, own.CertFile, own.KeyFile)
	case !t.has("names"):
		if own.Names = defaultTLSNames(cfg); own.Names == nil && cfg.Form.HasTLS() {
			t.fault("names", errNoTLSName)
		}
	}
	return own
}

var errNoTLSName = withHint(`write names = ["proxy.example.com"] below [tls], or cert_file and key_file`, "listen has https://, and no name is known by which clients call the proxy")

// defaultTLSNames are the names of a proxy that only this machine reaches.
func defaultTLSNames(cfg *Config) []string {
	if cfg.Form.HasTLS() && IsLoopback(cfg.Listen) {
		return []string{"localhost"}
	}
	return nil
}

// defaultTLSNames are those where there is no file.
func (l *loader) defaultTLSNames(source string, cfg *Config) []string {
	names := defaultTLSNames(cfg)
	if names == nil && cfg.Form.HasTLS() {
		l.faults = append(l.faults, newFault(source, 0, "listen", errNoTLSName))
	}
	return names
}

// parseTLSName reads a name by which clients call the proxy.
func parseTLSName(s string) (string, error) {
	name, err := certs.ParseHost(s)
	if err != nil {
		return "", withHint("for an address give cert_file and key_file, or a name that leads to it", "%q %w", s, err)
	}
	return name, nil
}

// readPair reads a certificate and its key. Whoever may read the key can pass for the
// proxy.
func readPair(t *table, certFile, keyFile string) *tls.Certificate {
	chain, err := t.doc.reading.readFile(certFile, nil)
	if err != nil {
		t.fault("cert_file", pathError(certFile, "the certificate", err))
	}
	t.warnPlace("cert_file", certFile)
	key, keyErr := t.doc.reading.readFile(keyFile, func(w error) { t.warn("key_file", w) })
	if keyErr != nil {
		t.fault("key_file", pathError(keyFile, "the key of the certificate", keyErr))
	}
	if err != nil || keyErr != nil {
		return nil
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.fault("cert_file", withHint("cert_file has the certificate and those that vouch for it, key_file its key, both in PEM", "%s", strings.TrimPrefix(err.Error(), "tls: ")))
		return nil
	}
	for _, problem := range PairProblems(&pair, time.Now()) {
		t.warn("cert_file", problem)
	}
	return &pair
}

// PairProblems says why clients will refuse a certificate at a time.
func PairProblems(pair *tls.Certificate, now time.Time) (problems []error) {
	leaf := pair.Leaf
	switch {
	case now.After(leaf.NotAfter):
		problems = append(problems, withHint("put another one in its place: a proxy that runs takes it by itself", "the certificate expired on %s", leaf.NotAfter.Format(time.DateOnly)))
	case now.Before(leaf.NotBefore):
		problems = append(problems, fmt.Errorf("the certificate is not good before %s", leaf.NotBefore.Format(time.DateTime)))
	}
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		problems = append(problems, errors.New("the certificate is for no name and no address (subjectAltName), so that clients refuse it"))
	}
	return problems
}
