package proxy

import (
	"net/http"
	"time"

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

type sessionKey struct{}

// limit bounds a request by what the client may use. The request that it
// returns is to be used instead.
func (s *session) limit(w http.ResponseWriter, r *http.Request) (*http.Request, *answer.Refusal) {
	u, limits := s.usage, s.usage.bounds()
	if refused := u.tooLarge(r); refused != nil {
		return r, refused
	}
	if age := s.maxAge(); age > 0 && time.Since(s.slot.opened) > age {
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

const tellsWho = "Proxy-Authorization"

// identity is by what the client of a request is told. Nothing else is kept.
func (c *caller) identity(r *http.Request) *identity {
	bare := (&http.Request{RemoteAddr: r.RemoteAddr, Header: http.Header{}}).WithContext(r.Context())
	if sent := r.Header.Get(tellsWho); sent != "" {
		bare.Header.Set(tellsWho, sent)
	}
	return &identity{c.now, bare}
}

// differs reports whether a later request of the connection tells its client by
// something else.
func (id *identity) differs(c *caller, r *http.Request) bool {
	return id.by != c.now || id.r.Header.Get(tellsWho) != r.Header.Get(tellsWho)
}
