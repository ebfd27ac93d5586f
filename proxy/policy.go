package proxy

import (
	"net/http"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// Policy is what Replace can put in place of another while the proxy runs.
type Policy struct {
	// Rules classify what is intercepted. The zero value is usable.
	Rules rules.Set
	// DefaultOwner is whom a request means that names nobody, "" for the
	// default installation. A client has its own.
	DefaultOwner string
	// Clients are those whom the proxy can tell apart; nil for none.
	Clients *policy.Set
	// Anonymous serves, without limits, whoever is none of the Clients. Without
	// it, whoever the Admission admits is, and only where there are no Clients.
	Anonymous bool
}

// state is the Policy in force, and what its clients use.
type state struct {
	Policy
	usages map[string]*usage // client's name, "" for who has none → what it uses
}

// newState is the state for a Policy after another, nil for the first. Clients
// that are as before keep their connections; ended are the others of before.
func newState(p Policy, before *state) (now *state, ended []*usage) {
	if before == nil {
		before = &state{}
	}
	now = &state{Policy: p, usages: make(map[string]*usage)}
	// A connection that was told by its address may be another client's now.
	sameNetworks := p.Clients.SameNetworks(before.Clients)
	for _, c := range p.Clients.All() {
		old, _ := before.Clients.ByName(c.Name)
		if now.usages[c.Name] = before.usages[c.Name]; !old.Equal(c) || len(c.Networks) > 0 && !sameNetworks {
			now.usages[c.Name] = newUsage(c.Name, c.Limits.WithDefaults(), scopeOf(c))
		}
	}
	asBefore := p.Anonymous == before.Anonymous && p.servesAnybody() == before.servesAnybody()
	if now.usages[""] = before.usages[""]; before.usages == nil || !sameNetworks || !asBefore {
		now.usages[""] = newUsage("", policy.Limits{}, nil)
	}
	for name, u := range before.usages {
		if now.usages[name] != u {
			ended = append(ended, u)
		}
	}
	return now, ended
}

// servesAnybody reports whether somebody who is no client may be served.
func (p *Policy) servesAnybody() bool { return p.Anonymous || len(p.Clients.All()) == 0 }

// Replace puts another Policy in force. Connections of clients that are not as
// they were are closed, with the requests under way. It may be called at any
// time, by one goroutine at a time.
func (p *Proxy) Replace(next Policy) {
	now, ended := newState(next, p.current.Load())
	p.current.Store(now)
	for _, u := range ended {
		u.end()
	}
}

// caller is who the client is, with what counts for it. nil is somebody without
// limits. The refusal is for a client that is not among the Clients.
func (now *state) caller(c *policy.Client) (caller, *refusal) {
	name := ""
	if c != nil {
		name = c.Name
	}
	u := now.usages[name]
	if u == nil {
		return caller{}, &refusal{status: http.StatusForbidden, code: "http_request_denied", title: "client " + name + " is not configured any more"}
	}
	return caller{client: c, usage: u}, nil
}

// caller is who sent a request to the proxy's own address.
type caller struct {
	client *policy.Client // nil for somebody without limits
	usage  *usage
	slot   *slot // of the connection
}

// scope confines the caller's tokens, nil does not.
func (c *caller) scope() *auth.Scope { return c.usage.scope }

// maxAge is for how long a connection may be open, 0 for any time.
func (c *caller) maxAge() time.Duration { return c.usage.limits.MaxConnectionAge }

// clientName is "" for somebody without limits.
func (c *caller) clientName() string {
	if c.client == nil {
		return ""
	}
	return c.client.Name
}

// scopeOf is a client's Scope for package auth, nil if there is none.
func scopeOf(c *policy.Client) *auth.Scope {
	s := c.Scope()
	if s == nil {
		return nil
	}
	scope := &auth.Scope{Key: s.Key, App: s.App, Repository: s.Repository, Permissions: s.Permissions, ReadOnly: s.ReadOnly}
	if s.Account != nil {
		scope.Account = func(o auth.Owner) bool { return s.Account(o.Login, o.Enterprise) }
	}
	return scope
}

// denied is a client's Denial as an answer.
func denied(d *policy.Denial) *refusal {
	if d == nil {
		return nil
	}
	return &refusal{status: d.Status, code: "http_request_denied", title: d.Error(), remedy: d.Remedy, decidedBy: d.Key}
}

// limit bounds a request by what the client may use. The request that it
// returns is to be used instead.
func (s *session) limit(w http.ResponseWriter, r *http.Request) (*http.Request, *refusal) {
	u := s.usage
	if refused := u.tooLarge(r); refused != nil {
		return r, refused
	}
	if age := s.maxAge(); age > 0 && time.Since(s.slot.opened) > age {
		w.Header().Set("Connection", "close") // after this request, also in HTTP/2
	}
	if s.plain && u.asking != nil { // else withSession has done it
		r = r.WithContext(auth.LimitLookUps(r.Context(), u.ask))
	}
	if u.limits.MaxBody > 0 && r.ContentLength != 0 {
		copied := *r
		copied.Body = http.MaxBytesReader(w, r.Body, u.limits.MaxBody)
		r = &copied
	}
	return r, nil
}
