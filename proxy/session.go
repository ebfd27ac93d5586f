package proxy

import (
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
)

// session is what was decided when a connection was accepted. It travels with
// the connection; the credential is chosen from it, never from what the client
// says inside.
type session struct {
	host  github.Host
	plain bool // an http:// request in absolute form, not a CONNECT
	caller
}

// limit bounds a request by what the client may use. The request that it
// returns is to be used instead.
func (s *session) limit(w http.ResponseWriter, r *http.Request) (*http.Request, *answer.Refusal) {
	u, limits := s.usage, s.usage.bounds()
	if refused := u.tooLarge(r); refused != nil {
		return r, refused
	}
	if left, ends := s.endsIn(s.slot.opened); ends && left < 0 {
		w.Header().Set("Connection", "close") // after this request, also in HTTP/2
	}
	if s.plain { // else withSession has done it
		r = r.WithContext(u.limitQuestions(r.Context()))
	}
	if limits.MaxBody > 0 && r.ContentLength != 0 {
		copied := *r
		copied.Body = limitBody(r.Body, limits.MaxBody)
		r = &copied
	}
	return r, nil
}

// identity is by what the caller was told.
func (c *caller) identity(by evidence) *identity {
	by.waits = nil // later nobody does
	return &identity{c.now, by, c.proof}
}

// differs reports whether a later request of the connection tells its client by
// something else.
func (id *identity) differs(c *caller, by evidence) bool {
	return id.policy != c.now || id.evidence.proxyAuthorization != by.proxyAuthorization
}
