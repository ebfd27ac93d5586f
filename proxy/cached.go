package proxy

import (
	"crypto/sha256"
	"net/http"

	"ghapp-proxy/cache"
	"ghapp-proxy/decide"
	"ghapp-proxy/rules"
)

// RoundTrip implements http.RoundTripper.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	x.fate, x.collapsed = cache.Fate{}, false
	var ok bool
	if x.asks, ok = x.question(req); ok {
		return x.askCached(&x.asks, req)
	}
	return x.carry(req)
}

// question is what a request asks the REST API, if its answer may be kept and shared.
func (x *exchange) question(req *http.Request) (q cache.Question, ok bool) {
	if x.source == nil || !decide.MayBeKept(req.Method, x.session.host, x.path, &x.Route) || !x.cache.On() {
		return q, false
	}
	who, ok := x.who(req)
	if !ok {
		return q, false
	}
	whole := x.asked.RequestURI // of which path and query are mostly all
	if len(whole) != len(x.path)+len(x.query) {
		whole = x.path + x.query
	}
	return cache.QuestionOf(req, req.URL.Host, whole, who)
}

// who is as whom the request leaves.
func (x *exchange) who(req *http.Request) (who cache.Who, ok bool) {
	authorization := req.Header["Authorization"]
	if authorization == nil {
		return who, true
	}
	switch x.Route.Credential {
	case rules.Installation, rules.JWT:
		if x.credential.App == nil {
			return who, false
		}
		return cache.Who{
			Kind: x.Route.Credential.String(), App: x.credential.App.ID, Installation: int64(x.credential.Installation), Own: x.credential.App.ClientID,
		}, true
	case rules.Keep:
		sum := sha256.Sum256([]byte(authorization[0]))
		return cache.Who{Kind: x.Route.Credential.String(), Own: string(sum[:])}, true
	}
	return who, false
}

// askCached sends a request of which answers are kept. Others that ask the same at the same moment
// share the answer.
func (x *exchange) askCached(q *cache.Question, req *http.Request) (*http.Response, error) {
	resp, fate, collapsed, err := x.cache.Do(q, req, x)
	if err != nil {
		return nil, err
	}
	limited := resp.Header["X-Ratelimit-Limit"] != nil
	switch {
	case collapsed:
		x.noteSent(x.asked) // by another, in its place
		x.cache.CountShared(resp.ContentLength, limited && fate.Status != http.StatusNotModified)
	case fate.How == cache.Hit, fate.How == cache.Validated:
		x.cache.CountHit(fate, limited)
	case resp.StatusCode == http.StatusOK:
		x.cache.CountMiss()
	}
	x.fate, x.collapsed = fate, collapsed
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNotModified {
		x.noteFate(resp.Header)
	}
	return resp, nil
}

// noteFate says in a head how the answer came.
func (x *exchange) noteFate(h http.Header) {
	before := h["Cache-Status"]
	if before == nil {
		before = x.fateField[:0]
	}
	h["Cache-Status"] = append(before, x.fate.Field(x.collapsed))
}

// SendToKeep implements cache.Sender. It sends a request with the ETag of what is kept, as it is for the credential
// that leaves.
func (x *exchange) SendToKeep(q *cache.Question, req *http.Request) (*http.Response, cache.Fate, error) {
	viewer := cache.Viewer(x.session.clientName())
	kept, named, how := x.findKept(q, req, viewer)
	if kept == nil {
		return x.carryToKeep(q, req, viewer, how)
	}
	defer kept.Release()
	etag, _ := kept.ETag(req.Header.Get("Authorization"))
	resp, err := x.carry(withCondition(req, etag))
	switch {
	case err != nil:
		return nil, cache.Fate{}, err
	case resp.StatusCode != http.StatusNotModified:
		resp.Body = x.cache.Fill(q, req, resp, viewer, x.others())
		return resp, cache.Fate{How: cache.Changed, Status: resp.StatusCode}, nil
	}
	resp.Body.Close()
	if given := resp.Header["Etag"]; len(given) > 1 || len(given) == 1 && !cache.Same(given[0], etag) {
		return x.carryToKeep(q, req, viewer, cache.Changed) // that is not what was asked
	}
	fate := cache.Fate{How: cache.Hit, Status: resp.StatusCode, Length: kept.Length()}
	if named == "" {
		return answerKept(req, resp, kept, etag, viewer), fate, nil
	}
	kept.Touch(viewer)
	resp.Body, resp.Request = http.NoBody, req
	resp.Header["Etag"] = []string{named} // the client knows its answer by that: RFC 9111, section 4.3.4
	if fate.How = cache.Validated; named == etag {
		fate.Length = 0 // it has saved that itself
	}
	return resp, fate, nil
}

