package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/policy"
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
		f.setCause(refused)
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

// upstreamRefusal maps why a host could not be reached to an answer.
// The codes are those of RFC 9209, section 2.3.
func upstreamRefusal(err error, host string) *refusal {
	f := &refusal{status: http.StatusBadGateway, code: "destination_unavailable"}
	f.setCause(fmt.Errorf("%s could not be reached: %w", host, err))
	var (
		denial  *policy.EgressDenial
		dns     *net.DNSError
		timeout net.Error
		cert    *tls.CertificateVerificationError
		alert   tls.AlertError
		record  tls.RecordHeaderError
		name    x509.HostnameError
	)
	switch {
	case errors.Is(err, errSelf):
		return &refusal{status: http.StatusForbidden, code: "http_request_denied", title: errSelf.Error()}
	case errors.As(err, &denial):
		return egressRefusal(denial)
	case errors.As(err, &dns):
		f.code, f.remedy = "dns_error", "check the name and the resolver of the machine that runs the proxy"
	case errors.As(err, &cert), errors.As(err, &name):
		f.code, f.remedy = "tls_certificate_error", "if the host's certificate is private, name its root in upstream.ca_file"
	case errors.As(err, &alert), errors.As(err, &record):
		f.code = "tls_protocol_error"
	case isLargeHead(err):
		f.code, f.remedy = "http_response_header_section_size", fmt.Sprintf("the fields of its answer are more than %d KiB: ask for less", maxAnswerHead>>10)
	case errors.Is(err, syscall.ECONNREFUSED):
		f.code, f.remedy = "connection_refused", "check upstream.connect_to and upstream.proxy, and that the host is up"
	case errors.As(err, &timeout) && timeout.Timeout():
		f.status, f.code = http.StatusGatewayTimeout, "connection_timeout"
	}
	return f
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
	f.remedy = "try again in a few seconds: a token that was just minted is not known everywhere at once"
	return f
}
