package auth

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// replace returns the credential to use instead of one that GitHub refuses
// although it should be good: its token was revoked, or its installation is
// gone. want is what the credential was asked for: where GitHub no longer mints
// for the installation, the owner is resolved anew, as Token would. If another
// token has taken its place since, that is returned. The token of an
// installation is replaced once in a minute at most; until then refused itself is
// returned. The error is that of Token.
func (s *Source) replace(ctx context.Context, refused Credential, want Want) (Credential, error) {
	if refused.token == nil || !s.tokens.discard(ctx, &refused.inst.minter, refused.narrow, refused.token) {
		return refused, nil
	}
	return s.Token(ctx, refused.App.Instance, want)
}

// refuse sees to it that a token is not handed out again: what replace does before it
// looks for another. A token that GitHub may not know yet stays.
func (s *Source) refuse(cred Credential) {
	if cred.token != nil && cred.token.isProven() {
		s.tokens.discard(s.flights.lifetime, &cred.inst.minter, cred.narrow, cred.token)
	}
}

// regrant returns the credential to use instead of one that lacks what GitHub
// accepts, if its installation has been granted that since; else refused itself.
// GitHub is asked about an installation once in ten seconds at most.
func (s *Source) regrant(ctx context.Context, refused Credential, want Want, accepted string) (Credential, error) {
	inst := refused.inst
	f, ok := inst.of.facts.get(inst.key)
	if !ok || time.Since(f.made) >= askAgainAfter {
		var err error
		if f, err = inst.of.newFacts(ctx, inst, f); err != nil {
			return refused, nil // GitHub's 403 says more about the request
		}
	}
	if !allows(f.permissions, accepted) {
		return refused, nil
	}
	if refused.narrow.Permissions() == nil { // else its Scope asks for more now, or a rule for less
		if err := s.tokens.reissue(ctx, &inst.minter, refused.narrow, refused.token); err != nil {
			return refused, err
		}
	}
	fresh, err := s.Token(ctx, refused.App.Instance, want)
	if err != nil || fresh.isSame(refused) {
		return refused, err
	}
	return fresh, nil
}

// prove waits until GitHub knows a token that was minted a moment ago, which costs
// no quota: docs.github.com "REST API endpoints for rate limits". Where the token
// turns out to be revoked, it returns what replace does. A failure of another kind
// is none of the token's: cred itself is returned.
func (s *Source) prove(ctx context.Context, cred Credential, want Want) (Credential, error) {
	if cred.token == nil || cred.token.isProven() {
		return cred, nil
	}
	err := s.tokens.try(ctx, &cred.inst.minter, cred.token)
	refused, _ := errors.AsType[*Error](err)
	switch {
	case ctx.Err() != nil:
		return cred, ctx.Err()
	case refused != nil && refused.Status == http.StatusUnauthorized:
		return s.replace(ctx, cred, want)
	case err == nil || refused != nil && refused.Status != 0 && refused.Status < 500: // 404 where an Enterprise Server has no limits
		cred.token.prove()
	}
	return cred, nil
}
