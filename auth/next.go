package auth

import (
	"context"
	"net/http"
)

// Next returns a Source for other Apps, which goes on with what s has: all of an App
// that is configured as before; of one that has changed its tokens, which are the same
// as long as it is the same App on the same instance, and what is left of its quotas.
// Another App of the same name has nothing of it.
//
// Both can be used until Close, which ends both; s for who began with it. Their own
// calls go by the new transport. Next does no I/O, and is called by one goroutine at a
// time, of the Source that came last.
func (s *Source) Next(apps []*App, transport http.RoundTripper, fallback Fallback) *Source {
	s.transport.lead(transport)
	return s.core.source(apps, fallback, s)
}

// DropOthers drops the tokens of Apps that s has not: of those that a Source before it
// had, and nobody uses any more. If revoke is set, GitHub forgets them as well; the
// error is that of Revoke.
func (s *Source) DropOthers(ctx context.Context, revoke bool) error {
	tokens := s.tokens.take(func(t issued) bool { return s.same(t.by.App) == nil })
	if !revoke {
		return nil
	}
	return s.revokeAll(ctx, tokens)
}
