package proxy

import (
	"errors"
	"net/http"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// Policy is who may do what.
type Policy struct {
	// Rules classify what is intercepted. The zero value is usable.
	Rules rules.Set
	// DefaultOwner is whom a request means that names nobody, "" for the
	// default installation. A client has its own.
	DefaultOwner string
	// Clients are those whom the proxy can tell apart; nil for none.
	Clients *policy.Set
	// Grants are those of the Clients, and by what they are verified; nil where none is
	// served.
	Grants *grant.Source
	// Tokens are those that some of the Clients are told by, and by what they are verified;
	// nil where none is served.
	Tokens *oidc.Source
	// Anonymous serves whoever is none of the Clients, within the default Limits
	// but no others; what hands out a credential is not for them, whatever the Rules
	// say. Without it, whoever the Admission admits is served, and only where there
	// are no Clients.
	Anonymous bool
	// Origins are those of web pages whose requests get a credential though
	// they are for another site than GitHub's, "*" for all: "https://example.com".
	Origins []string
}

// state is the Policy in force, and who may use the proxy by it. A request has one from
// its beginning to its end.
type state struct {
	Policy
	callers map[string]caller      // client's name, "" for who has none → who that is
	hosts   map[string]github.Host // name → served host
	grants  *grant.Holders         // nil for none
	tokens  *oidc.Holders          // nil for none
}

// newState is the state for a Policy after another, nil for the first. What a client
// uses counts on, by its limits of now.
func newState(p Policy, hosts []github.Host, before *state) *state {
	p.Rules = p.Rules.Compiled()
	now := &state{Policy: p, callers: make(map[string]caller), hosts: make(map[string]github.Host)}
	for _, host := range hosts {
		now.hosts[host.Name] = host
	}
	if p.Grants != nil {
		now.grants = grant.NewHolders(*p.Grants, p.Clients)
	}
	if p.Tokens != nil {
		now.tokens = oidc.NewHolders(p.Tokens, p.Clients)
	}
	now.addCallers(before)
	return now
}

// addCallers fills callers in.
func (now *state) addCallers(before *state) {
	add := func(c *policy.Client, name string, limits policy.Limits) {
		who := caller{now: now, client: c, usage: newUsage(name), scope: decide.ScopeOf(c)}
		if before != nil && before.callers[name].usage != nil {
			who.usage = before.callers[name].usage
		}
		who.usage.bound(limits)
		now.callers[name] = who
	}
	nobody := policy.Limits{}
	if now.Anonymous {
		nobody = nobody.WithDefaults() // who is not known has no more than a client
	}
	add(nil, "", nobody)
	for _, c := range now.Clients.All() {
		add(c, c.Name, c.Limits.WithDefaults())
	}
}

// servesAnybody reports whether somebody who is no client may be served.
func (p *Policy) servesAnybody() bool { return p.Anonymous || len(p.Clients.All()) == 0 }

// told is who a client is.
type told struct {
	client *policy.Client // nil for somebody without limits, where that is allowed
	proof
	guess bool // the secret is wrong: it may be a guess
}

var clientGone = answer.Define(answer.Kind{
	Status: http.StatusForbidden, Code: answer.RequestDenied,
	Title: "client %s is not configured any more",
})

// caller is who the client is by the policy in force. The refusal is for a client that
// is not among the Clients.
func (now *state) caller(c told) (caller, *answer.Refusal) {
	who, ok := now.callers[nameOf(c.client)]
	if !ok {
		return caller{}, clientGone.Refuse(nameOf(c.client))
	}
	who.client = c.client
	return who.by(c.proof), nil
}

// caller is who sent a request to the proxy's own address.
type caller struct {
	now    *state         // by which it is that
	client *policy.Client // nil for somebody without limits
	proof                 // by which it is that

	anonymous bool // somebody who is none of the Clients, and whom Anonymous lets in
	led       bool // that does not know of the proxy: its connection was to a host
	usage     *usage
	scope     *auth.Scope // confines its tokens, nil does not
	slot      *slot       // of the connection
}

// by is the caller within the limits of what it holds.
func (c caller) by(p proof) caller {
	c.proof = p
	switch {
	case p.grant != nil:
		c.client, c.scope = p.grant.Client, p.grant.Scope
	case p.token != nil:
		c.client, c.scope = p.token.Client, p.token.Scope
	}
	return c
}

// maxAge is for how long a connection may be open, 0 for any time.
func (c *caller) maxAge() time.Duration { return c.usage.bounds().MaxConnectionAge }

// clientName is "" for somebody without limits.
func (c *caller) clientName() string { return nameOf(c.client) }

func nameOf(c *policy.Client) string {
	if c == nil {
		return ""
	}
	return c.Name
}

var wrongCertificate = answer.Define(answer.Kind{
	Status: http.StatusForbidden, Code: answer.RequestDenied,
	Title:  "the certificate that the client has shown is not good here: %v",
	Remedy: "show one that client.NAME.certificate names, or none",
})

var errCertificateEnded = errors.New("it has expired")
