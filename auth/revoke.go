package auth

import (
	"context"
	"errors"
	"fmt"
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
	return s.revokeAll(ctx, s.tokens.take(func(issued) bool { return true }))
}

// take takes out the tokens that which reports true of, and returns those that have not
// expired.
func (t *tokens) take(which func(issued) bool) (taken []issued) {
	for _, token := range t.issued.take(which) {
		t.memory.delete(token.key, token.Generation)
		if token.theirs {
			continue // who minted it may need it
		}
		token.by.vault.Delete(sharedToken(token.key), token.Generation)
		token.by.vault.tellDrop(token.Generation)
		if token.by.clock.now().Before(token.expires) {
			taken = append(taken, token)
		}
	}
	return taken
}

func (s *Source) revokeAll(ctx context.Context, tokens []issued) error {
	errs := make([]error, len(tokens))
	var group errgroup.Group
	group.SetLimit(maxRevocations)
	for i, t := range tokens {
		group.Go(func() error {
			defer s.flights.catch(&errs[i])
			errs[i] = t.revoke(ctx)
			return nil // the others are tried all the same
		})
	}
	group.Wait()
	return joinSome(errs)
}

// revoke makes GitHub forget the token. GitHub's 401 says that it has already.
func (t issued) revoke(ctx context.Context) error {
	call := apiCall{method: http.MethodDelete, path: "/installation/token", action: fmt.Sprintf("revoke a token for installation %d", t.by.id)}
	var none nothing
	err := t.by.doOnce(ctx, call, &none, &proofAuthority{tokenAuthority{minter: t.by, token: t.Token}})
	if err == nil || err.Status == http.StatusUnauthorized {
		return nil
	}
	return err
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
