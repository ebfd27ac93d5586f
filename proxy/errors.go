package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/governor"
	"ghapp-proxy/panics"
)

// Why there is no credential for a request, or none that GitHub takes.
//
// The person at the tool can mend what is answered with 403 (install the App,
// grant it a permission); the person who runs the proxy what is answered with
// 500; 502 to 504 may mend themselves.
var (
	notCovered = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "%s does not exist or is private, and no installation covers it",
		Remedy: "check the name, or install the App on it",
	})
	tokenRefused = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "GitHub refused the token of installation %d (App %s) for %s",
	})
	notMinted = answer.Define(answer.Kind{
		Status: http.StatusInternalServerError, Code: answer.Unavailable,
		Title: "%v", About: "GitHub gave no credential: … (403, 500, 502 or 503, by its answer)",
	})
	endedBefore = answer.Define(answer.Kind{
		Status: http.StatusServiceUnavailable, Code: answer.ConnectionTerminated,
		Title: "the request ended before its credential was there",
	})
	noCredential = answer.Define(answer.Kind{
		Status: http.StatusInternalServerError, Code: answer.InternalError,
		Title: "%v", About: "there is no credential, for an unexpected reason",
	})
	withheldAnswer = answer.Define(answer.Kind{
		Status: http.StatusBadGateway, Code: answer.ResponseIncomplete,
		Title:  "%v",
		Remedy: "tell those who run the proxy: its log has the request",
		About:  "the answer has a credential in it, or cannot be searched for one",
	})
)

// credentialRefusal maps why there is no credential to an answer.
func credentialRefusal(err error) *answer.Refusal {
	if fault, ok := errors.AsType[*panics.Fault](err); ok {
		return faultRefusal(fault)
	}
	if refused := answer.Of(err); refused != nil {
		return refused
	}
	if held, ok := errors.AsType[*governor.Refusal](err); ok {
		f := heldRefusal(held, "")
		f.Inside = err.Error()
		return f
	}
	var refused *auth.Error
	switch {
	case errors.As(err, &refused) && refused.Status == 0 && refused.Err != nil:
		f := upstreamRefusal(refused.Err, "GitHub's API")
		if f.Inside = refused.Error(); !errors.As(refused.Err, new(*nextProxyError)) {
			f.Inside, f.Title = causes(refused)
		}
		return f
	case errors.As(err, &refused):
		f := notMinted.Refuse(err)
		f.Status, f.Remedy, f.RetryAt = mintStatus(refused), refused.Remedy, refused.RetryAt
		return f
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return endedBefore.Refuse()
	default:
		return noCredential.Refuse(err)
	}
}

// mintStatus is our answer to GitHub's refusal to give a credential.
func mintStatus(refused *auth.Error) int {
	switch theirs := refused.Status; {
	case theirs >= 500:
		return http.StatusBadGateway
	case !refused.RetryAt.IsZero():
		return http.StatusServiceUnavailable
	case theirs == http.StatusForbidden, theirs == http.StatusUnprocessableEntity:
		return http.StatusForbidden // suspended, or not granted
	default:
		return http.StatusInternalServerError // wrong key, id or installation
	}
}

// unauthorizedRefusal stands in for a 401 of GitHub to git or Git LFS.
func unauthorizedRefusal(x *exchange) *answer.Refusal {
	owner := github.Account{Login: x.Route.Subject.Login, Repo: x.Route.Subject.Repo}
	if x.credential.Anonymous() {
		return notCovered.Refuse(owner)
	}
	f := tokenRefused.Refuse(x.credential.Installation, x.credential.App.Name, owner)
	if n := x.outgoing.Waits; n > 0 {
		f.Title += fmt.Sprintf(", also after %d s", n*(n+1)/2) // see wait
	}
	switch {
	case x.outgoing.Kept:
		f.Remedy = "try again in a minute: GitHub refused the token before this one less than a minute ago, and no more are minted until then; something ends the installation's tokens"
	case x.outgoing.Waits > 0:
		f.Remedy = "try again in a few seconds: a token that was just minted is not known everywhere at once"
	default: // the request could not be sent again
		f.Remedy = "try again: another token takes the place of one that was revoked, within a minute"
	}
	return f
}
