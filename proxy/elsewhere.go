package proxy

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"

	"ghapp-proxy/decide"
)

// elsewhere sends requests on to hosts that are not served, with all that may be in
// them: httputil.ReverseProxy also switches protocols.
type elsewhere struct {
	reverse httputil.ReverseProxy
}

func newElsewhere(transport http.RoundTripper) *elsewhere {
	return &elsewhere{httputil.ReverseProxy{
		Rewrite:        rewriteElsewhere,
		Transport:      transport,
		ModifyResponse: func(resp *http.Response) error { return exchangeOf(resp.Request).receiveHead(resp) },
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			exchangeOf(r).answerError(r, err)
		},
		BufferPool:    &copyBuffers,
		FlushInterval: flushInterval,
		ErrorLog:      log.New(io.Discard, "", 0), // errors end up in the request's own line
	}}
}

// serve forwards r as x says.
func (e *elsewhere) serve(w http.ResponseWriter, r *http.Request, x *exchange) {
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { x.noteSent(r) }})
	defer x.replaceLost()
	e.reverse.ServeHTTP(w, r.WithContext(context.WithValue(ctx, exchangeKey{}, x)))
}

// rewriteElsewhere restores what ReverseProxy changes.
func rewriteElsewhere(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	x := exchangeOf(in)
	out.URL = &url.URL{Scheme: in.URL.Scheme, Host: in.URL.Host}
	setTarget(out.URL, x.path, x.query)
	if x.via != nil {
		// net/http writes "//host/path" as "http://host/path", the form that a
		// proxy needs.
		out.URL.Opaque = "//" + in.URL.Host + x.path
	}
	out.Host = x.session.host.Name
	for _, name := range forwardedFields {
		if values := in.Header[name]; values != nil && !decide.Nominated(in.Header, name) {
			out.Header[name] = values
		}
	}
	out.Trailer = in.Trailer // Clone copied it before it was filled in
	keepZeroLength(out, in)
}
