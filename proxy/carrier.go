package proxy

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
)

// carrier is the transport to served hosts.
//
// Over a connection that is kept a request can meet its end: the host closes it
// while the request is on its way. Nobody can tell then whether the request was
// carried out, and a proxy must not repeat what is not safe to repeat (RFC 9110,
// section 9.2.2). So requests that only read share connections, and are repeated;
// whatever may change something has a connection of its own, which no host closes
// for being idle. HTTP/2 needs none of that: GOAWAY tells which requests were not
// looked at (RFC 9113, section 6.8).
type carrier struct {
	kept  *pool           // nil where HTTP/2 is spoken
	pool  *http.Transport // for what kept does not take
	alone *http.Transport // keeps no connection
}

func newCarrier(kept *pool, shared *http.Transport) *carrier {
	alone := shared.Clone()
	alone.DisableKeepAlives = true
	return &carrier{kept, shared, alone}
}

// RoundTrip implements http.RoundTripper, for requests of the proxy's own.
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) { return c.carry(req, nil) }

// carry sends a request; x is what it is for, nil for one of the proxy's own.
func (c *carrier) carry(req *http.Request, x *exchange) (*http.Response, error) {
	again := isRepeatable(req, x)
	switch {
	case !again && c.kept != nil:
		return c.alone.RoundTrip(x.traced(req))
	case !again:
		return c.pool.RoundTrip(x.traced(req))
	}
	resp, err := c.carryKept(req, x)
	if err == nil || !isLost(err) || req.Context().Err() != nil {
		return resp, err
	}
	if req, err = anew(req); err != nil {
		return nil, err
	}
	return c.alone.RoundTrip(x.traced(req))
}

// carryKept sends a request over a connection that is kept. If the host closes that
// meanwhile, it takes a new one.
func (c *carrier) carryKept(req *http.Request, x *exchange) (*http.Response, error) {
	if !c.kept.takes(req) {
		return c.pool.RoundTrip(x.traced(req))
	}
	resp, reused, err := c.kept.roundTrip(req, x, false)
	if err == nil || !reused || !isLost(err) || req.Context().Err() != nil {
		return resp, err
	}
	if req, err = anew(req); err != nil {
		return nil, err
	}
	resp, _, err = c.kept.roundTrip(req, x, true)
	return resp, err
}

// anew returns a request with its body from the beginning.
func anew(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	copied := *req
	copied.Body = body
	return &copied, nil
}

// traced returns a request of which net/http tells the exchange. A nil exchange is
// told nothing.
func (x *exchange) traced(req *http.Request) *http.Request {
	if x == nil {
		return req
	}
	x.outlived = true
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { x.noteSent(x.asked) },
		Got1xxResponse: func(status int, fields textproto.MIMEHeader) error {
			x.passInterim(status, http.Header(fields))
			return nil
		},
	}))
}

func (c *carrier) close() {
	c.kept.close()
	c.pool.CloseIdleConnections()
}

// isRepeatable reports whether a request can be sent again if its connection is
// lost: it changes nothing, and its body is kept.
func isRepeatable(req *http.Request, x *exchange) bool {
	if req.Body != nil && req.Body != http.NoBody && (req.GetBody == nil || req.ContentLength > maxReplay || req.ContentLength < 0) {
		return false
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	if x != nil && x.Reads {
		return true
	}
	// net/http's own sign for a request that may be repeated.
	values, ok := req.Header["Idempotency-Key"]
	return ok && len(values) == 0
}
