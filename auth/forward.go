package auth

import (
	"context"
	"fmt"
	"net/http"

	"ghapp-proxy/governor"
	"ghapp-proxy/replay"
)

// Send sends a request to GitHub by next with the credential of out, in place of any
// that req has; an anonymous one leaves req as it is. Where GitHub refuses a
// credential that should be good, it sends the request again: with the same token if
// that was just minted and may not be known everywhere, else with a new one, or that
// of the installation that covers the repository now; a JWT by another of the App's
// keys, or by GitHub's clock. It learns from the answer what later requests need.
//
// Bodies up to replay.Max are kept to be sent again. req is changed. The error is
// next's, or a *CredentialError.
func (s *Source) Send(next http.RoundTripper, req *http.Request, out *Outgoing) (*http.Response, error) {
	if kind := out.Credential.Kind(); kind != nil && !kind.Limitable() && out.Want.isConfined() {
		return nil, &CredentialError{fmt.Errorf("a %s cannot be limited", kind)}
	}
	if inst := out.Credential.inst; inst != nil && out.CheckMapping {
		inst.watchMapping()
	}
	if err := s.proveFirst(req, out); err != nil {
		return nil, err
	}
	var resp *http.Response
	var err error
	if a := s.authorityOf(out); a != nil {
		resp, err = send(next, req, a)
	} else {
		resp, err = sendPlain(next, req, out)
	}
	if err != nil {
		return nil, err
	}
	if clock := s.clocks[out.Instance]; clock != nil {
		clock.contact.reach()
	}
	s.learn(out, resp)
	if inst := out.Credential.inst; inst != nil && out.CheckMapping && (resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusNotFound) {
		out.Mapping = inst.checkMapping(req.Context(), out.Subject)
	}
	return resp, nil
}

// proveFirst sees to it that GitHub knows the token of a request that cannot be sent
// again. The error is a *CredentialError.
func (s *Source) proveFirst(req *http.Request, out *Outgoing) error {
	large := req.ContentLength > replay.Max || req.ContentLength < 0
	if !large || req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	fresh, err := s.prove(req.Context(), *out.Credential, out.Want)
	if err != nil {
		return &CredentialError{err}
	}
	*out.Credential = fresh
	return nil
}

// authorityOf returns what is sent for a request, nil for what cannot be healed.
func (s *Source) authorityOf(out *Outgoing) authority {
	cred := out.Credential
	out.source = s
	switch {
	case cred.Kind() == KindInstallation && cred.inst != nil:
		out.counts = &cred.inst.counts
		return (*installedAuthority)(out)
	case cred.JWT():
		for _, app := range s.candidates(cred.App.Instance, cred.App.Name) {
			out.sent = jwtAuthority{caller: app.caller, jwt: cred.header}
			return (*appAuthority)(out)
		}
	}
	return nil
}

// sendPlain sends what cannot be healed. What is of no kind that is known is refused.
func sendPlain(next http.RoundTripper, req *http.Request, out *Outgoing) (*http.Response, error) {
	out.Tries++
	if out.Credential.Anonymous() {
		return next.RoundTrip(req)
	}
	authorization, err := out.Credential.Authorization(out.Scheme)
	if err != nil {
		return nil, &CredentialError{err}
	}
	req.Header["Authorization"] = authorization
	return next.RoundTrip(req)
}

// appAuthority is an Outgoing that leaves with the App's JWT.
type appAuthority Outgoing

func (a *appAuthority) authorization() ([]string, error) {
	a.Tries++
	return a.Credential.Authorization(a.Scheme)
}

func (a *appAuthority) observe(resp *http.Response) { a.sent.observe(resp) }

func (a *appAuthority) complaint(resp *http.Response) complaints { return a.sent.complaint(resp) }

func (a *appAuthority) abandon(about complaints) { a.sent.abandon(about) }

func (a *appAuthority) tally() *counts { return a.sent.tally() }

// heal takes another JWT. The error is a *CredentialError.
func (a *appAuthority) heal(ctx context.Context, resp *http.Response, about complaints) (again bool, err error) {
	if again, err = a.sent.heal(ctx, resp, about); err != nil {
		return false, &CredentialError{err}
	}
	a.Credential.header = a.sent.jwt
	return again, nil
}

// Bucket is where requests with a credential are counted; nil for those that nobody counts.
func (s *Source) Bucket(c *Credential) *governor.Bucket {
	switch {
	case c.inst != nil:
		return c.inst.quota.bucket
	case c.App == nil || !c.JWT():
		return nil
	}
	for _, app := range s.apps[c.App.Instance] {
		if app.Name == c.App.Name {
			return app.quotas.own.bucket
		}
	}
	return nil
}

// Answered tells of the answer to a request that the Bucket has let leave, nil for none. What it says of limits holds for the
// next already.
func (out *Outgoing) Answered(ticket governor.Ticket, resp *http.Response) {
	if inst := out.Credential.inst; inst != nil && resp != nil {
		inst.observeQuota(resp.Header)
		out.Observed = true
	}
	ticket.Done(answerOf(resp))
}
