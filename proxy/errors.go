package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/panics"
)

// credentialRefusal maps why there is no credential to an answer.
//
// The person at the tool can mend what is answered with 403 (install the App,
// grant it a permission); the person who runs the proxy what is answered with
// 500; 502 to 504 may mend themselves.
func credentialRefusal(err error) *refusal {
	var (
		missing *auth.NotInstalledError
		client  *auth.ClientSecretError
		issuer  *auth.UnknownIssuerError
		signing *auth.SigningError
		scope   *auth.ScopeError
		refused *auth.Error
		own     *refusal
	)
	if fault, ok := errors.AsType[*panics.Fault](err); ok {
		return faultRefusal(fault)
	}
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &missing):
		return &refusal{status: http.StatusForbidden, code: "http_request_denied", title: err.Error(), remedy: missing.Remedy()}
	case errors.As(err, &client):
		return &refusal{status: http.StatusForbidden, code: "http_request_denied", title: err.Error(), remedy: client.Remedy()}
	case errors.As(err, &scope):
		return &refusal{status: http.StatusForbidden, code: "http_request_denied", title: err.Error(), remedy: scope.Hint}
	case errors.As(err, &issuer):
		return &refusal{status: http.StatusForbidden, code: "http_request_denied", title: err.Error(), remedy: issuer.Remedy()}
	case errors.Is(err, auth.ErrBusy):
		return &refusal{status: http.StatusServiceUnavailable, code: "connection_limit_reached", title: err.Error(), remedy: "try again in a moment", retryAt: time.Now().Add(time.Second)}
	case errors.As(err, &signing):
		return &refusal{status: http.StatusInternalServerError, code: "proxy_internal_error", title: err.Error(), remedy: signing.Remedy()}
	case errors.As(err, &refused) && refused.Status == 0 && refused.Err != nil:
		f := upstreamRefusal(refused.Err, "GitHub's API")
		if f.inside = refused.Error(); !errors.As(refused.Err, new(*nextProxyError)) {
			f.setCause(refused)
		}
		return f
	case errors.As(err, &refused):
		return &refusal{status: mintStatus(refused), code: "destination_unavailable", title: err.Error(), remedy: refused.Remedy, retryAt: refused.RetryAt}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &refusal{status: http.StatusServiceUnavailable, code: "connection_terminated", title: "the request ended before its credential was there"}
	default:
		return &refusal{status: http.StatusInternalServerError, code: "proxy_internal_error", title: err.Error()}
	}
}

// mintStatus is our answer to GitHub's refusal to give a credential.
func mintStatus(refused *auth.Error) int {
	switch github := refused.Status; {
	case github >= 500:
		return http.StatusBadGateway
	case !refused.RetryAt.IsZero():
		return http.StatusServiceUnavailable
	case github == http.StatusForbidden, github == http.StatusUnprocessableEntity:
		return http.StatusForbidden // suspended, or not granted
	default:
		return http.StatusInternalServerError // wrong key, id or installation
	}
}

// setCause says why a connection failed: to the log all of it, to the client
// without the addresses of hosts, resolvers and proxies, which may be secret.
func (f *refusal) setCause(err error) {
	f.inside, f.title = err.Error(), err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Source != nil {
			f.title = strings.ReplaceAll(f.title, op.Source.String(), "")
		}
		if op.Addr != nil {
			f.title = strings.NewReplacer(" ->"+op.Addr.String(), "", " "+op.Addr.String(), "").Replace(f.title)
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.Server != "" {
		f.title = strings.ReplaceAll(f.title, " on "+dns.Server, "")
	}
}

// unauthorizedRefusal stands in for a 401 of GitHub to git or Git LFS.
func unauthorizedRefusal(x *exchange) *refusal {
	f := &refusal{status: http.StatusForbidden, code: "http_request_denied"}
	owner := auth.Owner{Login: x.route.Owner, Repo: x.route.Repo}
	if x.credential.Anonymous() {
		f.title = fmt.Sprintf("%s does not exist or is private, and no installation covers it", owner)
		f.remedy = "check the name, or install the App on it"
		return f
	}
	f.title = fmt.Sprintf("GitHub refused the token of installation %d (App %s) for %s", x.credential.Installation, x.credential.App.Name, owner)
	if n := x.healing.waits; n > 0 {
		f.title += fmt.Sprintf(", also after %d s", n*(n+1)/2) // see wait
	}
	switch {
	case x.healing.kept:
		f.remedy = "try again in a minute: GitHub refused the token before this one less than a minute ago, and no more are minted until then; something ends the installation's tokens"
	case x.healing.waits > 0:
		f.remedy = "try again in a few seconds: a token that was just minted is not known everywhere at once"
	default: // the request could not be sent again
		f.remedy = "try again: another token takes the place of one that was revoked, within a minute"
	}
	return f
}
