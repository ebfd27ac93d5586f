package oidc

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/grant"
	"ghapp-proxy/policy"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Client says which tokens are one of the clients.
type Client struct {
	Name     string  // of the client
	Issuer   string  // its name
	Claims   []Claim // all of which must match
	Limits   Limits  // with claims in them
	Lifetime time.Duration
}

// Source is by what tokens are verified, and who is told by them.
type Source struct {
	Issuers *Issuers
	Clients []*Client
	Shared  Shared // with other replicas, nil for nothing
}

// Sent is a token that somebody has sent.
type Sent struct {
	Client string // that it is to be, "" for whichever it fits
	Text   string
	// Known leaves it at the keys that are there: nobody is asked, and nobody waits.
	Known bool
}

// Held is what a token comes to, for whoever holds it. It is not changed once it is
// made.
type Held struct {
	Client   *policy.Client // within what the claims say
	Scope    *auth.Scope    // of the Client
	Issuer   string
	Subject  string
	Claims   map[string]string // that decided
	Expires  time.Time
	Lifetime time.Duration // of a grant that it is exchanged for

	limits Limits
	of     *issuer
	key    string
}

// maxHeld is how many tokens are remembered. One more is verified with each connection.
const maxHeld = 16384

// Holders are those who hold tokens that are some clients. They are safe for concurrent
// use, and a nil *Holders knows no token.
type Holders struct {
	source  Source
	clients *policy.Set
	known   *lru.Cache[[sha256.Size]byte, *Held] // hash of the client's name and the token → what it comes to
}

// NewHolders returns the Holders of tokens that are some of the clients.
func NewHolders(source *Source, clients *policy.Set) *Holders {
	known, err := lru.New[[sha256.Size]byte, *Held](maxHeld)
	if err != nil {
		panic("oidc: " + err.Error())
	}
	return &Holders{source: *source, clients: clients, known: known}
}

// Hold verifies a token, and says what it comes to. An error is an *Error.
func (h *Holders) Hold(ctx context.Context, sent Sent, now time.Time) (*Held, error) {
	if h == nil {
		return nil, errNoIssuer
	}
	if len(sent.Text) > MaxText {
		return nil, errNoToken
	}
	hash := sha256.Sum256([]byte(sent.Client + "\x00" + sent.Text))
	if held, ok := h.known.Get(hash); ok {
		return held, h.Good(held, now)
	}
	held, t, err := h.verify(ctx, sent, now)
	if err != nil {
		return nil, err
	}
	if t.issuer.Once {
		return nil, fault(Spent, "tokens of issuer "+t.issuer.Name+" are good once: exchange it for a grant, with POST /token")
	}
	h.known.Add(hash, held)
	return held, nil
}

// Use is Hold for an exchange: a token of an issuer whose tokens are good once is not
// good afterwards.
func (h *Holders) Use(ctx context.Context, sent Sent, now time.Time) (*Held, error) {
	if h == nil {
		return nil, errNoIssuer
	}
	held, t, err := h.verify(ctx, sent, now)
	if err != nil {
		return nil, err
	}
	if t.issuer.Once {
		if err := h.source.Issuers.used.use(ctx, t, now, h.source.Shared); err != nil {
			return nil, err
		}
	}
	return held, nil
}

func (h *Holders) verify(ctx context.Context, sent Sent, now time.Time) (*Held, *token, error) {
	t, err := h.source.Issuers.verify(ctx, sent.Text, now, !sent.Known)
	if err != nil {
		return nil, nil, err
	}
	rule, claims, err := h.choose(sent.Client, t)
	if err != nil {
		return nil, nil, err
	}
	base, ok := h.clients.ByName(rule.Name)
	if !ok {
		return nil, nil, errNobody
	}
	held := &Held{
		Client: base, Issuer: t.issuer.Name, Subject: t.subject, Claims: claims, Expires: t.expires, Lifetime: rule.Lifetime,
		of: t.issuer, key: t.key,
	}
	if held.limits, err = rule.Limits.resolve(t); err != nil {
		return nil, nil, err
	}
	if len(rule.Limits.Keys()) > 0 {
		caveats := held.Caveats()
		limits, err := caveats.Limits()
		if err != nil {
			return nil, nil, fault(Forged, "what the token's claims come to is no limit")
		}
		held.Client = base.Within(&limits)
	}
	held.Scope = decide.ScopeOf(held.Client)
	return held, t, nil
}

var errNobody = fault(Forged, "the token fits no client")

// choose returns the rule that a token fits. Two are none: which one is meant must not
// depend on their order.
func (h *Holders) choose(name string, t *token) (*Client, map[string]string, error) {
	var is *Client
	var claims map[string]string
	for _, rule := range h.source.Clients {
		if rule.Issuer != t.issuer.Name || name != "" && rule.Name != name {
			continue
		}
		values, missing := rule.match(t)
		switch {
		case missing != "" && name != "":
			return nil, nil, fault(Forged, fmt.Sprintf("the token's claim %s is not what client %s wants", missing, name))
		case missing != "":
		case is != nil:
			return nil, nil, fault(Forged, "the token fits more than one client: name one in the proxy URL")
		default:
			is, claims = rule, values
		}
	}
	if is == nil {
		return nil, nil, errNobody
	}
	return is, claims, nil
}

// match returns the values of the claims, or the first that is not as it must be.
func (c *Client) match(t *token) (values map[string]string, missing string) {
	values = make(map[string]string, len(c.Claims))
	for i := range c.Claims {
		value, ok := c.Claims[i].matched(t)
		if !ok {
			return nil, c.Claims[i].Path
		}
		values[c.Claims[i].Path] = value
	}
	return values, ""
}

// Good says why a token is not good any more, nil if it is.
func (h *Holders) Good(held *Held, now time.Time) error {
	switch {
	case !now.Before(held.Expires):
		return errEnded
	case !held.of.keys.trusts(held.key):
		return fault(Spent, "the token is signed with a key that its issuer does not have any more")
	}
	return nil
}

// Caveats are the limits that the token's claims come to, for a grant.
func (held *Held) Caveats() grant.Caveats {
	l := &held.limits
	return grant.Caveats{Owners: l.Owners, Repositories: l.Repositories, Push: l.Push, DeleteRefs: l.DeleteRefs}
}

// String says who asks: for those who read a refusal.
func (held *Held) String() string { return held.Subject + " of " + held.Issuer }