// findKept finds the answer that is kept for a question, and the client's ETag that stands for it. Where there
// is none to be used, how says why.
func (x *exchange) findKept(q *cache.Question, req *http.Request, viewer uint64) (kept *cache.Answer, named string, how cache.How) {
	conditions, read := cache.Conditions(req.Header)
	if !read || len(conditions) == 0 && (req.Header["If-Modified-Since"] != nil || req.Header["If-None-Match"] != nil) {
		return nil, "", cache.Passed
	}
	kept = x.cache.FindFor(req.Context(), q, req.Header, viewer, conditions, x.others())
	if kept != nil {
		if _, ok := kept.ETag(req.Header.Get("Authorization")); ok {
			if named = kept.Named(conditions); named != "" || len(conditions) == 0 {
				return kept, named, cache.Hit
			}
		}
		kept.Release()
	}
	if len(conditions) > 0 {
		return nil, "", cache.Passed
	}
	return nil, "", cache.Miss
}

// others are the replicas that keep answers of the App's for each other, nil for none.
func (x *exchange) others() cache.Others {
	if !x.sharesAnswers || x.authorization == nil || x.Route.Credential != rules.Installation && x.Route.Credential != rules.JWT {
		return nil
	}
	if answers := x.source.Answers(&x.credential); answers != nil {
		return answers
	}
	return nil
}

// carryToKeep sends a request as it is, and keeps its answer.
func (x *exchange) carryToKeep(q *cache.Question, req *http.Request, viewer uint64, how cache.How) (*http.Response, cache.Fate, error) {
	resp, err := x.carry(req)
	if err != nil {
		return nil, cache.Fate{}, err
	}
	resp.Body = x.cache.Fill(q, req, resp, viewer, x.others())
	return resp, cache.Fate{How: how, Status: resp.StatusCode}, nil
}

// withCondition is a request with an If-None-Match of ours.
func withCondition(req *http.Request, etag string) *http.Request {
	fields := make(http.Header, len(req.Header)+1)
	for name, values := range req.Header {
		fields[name] = values
	}
	fields["If-None-Match"] = []string{etag}
	out := *req
	out.Header = fields
	return &out
}

// answerKept is the answer that is kept, with what GitHub's 304 says.
func answerKept(req *http.Request, resp *http.Response, kept *cache.Answer, etag string, viewer uint64) *http.Response {
	fresh := *resp
	fresh.Status, fresh.StatusCode, fresh.Request, fresh.TransferEncoding = "200 OK", http.StatusOK, req, nil
	fresh.Header, fresh.Body, fresh.ContentLength = kept.Freshen(resp.Header, etag, viewer), kept.Body(), -1
	if fresh.Header["Content-Length"] != nil || kept.Length() == 0 {
		fresh.ContentLength = kept.Length()
	}
	return &fresh
}

// answeredBy is the status of GitHub's answer, of which the client may get another.
func (x *exchange) answeredBy(resp *http.Response) int {
	if x.fate.Status != 0 {
		return x.fate.Status
	}
	return resp.StatusCode
}
