package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/cache"
	"ghapp-proxy/governor"
	"ghapp-proxy/rules"

	"golang.org/x/net/http/httpguts"
)

// forwarder sends a request to a served host on and streams the answer back. What
// leaves is what came in, save for Authorization, Cookie, where there is a cache
// If-None-Match, and what RFC 9110, section 7.6.1, reserves for one hop.
type forwarder struct {
	carrier *carrier
	cache   *cache.Cache
	shares  bool // the cache, with other replicas
}

// serve forwards r as x says. It takes the fields of r for those that leave.
func (f *forwarder) serve(w *recorder, r *http.Request, x *exchange) {
	defer x.replaceLost()
	x.asked, x.carrier, x.cache, x.sharesAnswers = r, f.carrier, f.cache, f.shares
	if relayed, ok := w.ResponseWriter.(*answerWriter); ok {
		x.names = relayed.asked
	}
	req := x.request(r)
	resp, err := x.send(x, req)
	x.interims.end()
	if err == nil {
		body := resp.Body
		defer body.Close() // also where what follows has a fault
		w.arrived, w.names = hasArrived(body), namesOf(body)
		if body == http.NoBody {
			w.names = x.bodiless
		}
		err = x.receiveHead(resp)
	}
	if err != nil {
		x.answerError(req, err)
		return
	}
	w.pass(resp)
}

// forwardedFields say through what a request has come. They pass: it is not ours to
// say through what.
var forwardedFields = [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// noUserAgent keeps net/http from sending its own.
var noUserAgent = []string{""}

// request is what leaves.
func (x *exchange) request(r *http.Request) *http.Request {
	out := &x.leaving
	*out = *r
	trailers := httpguts.HeaderValuesContainsToken(r.Header["Te"], "trailers")
	dropHopByHop(out.Header)
	if trailers {
		out.Header["Te"] = []string{"trailers"}
	}
	if _, named := out.Header["User-Agent"]; !named {
		out.Header["User-Agent"] = noUserAgent
	}
	out.Close, out.RequestURI = false, ""
	x.target = url.URL{Scheme: "https", Host: x.session.host.Name}
	out.URL = &x.target
	setTarget(out.URL, x.path, x.query)
	if x.session.plain {
		out.Host = x.session.host.Name // http's port is not https's
	}
	switch {
	case r.ContentLength == 0:
		out.Body = nil // net/http sends it again only then
	case out.Body != nil:
		out.Body = keptOpen{out.Body}
	}
	keepZeroLength(out, r)
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
	return out
}

// keptOpen is the body of a client's request. Whoever sends it on closes it, which
// would wait for the client to send all of it.
type keptOpen struct{ io.Reader }

// Close implements io.Closer.
func (keptOpen) Close() error { return nil }

// keepZeroLength keeps "Content-Length: 0".
func keepZeroLength(out, in *http.Request) {
	if in.ContentLength == 0 && in.Header["Content-Length"] != nil {
		out.Body, out.TransferEncoding = http.NoBody, []string{"identity"}
	}
}

// hopByHop are the fields of one hop besides those that Connection names: RFC 9110,
// section 7.6.1, and the two of authentication (section 11.7).
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// dropHopByHop drops what is for one hop.
func dropHopByHop(h http.Header) {
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
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

// errNotAsked is for a host that switches to another protocol by itself.
var errNotAsked = errors.New("101 Switching Protocols was not asked for")

// receiveHead looks at the head of the answer, before its fields are the client's.
func (x *exchange) receiveHead(resp *http.Response) error {
	if x.via != nil && resp.StatusCode == http.StatusProxyAuthRequired {
		return &nextProxyError{name: x.via.Name, to: resp.Request.URL.Host, status: resp.StatusCode} // it is not ours to answer
	}
	if resp.StatusCode < 100 || resp.StatusCode > 999 {
		return fmt.Errorf("%03d is no status", resp.StatusCode) // net/http reads it, and panics when it is to be written
	}
	x.githubRequestID, x.githubStatus = githubRequestID(resp.Header), x.answeredBy(resp)
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		dropHopByHop(resp.Header)
	case x.source == nil:
		x.upgrade()
	case holdsAny(resp.Header, x.credential.Marks()):
		return errLeak
	default:
		return errNotAsked
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

// answerError answers where there is no answer to pass on to r, which was sent.
func (x *exchange) answerError(r *http.Request, err error) {
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
	var held *governor.Refusal
	var unread *bodyError
	var wrong *auth.MappingError
	var broken *brokenAnswer
	switch {
	case errors.As(err, &unread):
		refused = unread.refusal(x.session.usage)
	case errors.Is(err, errUnauthorized):
		refused = unauthorizedRefusal(x)
	case errors.As(err, &held):
		refused = heldRefusal(held, x.session.clientName())
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
	x.session.refusal(refused, x.id).Write(x.out, x.Route.Form)
}

// replaceLost is deferred behind what passes an answer on. It answers in place of
// a host that broke off before the first octet.
func (x *exchange) replaceLost() {
	aborted := recover()
	switch {
	case aborted == nil: // a body that was promised has come
	case x.out.withdraw() && aborted == http.ErrAbortHandler && x.received.err != nil:
		x.answerError(x.received.asked, &brokenAnswer{x.received.err})
	default:
		panic(aborted)
	}
}
