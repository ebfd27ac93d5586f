package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
)

const (
	maxRevocations = 8  // at a time
	maxErrors      = 10 // that Revoke returns
)

// Revoke makes GitHub forget the tokens that are cached, and those that were
// renewed and have not expired yet: docs.github.com "REST API endpoints for
// GitHub App installations", "Revoke an installation access token". They are
// dropped whatever GitHub answers. It ends when ctx does. The error joins up to
// ten *Errors, which contain no secret.
//
// Requests under way may still use them, and a request that comes later mints
// another: call it after Close, while the Transport is still there.
func (s *Source) Revoke(ctx context.Context) error {
	var tokens []*minted
	for _, m := range s.tokens.drain() {
		if m.inst.app.clock.now().Before(m.expires) {
			tokens = append(tokens, m)
		}
	}
	errs := make([]error, len(tokens))
	var group errgroup.Group
	group.SetLimit(maxRevocations)
	for i, m := range tokens {
		group.Go(func() error {
			defer s.catch(&errs[i])
			errs[i] = s.revoke(ctx, m)
			return nil // the others are tried all the same
		})
	}
	group.Wait()
	return joinSome(errs)
}

// revoke makes GitHub forget one token. GitHub's 401 says that it has already.
func (s *Source) revoke(ctx context.Context, m *minted) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := apiCall{
		app: m.inst.app, method: "DELETE", path: "/installation/token",
		action: fmt.Sprintf("revoke a token for installation %d", m.inst.id),
	}
	req, err := s.newRequest(ctx, c, m.bearer)
	if err != nil {
		return c.fail(err)
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return c.fail(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusUnauthorized:
		return nil
	default:
		return c.refused(resp, text)
	}
}

// joinSome joins the first of the errors that are none, and counts the rest.
func joinSome(errs []error) error {
	var some []error
	more := 0
	for _, err := range errs {
		switch {
		case err == nil:
		case len(some) < maxErrors:
			some = append(some, err)
		default:
			more++
		}
	}
	if more > 0 {
		some = append(some, fmt.Errorf("and %d more", more))
	}
	return errors.Join(some...)
}
