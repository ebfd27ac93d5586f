package auth

import (
	"context"
	"time"
)

// replaceInterval is how often the token of an installation may be replaced
// because GitHub refused it: no client can make us mint in a loop.
const replaceInterval = time.Minute

// Age is how long ago the credential's token was minted; a credential without
// a token is as old as can be.
func (c Credential) Age() time.Duration {
	if c.header == nil || c.header.minted.IsZero() {
		return 1<<63 - 1
	}
	return time.Since(c.header.minted)
}

// Replace returns the credential to use instead of one that GitHub refuses
// although it should be good: its token was revoked, or its installation is
// gone. want is what the credential was asked for: where GitHub no longer mints
// for the installation, the owner is resolved anew, as Token would. If another
// token has taken its place since, that is returned. The token of an
// installation is replaced once in a minute at most; until then, and for a
// client secret, refused itself is returned. The error is that of Token.
//
// For a JWT that GitHub refuses with KeyComplaint it returns one by another of
// the App's keys, refused itself if GitHub has refused them all. The error is a
// *SigningError or about ctx.
func (s *Source) Replace(ctx context.Context, refused Credential, want Want) (Credential, error) {
	if refused.JWT() {
		return s.otherKey(ctx, refused)
	}
	if refused.inst == nil || refused.header == nil {
		return refused, nil
	}
	if !s.discard(refused) {
		return refused, nil
	}
	return s.Token(ctx, refused.App.Host, want)
}

// discard sees to it that a refused token is not handed out again. It reports
// false where that happened less than a minute ago to the one before.
func (s *Source) discard(refused Credential) bool {
	key := refused.inst.tokenKey(refused.narrow)
	s.discarding.Lock() // all that were refused at once get the same answer
	defer s.discarding.Unlock()
	if m, ok := s.tokens.get(key); !ok || m.header != refused.header {
		return true // by somebody else
	}
	if _, ok := s.replaced.get(key); ok {
		return false
	}
	s.replaced.set(key, struct{}{}, replaceInterval)
	s.tokens.delete(key)
	s.log.Warn("GitHub refuses a token that should be good: minting another", "app", refused.App.Name, "installation", int64(refused.Installation))
	return true
}
