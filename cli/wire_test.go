package cli

import (
	"crypto/x509"
	"slices"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/github"
)

// TestAuthoritiesPermit: what clients are asked to trust is good for all that
// GitHub serves below the same names, and for nothing of anybody else's.
func TestAuthoritiesPermit(t *testing.T) {
	for instance, want := range map[github.Instance][]string{
		"github.com":      {"github.com", "githubusercontent.com"},
		"octo.ghe.com":    {"octo.ghe.com"},
		"git.example.com": {"git.example.com"},
	} {
		cfg := &config.Config{Live: config.Live{Apps: []*auth.App{{Instance: instance}}, CA: config.CA{NameConstraints: true}}}
		cas, err := openAuthorities(cfg, inMemory(cfg))
		if err != nil {
			t.Fatal(err)
		}
		if len(cas.all) != 1 {
			t.Errorf("%s has %d CAs, want one", instance, len(cas.all))
		}
		for _, host := range servedHosts(cfg) {
			leaf, err := cas.certificate(host.Name)
			if err != nil {
				t.Fatal(err)
			}
			issuer, err := x509.ParseCertificate(leaf.Certificate[1])
			if err != nil || !slices.Equal(issuer.PermittedDNSDomains, want) {
				t.Errorf("the issuer of %s permits %q (%v), want %q", host.Name, issuer.PermittedDNSDomains, err, want)
			}
		}
	}
}
