package rules

import (
	"fmt"
	"slices"
)

// Rule is one rule of the user's own. It matches a request that meets all of
// its conditions; an empty condition is met by every request. The zero value
// matches everything and sends nothing.
//
// A rule with Owners or Repositories looks at whom the request names. If it
// gives a credential, all of them have to match, and a request that names
// nobody, or somebody by id, does not match. If it denies, one that matches is
// enough, so that a denied owner is not let in by naming another one beside it.
//
// # Limitations
//
// A rule sees what stands in the request. It cannot tell whose
// /repositories/{id} or node id that is: a caller that finds out fills in the
// owner and calls Decide then. Nor does it see what a listing or a GraphQL
// connection leads to; Narrow confines that. Operations have several paths
// (/repos/{owner}/{repo}/… and /repositories/{id}/…), so a rule that denies
// does it better by Operations than by Paths.
type Rule struct {
	Name string // for explanations, "" if it has none

	Hosts        []string  // served hosts; those of the App's instance if App is set
	Methods      []string  // "GET" includes HEAD
	Paths        []Pattern // of the path below the instance's API base
	Operations   []string  // as in Route.Operation
	Owners       []Glob    // acme, acme-*, enterprises/megacorp
	Repositories []Glob    // acme/widgets, acme/*, */docs
	Clients      []string  // as in Request.Client

	// Deny is the reason to refuse the request, "" to forward it.
	Deny string
	// Auth is what a request that is not denied is sent with. It replaces the
	// built-in choice, right or wrong.
	Auth Credential
	// App is the name of the App whose credential it is, "" for any.
	App string
	// InstallationID is the installation to take, 0 for that of the owner.
	InstallationID int64
	// Narrow limits the installation token.
	Narrow Narrowing
}

// Narrowing limits what an installation token is good for, as the body of
// "Create an installation access token for an app" does. The zero value does
// not limit it. Repositories and RepositoryIDs exclude each other.
type Narrowing struct {
	Repositories  []string          // bare names, of the installation's owner
	RepositoryIDs []int64           // ids, for names that may change
	Permissions   map[string]string // GitHub's name → "read", "write" or "admin"
}

// IsZero reports whether n does not limit the token.
func (n *Narrowing) IsZero() bool {
	return n == nil || len(n.Repositories) == 0 && len(n.RepositoryIDs) == 0 && len(n.Permissions) == 0
}

// ParseCredential reads a rule's auth.
func ParseCredential(s string) (Credential, error) {
	for _, c := range []Credential{Installation, JWT, ClientSecret, None, Keep} {
		if c.String() == s {
			return c, nil
		}
	}
	return None, fmt.Errorf("%q is none of installation, jwt, basic, none, keep", s)
}

// revoke is the operation that no rule can allow.
const revoke = "apps/revoke-installation-access-token"

// Decide applies the first rule that matches to a route that Classify returned,
// and what is refused unless a rule means it. No rule allows TRACE, nor what
// Classify refuses for another reason than that it hands out a credential.
func (set Set) Decide(req Request, route *Route) {
	firm := route.Refused != "" && route.Refused != RefusedHandsOut
	switch {
	case req.Method == "TRACE":
		route.Refused = RefusedTrace
		return
	case route.Operation == revoke:
		route.Refused = RefusedRevoke
		return
	case firm:
		return
	}
	handsOut := route.HandsOut || route.Refused == RefusedHandsOut
	var named, method bool // does the rule name the operation, the method?
	if rule := set.match(req, route); rule != nil {
		if rule.Deny != "" {
			route.Refused = rule.refusal(route.Rule)
			return
		}
		rule.apply(route)
		named = slices.Contains(rule.Operations, route.Operation)
		method = slices.Contains(rule.Methods, req.Method)
	}
	read := req.Method == "GET" || req.Method == "HEAD"
	switch {
	case handsOut && !named:
		// A broad pattern must not let a credential out by accident.
		route.Refused = RefusedHandsOut
	case route.Credential == JWT && !read && !set.JWTWrites && !named && !method:
		route.Refused = RefusedJWTWrite
	default:
		route.Refused = ""
	}
}

// match returns the first rule that matches and notes its number in the route,
// or returns nil.
func (set Set) match(req Request, route *Route) *Rule {
	if len(set.Rules) == 0 {
		return nil
	}
	paths := readPath(req, route)
	for i := range set.Rules {
		if rule := &set.Rules[i]; rule.matches(req, route, &paths) {
			route.Rule = i + 1
			return rule
		}
	}
	return nil
}

func (r *Rule) matches(req Request, route *Route, paths *readings) bool {
	return has(r.Hosts, req.Host.Name) &&
		(has(r.Methods, req.Method) || req.Method == "HEAD" && slices.Contains(r.Methods, "GET")) &&
		has(r.Operations, route.Operation) &&
		has(r.Clients, req.Client) &&
		r.matchesSubjects(route) &&
		(len(r.Paths) == 0 || paths.matchAny(r.Paths))
}

// has reports whether a condition is met: it is empty, or lists the value.
func has(condition []string, value string) bool {
	return len(condition) == 0 || slices.Contains(condition, value)
}

// matchesSubjects reports whether all whom the request is about match, or one
// of them if the rule denies.
func (r *Rule) matchesSubjects(route *Route) bool {
	if len(r.Owners) == 0 && len(r.Repositories) == 0 {
		return true
	}
	decisive := r.Deny != "" // the first subject with this answer settles it
	if r.matchesSubject(&route.Subject) == decisive {
		return decisive
	}
	for i := range route.Others {
		if r.matchesSubject(&route.Others[i]) == decisive {
			return decisive
		}
	}
	return !decisive
}

func (r *Rule) matchesSubject(s *Subject) bool {
	owner := func(g Glob) bool { return g.matchOwner(s) }
	repo := func(g Glob) bool { return g.matchRepository(s) }
	return (len(r.Owners) == 0 || slices.ContainsFunc(r.Owners, owner)) &&
		(len(r.Repositories) == 0 || slices.ContainsFunc(r.Repositories, repo))
}

// apply puts the rule's credential in place of the built-in choice.
func (r *Rule) apply(route *Route) {
	if r.Auth != route.Credential {
		route.Credential, route.Scheme = r.Auth, schemeFor(r.Auth, route)
	}
	if r.Auth == Keep {
		// A client asks for its password only when GitHub's 401 tells it to.
		route.GitAuth = false
	}
	route.App, route.ForcedInstallation = r.App, r.InstallationID
	if !r.Narrow.IsZero() {
		route.Narrow = &r.Narrow
	}
}

// schemeFor is the scheme for a credential that the route was not made for.
func schemeFor(c Credential, route *Route) Scheme {
	switch {
	case c == ClientSecret:
		return Basic
	case c != Installation || route.Form == JSON:
		return Bearer
	case route.Scheme == Token:
		return Token // raw files and archives
	default:
		return Basic // the web host
	}
}

// refusal says which rule denies the request, and why.
func (r *Rule) refusal(number int) Refusal {
	if r.Name != "" {
		return Refusal(fmt.Sprintf("rule[%d] (%s) denies this: %s", number, r.Name, r.Deny))
	}
	return Refusal(fmt.Sprintf("rule[%d] denies this: %s", number, r.Deny))
}
