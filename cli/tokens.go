package cli

import (
	"net/http"

	"ghapp-proxy/oidc"
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
	issuers, err := oidc.NewIssuers(before, next.cfg.Issuers, func(i *oidc.Issuer) (http.RoundTripper, error) {
		roots, err := rootCAs(i.RootsPEM)
		return next.upstream.Asking(roots), err
	})
	next.tokens = &oidc.Source{Issuers: issuers, Clients: next.cfg.Tokens}
	return err
}
