package policy

import (
	"net/netip"
	"slices"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// Client is an identity with limits: one [client.NAME] table. What is nil or
// zero does not limit it. Make a Set of the clients before they are used, and do
// not change them any more. Its methods are safe for concurrent use, and a nil
// *Client has no limits.
type Client struct {
	Name string
	// Grant is the id of the grant that the limits are of, "" for a table of the
	// configuration.
	Grant string

	// Who it is: any of these.
	Secret      SecretHash     // zero: it has none
	Networks    []netip.Prefix // that it connects from
	Certificate *Certificate   // that it has; nil for none
	Listen      string         // a listener of its own, "127.0.0.1:8081" or "unix:/run/agent.sock"; "" for none
	NoGrants    bool           // who holds a grant of it is nobody
	// FromClaims are the keys of its limits that are narrowed by what a token says whose
	// holder it is; nil for none.
	FromClaims []string
	UIDs       []uint32 // the users whose processes may connect there; nil: the user that runs the proxy

	// Whom its requests may be about. One of the two at most.
	Owners       []rules.Glob
	Repositories []rules.Glob
	// DefaultOwner is the login whose installation serves requests that name
	// nobody; "" refuses them where Owners or Repositories are limited.
	DefaultOwner string

	// What its tokens are good for: GitHub's names → "read", "write" or
	// "admin". What is absent is not given.
	Permissions map[string]string
	ReadOnly    bool

	Apps  []string // names of the Apps it may use
	Hosts []string // served hosts it may reach, in lower case
	JWT   bool     // it may act as the App itself, whatever its limits

	Allow []Operation // if there are any, only these
	Deny  []Operation // not these, even if they are allowed

	GraphQL   GraphQLAccess
	Mutations []string // root fields of GraphQL mutations that it may run

	Push       []RefPattern // refs it may create and update
	DenyPush   []RefPattern // refs it may not touch, even if Push has them
	DeleteRefs []RefPattern // refs it may delete

	Limits Limits

	within []*Client // limits that must grant all as well, see Within
	scope  *Scope    // as NewSet, or Within, computed it
}

// GraphQLAccess is what a client may do by GraphQL.
type GraphQLAccess uint8

const (
	GraphQLUnset GraphQLAccess = iota // GraphQLRead if the client is read-only, else GraphQLWrite
	GraphQLDeny                       // nothing
	GraphQLRead                       // queries
	GraphQLWrite                      // queries and mutations
)

// Limits bound what a client uses of the proxy. Zero stands for the default.
type Limits struct {
	MaxConnections    int           // open at once; default DefaultMaxConnections
	MaxRequests       int           // under way at once; default DefaultMaxRequests
	RequestsPerMinute int           // default: unlimited
	MaxBody           int64         // bytes of one request's body; default: unlimited
	MaxConnectionAge  time.Duration // default: unlimited
	Weight            int           // of its turns, where requests wait for GitHub's limits; default 1
	QuotaShare        int           // of each of GitHub's primary limits, in percent, that it may use up; default: all
	LookupsPerMinute  int           // questions to GitHub about owners that are not known; default DefaultLookupsPerMinute
}

const (
	DefaultMaxConnections = 256
	// DefaultMaxRequests is what GitHub serves at once: docs.github.com "Rate
	// limits for the REST API", about secondary rate limits.
	DefaultMaxRequests      = 100
	DefaultLookupsPerMinute = 60
)

// WithDefaults fills in the defaults. What is zero afterwards is unlimited.
func (l Limits) WithDefaults() Limits {
	for _, limit := range []struct {
		value     *int
		byDefault int
	}{
		{&l.MaxConnections, DefaultMaxConnections},
		{&l.MaxRequests, DefaultMaxRequests},
		{&l.LookupsPerMinute, DefaultLookupsPerMinute},
	} {
		if *limit.value == 0 {
			*limit.value = limit.byDefault
		}
	}
	return l
}

// Limited reports whether anything is not granted to the client.
func (c *Client) Limited() bool { return c.limited() || c.anyWithin((*Client).limited) }

func (c *Client) limited() bool {
	return c != nil && (c.limitsSubjects() || c.limitsRefs() || c.ReadOnly ||
		c.Permissions != nil || c.Apps != nil || c.Hosts != nil || c.Allow != nil || c.Deny != nil ||
		c.GraphQL == GraphQLDeny || c.GraphQL == GraphQLRead || c.Mutations != nil)
}

// ConnectsFrom reports whether an address is in the client's Networks.
func (c *Client) ConnectsFrom(addr netip.Addr) bool {
	return slices.ContainsFunc(c.Networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// LooksAtNames reports whether Decide looks at whom a request names, so that a
// caller has to find the names of those known by id only.
func (c *Client) LooksAtNames() bool { return c.looksAtNames() || c.anyWithin((*Client).looksAtNames) }

func (c *Client) looksAtNames() bool {
	return c.limitsSubjects() || c != nil && (hasPath(c.Allow) || hasPath(c.Deny))
}

func (c *Client) limitsSubjects() bool { return c != nil && (c.Owners != nil || c.Repositories != nil) }

// LimitsRefs reports whether the client may not move every ref, so that what it
// pushes has to be read.
func (c *Client) LimitsRefs() bool { return c.limitsRefs() || c.anyWithin((*Client).limitsRefs) }

func (c *Client) limitsRefs() bool {
	return c != nil && (c.Push != nil || c.DenyPush != nil || c.DeleteRefs != nil)
}

// OwnerOr returns the client's default owner, and for a nil client the one that
// is given.
func (c *Client) OwnerOr(byDefault string) string {
	if c == nil {
		return byDefault
	}
	return c.DefaultOwner
}

// Grants reports whether requests may be about an account, or about some of its
// repositories.
func (c *Client) Grants(login string) bool {
	account := &github.Account{Login: login}
	return c.grantsAccount(account) && !c.anyWithin(func(limit *Client) bool { return !limit.grantsAccount(account) })
}

func (c *Client) grantsAccount(s *github.Account) bool {
	switch {
	case c.Owners != nil && !slices.ContainsFunc(c.Owners, func(g rules.Glob) bool { return g.MatchOwner(s) }):
		return false
	case c.Repositories != nil && !slices.ContainsFunc(c.Repositories, func(g rules.Glob) bool { return g.MatchOwnerPart(s) }):
		return false
	}
	return true
}

func (c *Client) grantsRepository(s *github.Account) bool {
	switch {
	case c.Owners != nil && !slices.ContainsFunc(c.Owners, func(g rules.Glob) bool { return g.MatchOwner(s) }):
		return false
	case c.Repositories != nil && !slices.ContainsFunc(c.Repositories, func(g rules.Glob) bool { return g.MatchRepository(s) }):
		return false
	}
	return true
}
