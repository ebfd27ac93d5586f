// Package oidc tells clients by tokens that somebody else has signed: of a job of
// GitHub Actions or GitLab, of a pod of Kubernetes, of a workload of SPIFFE.
//
//	issuers, err := oidc.NewIssuers(nil, []*oidc.Issuer{{Name: "github-actions", URL: …}}, transport)
//	holders := oidc.NewHolders(&oidc.Source{Issuers: issuers, Clients: rules}, clients)
//	…
//	held, err := holders.Hold(ctx, oidc.Sent{Text: token}, time.Now())
//	held.Client.Decide(…)
//
// A token is a JWT (RFC 7519), verified with the public keys of its issuer (OpenID
// Connect Discovery 1.0; JWT-SVID of SPIFFE). A Client says which claims a token must
// have to be one of the clients, and may take limits out of claims: what stands in
// one is hostile, and a value that could widen the limit is a refusal.
//
// Keys are fetched when a token asks for one that is not known, by whoever has sent
// that token, once in a while, within a bounded time and size. Nobody else waits.
//
// # Limitations
//
// A token is good until it ends, or until its issuer withdraws the key. The
// tokens that were used once (Issuer.Once) are known to this process, and to the
// Issuers after this. A token that names its claims elsewhere (distributed claims)
// has none of those.
package oidc
