package config

import (
	"crypto/x509"
	"net/url"

	"ghapp-proxy/certs"
	"ghapp-proxy/policy"
)

// readClientCertificate reads by which certificate a client is told, nil for none.
func readClientCertificate(owner *table) *policy.Certificate {
	if !owner.has("certificate") {
		return nil
	}
	t := owner.table("certificate", `for example { ca_file = "clients.pem", uri = "spiffe://example.com/agent" }`)
	c := new(policy.Certificate)
	path, ok := t.file("ca_file")
	switch {
	case ok:
		roots, err := readRoots(t.doc.reading, path)
		if err != nil {
			t.fault("ca_file", err)
		}
		t.warnPlace("ca_file", path) // who may be the client
		c.RootsPEM, c.Roots = roots, x509.NewCertPool()
		c.Roots.AppendCertsFromPEM(roots)
	case !t.has("ca_file"):
		t.fault("", withHint("name the file of the CA that signs the clients' certificates", "ca_file is missing"))
	}
	if s, ok := t.text("uri"); ok {
		if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" || u.String() != s {
			t.fault("uri", withHint(`for example "spiffe://example.com/agent"`, "not a URI as a certificate has it"))
		}
		c.URI = s
	}
	if s, ok := t.text("dns"); ok {
		name, err := certs.ParseHost(s)
		if err != nil {
			t.fault("dns", withHint(`for example "agent.example.com"; what it stands for must be in the certificate`, "%q %w", s, err))
		}
		c.DNS = name
	}
	if !t.has("uri") && !t.has("dns") {
		t.fault("", withHint("else everybody to whom the CA gives a certificate is this client", "uri or dns is missing"))
	}
	return c
}
