package auth

import (
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/governor"
	"ghapp-proxy/replay"
)

// ownCalls is the client that the Source's own calls are counted for: no client has such a name. Others wait for what they
// bring, so they come before them.
const (
	ownCalls  = "(own)"
	ownWeight = 16
)

// held sends a call of the Source's own when GitHub's limits allow it.
type held struct {
	next    http.RoundTripper
	bucket  *governor.Bucket
	request governor.Request
}

// held is the way of a call to GitHub.
func (c *caller) held(call apiCall, a authority) http.RoundTripper {
	bucket := c.quotas.own.bucket
	if of, ok := a.(interface{ bucket() *governor.Bucket }); ok {
		bucket = of.bucket()
	}
	if bucket == nil || call.method == http.MethodDelete { // a token that is not revoked stays good
		return c.transport
	}
	return &held{c.transport, bucket, governor.Request{Class: call.class(), Client: ownCalls, Weight: ownWeight}}
}

// class is what a call takes of GitHub's limits.
func (c *apiCall) class() governor.Class {
	switch {
	case c.path == "/rate_limit":
		return governor.Ask
	case c.method == http.MethodGet:
		return governor.Read
	case strings.HasSuffix(c.path, "/access_tokens"):
		return governor.Mint
	}
	return governor.Write
}

// RoundTrip implements http.RoundTripper.
func (h *held) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	ticket, err := h.bucket.Admit(req.Context(), h.request)
	if err != nil {
		return nil, err
	}
	defer func() { ticket.Done(answerOf(resp)) }()
	return h.next.RoundTrip(req)
}

// answerOf is what a bucket is told of an answer, nil for none.
func answerOf(resp *http.Response) governor.Answer {
	if resp == nil {
		return governor.Answer{}
	}
	a := governor.Answer{Status: resp.StatusCode, Fields: resp.Header}
	if resp.StatusCode == http.StatusForbidden && resp.Header["Retry-After"] == nil {
		a.Secondary = strings.Contains(replay.Peek(resp), "secondary rate limit")
	}
	return a
}

// heldBack says that a call was not made.
func (c *caller) heldBack(call apiCall, refused *governor.Refusal) *Error {
	e := c.failed(call, refused)
	e.RetryAt, e.wait, e.ofApp = refused.RetryAt, time.Until(refused.RetryAt), true
	e.Remedy = "wait for GitHub's rate limit to reset"
	return e
}
