package auth

import (
	"context"
	"errors"
	"net/http"
)

// jwtAuthority sends an App's JWT: where GitHub does not know its key, once by each
// key; where it does not agree with its times, once by GitHub's clock.
type jwtAuthority struct {
	caller  *caller
	jwt     *header
	refused int  // how many keys were
	redated bool // by GitHub's clock
}

func (a *jwtAuthority) authorization() ([]string, error) { return a.jwt.authorization(SchemeBearer) }

func (a *jwtAuthority) observe(resp *http.Response) {
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		a.caller.keyring.accept(a.jwt)
	}
}

func (a *jwtAuthority) complaint(resp *http.Response) complaints { return complaintAboutJWT(resp) }

func (a *jwtAuthority) abandon(complaints) {}

func (a *jwtAuthority) tally() *counts { return &a.caller.counts }

// heal takes another JWT. The error is a *SigningError or about ctx.
func (a *jwtAuthority) heal(ctx context.Context, resp *http.Response, about complaints) (again bool, err error) {
	var fresh *header
	switch {
	case about == aboutKey && a.refused <= len(a.caller.Signers):
		a.refused++
		fresh, err = a.caller.jwtInsteadOf(ctx, a.jwt)
	case about == aboutClock && !a.redated:
		a.redated = true
		a.caller.clock.observe(resp.Header.Get("Date"), resp.Header.Get("Age"))
		fresh, err = a.caller.signedJWT(ctx)
	}
	if err != nil || fresh == nil || fresh == a.jwt {
		return false, err
	}
	a.jwt = fresh
	return true, nil
}

// ownAuthority is that of the Source's own calls: where there is no other JWT,
// GitHub's own words say best why.
type ownAuthority struct{ jwtAuthority }

func (a *ownAuthority) observe(resp *http.Response) {
	a.caller.clock.observe(resp.Header.Get("Date"), resp.Header.Get("Age"))
	a.jwtAuthority.observe(resp)
}

func (a *ownAuthority) heal(ctx context.Context, resp *http.Response, about complaints) (bool, error) {
	again, err := a.jwtAuthority.heal(ctx, resp, about)
	if _, ok := errors.AsType[*SigningError](err); ok || ctx.Err() != nil {
		return false, nil
	}
	return again, err
}
