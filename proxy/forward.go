package proxy

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/rules"
)

// forwarder sends a request on and streams the answer back. What leaves is what
// came in, save for Authorization, Cookie, and what RFC 9110, section 7.6.1,
// reserves for one hop.
type forwarder struct {
	reverse httputil.ReverseProxy
}

func newForwarder(transport http.RoundTripper) *forwarder {
	return &forwarder{httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      &healer{transport},
		ModifyResponse: modifyResponse,
		ErrorHandler:   answerError,
		BufferPool:     &copyBuffers,
		// Answers of unknown length are flushed at once. Others are held for
		// this long at most: flushing each write costs 9 % on small answers.
		FlushInterval: 50 * time.Millisecond,
		ErrorLog:      log.New(io.Discard, "", 0), // errors end up in the request's own line
	}}
}

// serve forwards r as x says.
func (f *forwarder) serve(w http.ResponseWriter, r *http.Request, x *exchange) {
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { x.noteSent(r) }})
	defer x.replaceLost()
	f.reverse.ServeHTTP(w, r.WithContext(context.WithValue(ctx, exchangeKey{}, x)))
}

// rewrite restores what ReverseProxy changes, and puts our credential in place of
// the client's.
func rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	x := exchangeOf(in)
	out.URL = &url.URL{Scheme: "https", Host: x.session.host.Name}
	if x.unserved {
		out.URL.Scheme, out.URL.Host = in.URL.Scheme, in.URL.Host
	}
	setTarget(out.URL, x.path, x.query)
	if x.via != nil {
		// net/http writes "//host/path" as "http://host/path", the form that a
		// proxy needs.
		out.URL.Opaque = "//" + in.URL.Host + x.path
	}
	if x.session.plain {
		out.Host = x.session.host.Name // http's port is not https's
	}
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := in.Header[name]; values != nil && !decide.Nominated(in.Header, name) {
			out.Header[name] = values
		}
	}
	out.Trailer = in.Trailer // Clone copied it before it was filled in
	if in.ContentLength == 0 && in.Header["Content-Length"] != nil {
		out.Body, out.TransferEncoding = http.NoBody, []string{"identity"} // keeps "Content-Length: 0"
	}
	if x.unserved {
		return
	}
	if x.BlankCloneTokens {
		askForPlainText(out)
	}
	delete(out.Header, "Authorization")
	if x.Route.Credential != rules.Keep || x.Route.Rule == 0 {
		delete(out.Header, "Cookie") // a session of github.com is the client's own credential, too
	}
	if x.authorization != nil {
		out.Header["Authorization"] = x.authorization
	}
}

// setTarget makes u's request target the octets that the client sent. Opaque
// does that for all that need it: rules.Classify refuses a leading "//", which
// Opaque would take for a host, and elsewhere the path is parsed.
func setTarget(u *url.URL, path, query string) {
	if strings.HasPrefix(path, "//") {
		u.Path, u.RawPath = path, path
	} else {
		u.Opaque = path
	}
	if query != "" {
		u.RawQuery, u.ForceQuery = query[1:], true
	}
}

// errUnauthorized replaces a 401 that would make git ask for a password.
var errUnauthorized = errors.New("GitHub answered 401")

// modifyResponse looks at the head of the answer.
func modifyResponse(resp *http.Response) error {
	x := exchangeOf(resp.Request)
	if x.via != nil && resp.StatusCode == http.StatusProxyAuthRequired {
		return &nextProxyError{name: x.via.Name, to: resp.Request.URL.Host, status: resp.StatusCode} // it is not ours to answer
	}
	x.githubRequestID, x.githubStatus = githubRequestID(resp.Header), resp.StatusCode
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.upgrade()
	}
	x.noticeUncovered(resp)
	if x.Route.GitAuth && resp.StatusCode == http.StatusUnauthorized {
		return errUnauthorized
	}
	if err := x.wrongMapping(resp); err != nil {
		return err
	}
	hint(x, resp)
	if err := guardAnswer(x, resp); err != nil {
		return err
	}
	if x.BlankCloneTokens {
		if err := blankCloneTokens(resp); err != nil {
			return err
		}
	}
	x.receive(resp)
	x.shares.settled = time.Now()
	return nil
}

// answerError is the ReverseProxy's ErrorHandler: there is no answer to pass on.
func answerError(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	if r.Context().Err() != nil {
		// The client has left, or has closed its half: whatever it still
		// reads must not look like an answer.
		x.err = context.Canceled
		panic(http.ErrAbortHandler)
	}
	if x.credential.Marks().In(err.Error()) {
		err = errLeak // net/http quotes what it cannot read
	}
	refused := upstreamRefusal(err, r.URL.Host)
	var lost *auth.CredentialError
	var unread *bodyError
	var wrong *auth.MappingError
	var broken *brokenAnswer
	switch {
	case errors.As(err, &unread):
		refused = unread.refusal(x.session.usage)
	case errors.Is(err, errUnauthorized):
		refused = unauthorizedRefusal(x)
	case errors.As(err, &lost):
		refused = credentialRefusal(lost.Err)
	case errors.As(err, &wrong):
		refused = wrong.Refusal()
	case errors.As(err, &broken) && !errors.Is(err, errLeak):
		refused = broken.refusal(r.URL.Host)
	case errors.Is(err, errLeak), errors.Is(err, errEncoded):
		refused = withheldAnswer.Refuse(err)
	}
	x.err = refused
	if errors.Is(err, errLeak) {
		x.err = errLeak
	}
	refused.WithID(x.id).Write(w, x.Route.Form)
}

// replaceLost is deferred behind what passes an answer on. It answers in place of
// a host that broke off before the first octet.
func (x *exchange) replaceLost() {
	aborted := recover()
	switch {
	case aborted == nil: // a body that was promised has come
	case x.out.withdraw() && aborted == http.ErrAbortHandler && x.received.err != nil:
		answerError(x.out, x.received.asked, &brokenAnswer{x.received.err})
	default:
		panic(aborted)
	}
}
