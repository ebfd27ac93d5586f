package auth

import (
	"context"
	"net/http"
	"time"
)

const (
	// youngToken is for how long GitHub may not know a token everywhere.
	// @octokit/auth-app waits as long.
	youngToken = 5 * time.Second
	// MaxTokenWaits is how often a 401 for a token that GitHub minted a moment ago is
	// waited for: for 1, 2, 3, 4 and 5 seconds. It cannot be about anything but
	// replication, unless the token was revoked at once.
	MaxTokenWaits = 5
	// maxGrantWaits is the same for an answer that may be about something else.
	maxGrantWaits = 3
)

// Young reports whether GitHub may not know the credential's token everywhere, or
// not with all that it is good for.
func (c Credential) Young() bool { return c.Age() < youngToken }

// Proven reports whether GitHub is known to know the token.
func (c Credential) Proven() bool { return !c.Young() || c.header.proven.Load() }

// Accepted notes that GitHub answered a request that had the credential with a
// success.
func (c Credential) Accepted() {
	if c.header != nil && !c.header.proven.Load() {
		c.header.proven.Store(true)
	}
}

// Prove waits until GitHub knows a token that was minted a moment ago, which costs
// no quota: docs.github.com "REST API endpoints for rate limits". It is for requests
// that cannot be sent again. Where the token turns out to be revoked, it returns
// what Replace does. A failure of another kind is none of the token's: refused
// itself is returned.
func (s *Source) Prove(ctx context.Context, cred Credential, want Want) (Credential, error) {
	if cred.inst == nil || cred.Anonymous() || cred.Proven() {
		return cred, nil
	}
	c := apiCall{app: cred.inst.app, method: http.MethodGet, path: "/rate_limit", action: "try a token", as: cred}
	err := s.tryToken(ctx, c)
	refused, _ := err.(*Error)
	switch {
	case ctx.Err() != nil:
		return cred, ctx.Err()
	case refused != nil && refused.Status == http.StatusUnauthorized:
		return s.Replace(ctx, cred, want)
	case refused == nil || refused.Status != 0 && refused.Status < 500: // 404 where an Enterprise Server has no limits
		cred.Accepted()
	}
	return cred, nil
}

// tryToken makes a call with a young token, once for everybody who waits.
func (s *Source) tryToken(ctx context.Context, c apiCall) error {
	_, err := once(ctx, s, "prove|"+c.as.Fingerprint(), func(ctx context.Context) (struct{}, error) {
		var ignored struct{}
		return ignored, s.doYoung(ctx, c, &ignored)
	})
	return err
}

// Refused notes that GitHub does not know the credential's token, so that it is not
// handed out again: what Replace does before it looks for another. A token that
// GitHub may not know yet stays.
func (s *Source) Refused(cred Credential) {
	if cred.inst != nil && cred.header != nil && cred.Proven() {
		s.discard(cred)
	}
}
