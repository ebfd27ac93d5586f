package proxy

import (
	"fmt"
	"net/http"
	"strconv"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/governor"
)

// carry sends a request when the limits of GitHub's API allow it. What is sent again asks again.
func (x *exchange) carry(req *http.Request) (resp *http.Response, err error) {
	bucket, class := x.bucket()
	if bucket == nil {
		return x.carrier.carry(req, x)
	}
	by := x.session.usage.bounds()
	ticket, err := bucket.Admit(req.Context(), governor.Request{Class: class, Client: x.session.clientName(), Weight: by.Weight, Share: by.QuotaShare})
	if err != nil {
		return nil, err
	}
	x.shares.queued += ticket.Waited
	x.shares.github -= ticket.Waited // which has it from send
	defer func() { x.outgoing.Answered(ticket, resp) }()
	return x.carrier.carry(req, x)
}

// bucket is where GitHub counts what leaves, nil where it does not.
func (x *exchange) bucket() (*governor.Bucket, governor.Class) {
	if x.source == nil || x.authorization == nil {
		return nil, 0
	}
	class, limited := decide.LimitedAs(x.leaving.Method, x.session.host, x.path, &x.Route, x.Document)
	if !limited {
		return nil, 0
	}
	return x.source.Bucket(&x.credential), class
}

// What GitHub's limits refuse, in words by which octokit's throttling plugin and go-github know GitHub's own, and PyGithub by Retry-After.
var (
	secondaryLimit = answer.Define(answer.Kind{
		Status: http.StatusTooManyRequests, Code: answer.LimitReached,
		Title:  "GitHub's secondary rate limit leaves no room for this request: %s",
		Remedy: "wait as long as Retry-After says",
	})
	primaryLimit = answer.Define(answer.Kind{
		Status: http.StatusTooManyRequests, Code: answer.LimitReached,
		Title:  "API rate limit exceeded: %s",
		Remedy: "wait until the reset",
	})
)

const (
	limitsPage    = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
	secondaryPage = limitsPage + "#about-secondary-rate-limits"
)

// heldRefusal answers for GitHub, which would refuse the request.
func heldRefusal(held *governor.Refusal, client string) *answer.Refusal {
	kind, page := secondaryLimit, secondaryPage
	if held.Limit == governor.Quota || held.Limit == governor.Share {
		kind, page = primaryLimit, limitsPage
	}
	f := kind.Refuse(held)
	f.RetryAt, f.DocumentationURL, f.Fields = held.RetryAt, page, rateLimitFields(&held.Left)
	if held.Limit == governor.Share {
		f.DecidedBy = "client." + client + ".quota_share"
	}
	return f
}

// rateLimitFields are those of GitHub's answers.
func rateLimitFields(left *governor.Left) http.Header {
	if left.Limit == 0 {
		return nil
	}
	h := make(http.Header)
	h.Set("X-RateLimit-Limit", strconv.Itoa(left.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left.Remaining))
	h.Set("X-RateLimit-Used", strconv.Itoa(left.Limit-left.Remaining))
	h.Set("X-RateLimit-Reset", fmt.Sprint(left.Reset.Unix()))
	h.Set("X-RateLimit-Resource", left.Resource)
	return h
}
