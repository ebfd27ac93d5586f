package proxy

import (
	"net/http"
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
	pool  *http.Transport
	alone *http.Transport // keeps no connection
}

func newCarrier(pool *http.Transport) *carrier {
	alone := pool.Clone()
	alone.DisableKeepAlives = true
	return &carrier{pool, alone}
}

// RoundTrip implements http.RoundTripper.
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	again := isRepeatable(req)
	if !again && !c.pool.ForceAttemptHTTP2 {
		return c.alone.RoundTrip(req)
	}
	resp, err := c.pool.RoundTrip(req)
	if err == nil || !again || !isLost(err) || req.Context().Err() != nil {
		return resp, err
	}
	if req.Body != nil && req.Body != http.NoBody {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		copied := *req
		req = &copied
		req.Body = body
	}
	return c.alone.RoundTrip(req)
}

func (c *carrier) close() { c.pool.CloseIdleConnections() }

// isRepeatable reports whether a request can be sent again if its connection is
// lost: it changes nothing, and its body is kept.
func isRepeatable(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody && (req.GetBody == nil || req.ContentLength > maxReplay || req.ContentLength < 0) {
		return false
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	if x, ok := req.Context().Value(exchangeKey{}).(*exchange); ok && x.Reads {
		return true
	}
	// net/http's own sign for a request that may be repeated.
	values, ok := req.Header["Idempotency-Key"]
	return ok && len(values) == 0
}
