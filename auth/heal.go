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

// Replace returns a new token for one that GitHub refuses although it should be
// good: it was revoked. If another one has taken its place since, that is
// returned. The token of an installation is replaced once in a minute at most;
// until then, and for a credential that is no installation's, the zero
// Credential is returned.
func (s *Source) Replace(ctx context.Context, refused Credential) (Credential, error) {
	if refused.inst == nil || refused.header == nil {
		return Credential{}, nil
	}
	key := refused.inst.tokenKey(refused.narrow)
	if m, ok := s.tokens.get(key); ok && m.header == refused.header {
		if _, ok := s.replaced.get(key); ok {
			return Credential{}, nil
		}
		s.replaced.set(key, struct{}{}, replaceInterval)
		s.tokens.delete(key)
		s.log.Warn("GitHub refuses a token that should be good: minting another", "app", refused.App.Name, "installation", int64(refused.Installation))
	}
	token, err := s.token(ctx, refused.inst, refused.narrow)
	if err != nil || token == refused.header {
		return Credential{}, err
	}
	refused.header = token
	return refused, nil
}
