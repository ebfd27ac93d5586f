package cli

import (
	"net/http"

	"ghapp-proxy/config"
	"ghapp-proxy/oidc"
	"ghapp-proxy/proxy"
)

// prepareTokens makes by what tokens are verified. What the parts in force have fetched
// of the same issuers is good still, and what was used stays used.
func (s *server) prepareTokens(next *parts) error {
	var before *oidc.Issuers
	if now := s.now.Load(); now != nil && now.tokens != nil {
		before = now.tokens.Issuers
	}
	if len(next.cfg.Issuers) == 0 && before == nil {
		return nil
	}
	issuers, err := issuersOf(before, next.cfg, next.upstream.Upstream)
	next.tokens = &oidc.Source{Issuers: issuers, Clients: next.cfg.Tokens}
	if s.opts.shared != nil {
		next.tokens.Shared = s.opts.shared
	}
	return err
}

// issuersOf are those of a configuration, after those of before, if any. They are asked
// for their keys by the way to GitHub.
func issuersOf(before *oidc.Issuers, cfg *config.Config, way *proxy.Upstream) (*oidc.Issuers, error) {
	return oidc.NewIssuers(before, cfg.Issuers, func(i *oidc.Issuer) (http.RoundTripper, error) {
		roots, err := rootCAs(i.RootsPEM)
		return way.Asking(roots), err
	})
}
