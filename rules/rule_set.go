package rules

import (
	"fmt"
	"slices"

	"ghapp-proxy/github/graphql"
)

// Set is the rules in force. The zero value is the built-in ones. It is safe
// for concurrent use.
type Set struct {
	// JWTWrites allows methods other than GET and HEAD on JWT routes.
	JWTWrites bool
	// Exchange has requests for an installation token answered by the caller,
	// unless a rule denies them, or names the operation and so means GitHub's.
	Exchange bool
	// Rules are the user's own; the first that matches decides.
	Rules []Rule

	index *index // of the Rules; nil if they are not Compiled
}

// Compiled returns the same rules, prepared for many requests: how long Decide takes
// hardly depends on how many there are. Do not change the rules afterwards.
func (set Set) Compiled() Set {
	if len(set.Rules) > 0 {
		set.index = newIndex(set.Rules)
	}
	return set
}

// revoke is the operation that no rule can allow.
const revoke = "apps/revoke-installation-access-token"

// exchange is the operation that Set.Exchange is about.
const exchange = "apps/create-installation-access-token"

// Decide applies the first rule that matches to a route that Classify returned.
// Then it refuses the built-in exceptions, unless that rule names them. No rule
// allows TRACE, or the revocation of the token. A request whose body makes it a second
// operation passes only if both do.
func (set Set) Decide(req Request, route *Route) {
	if route.Also != "" {
		also := *route
		also.Operation, also.Also = route.Also, ""
		if set.Decide(req, &also); also.Refused != "" {
			route.Refused, route.Rule = also.Refused, also.Rule
			return
		}
	}
	switch {
	case req.Method == "TRACE":
		route.Refused = RefusedTrace
		return
	case route.Operation == revoke:
		route.Refused = RefusedRevoke
		return
	}
	var named, method bool // does the rule name the operation, the method?
	if rule, unclear := set.match(req, route); rule != nil {
		switch {
		case unclear != "":
			route.Refused = Refusal(fmt.Sprintf("rule[%d] looks at whom or what a request is about, and %s", route.Rule, unclear))
			return
		case rule.Deny != "":
			route.Refused = rule.refusal(route.Rule)
			return
		}
		rule.apply(route)
		route.ForClient = req.Client != "" && slices.Contains(rule.Clients, req.Client)
		named = slices.Contains(rule.Operations, route.Operation)
		method = slices.Contains(rule.Methods, req.Method)
	}
	read := req.Method == "GET" || req.Method == "HEAD"
	switch {
	case set.Exchange && !named && route.isExchange():
		route.Exchange = true // and so neither hands anything out nor changes it
	case route.HandsOut && !named:
		// A broad pattern must not let a credential out by accident.
		route.Refused = RefusedHandsOut
	case route.Credential == JWT && !read && !set.JWTWrites && !named && !method:
		route.Refused = RefusedJWTWrite
	}
}

// isExchange reports whether the request asks for the token of an installation,
// in a path that can be read in one way.
func (route *Route) isExchange() bool {
	return route.Operation == exchange && route.Credential == JWT && route.InstallationID > 0
}

// match returns the first rule that matches and notes its number in the route,
// or returns nil.
//
// unclear is "" if the rule matches for certain. Else it says why that cannot be
// told: the rule looks at names or fields that cannot be read from the request.
func (set Set) match(req Request, route *Route) (rule *Rule, unclear string) {
	if len(set.Rules) == 0 {
		return nil, ""
	}
	paths := PathsOf(req, route)
	var few [32]int32
	for _, i := range set.candidates(few[:0], req, route, &paths) {
		rule := &set.Rules[i]
		path, undecidable := rule.matchesPath(&paths)
		if !path || !rule.matchesRequest(req) {
			continue
		}
		operation, unread := rule.matchesOperation(route)
		if !operation && !unread {
			continue
		}
		switch matches := rule.matchesSubjects(route); {
		case unread || undecidable || rule.looksAtSubjects() && route.isUnclear():
			unclear = fmt.Sprintf("this one does not say so that it can be told: name the owner and the repository, in a document that is plain JSON and smaller than %d bytes", graphql.MaxBody)
		case rule.isPassedBy(route, matches) && (rule.Deny != "" || set.limitsAfter(int(i))):
			unclear = route.leadsAway()
		case !matches:
			continue
		}
		route.Rule = int(i) + 1
		return rule, unclear
	}
	return nil, ""
}

// candidates appends the numbers of the rules that may match, in the order of the
// file. Of rules that are not Compiled, or were replaced since, these are all.
func (set Set) candidates(found []int32, req Request, route *Route, paths *Paths) []int32 {
	if set.index.isOf(set.Rules) {
		return set.index.candidates(found, req, route, paths)
	}
	for i := range set.Rules {
		found = append(found, int32(i))
	}
	return found
}

// limitsAfter reports whether a rule after the i-th gives less than the built-in choice
// might.
func (set Set) limitsAfter(i int) bool {
	if set.index.isOf(set.Rules) {
		return set.index.lastLimiting > i
	}
	for later := i + 1; later < len(set.Rules); later++ {
		if isLimiting(&set.Rules[later]) {
			return true
		}
	}
	return false
}

// LookAtSubjects reports whether any rule looks at names: of owners, of repositories,
// or in the paths that it denies. A caller then finds the names of ids first.
func (set Set) LookAtSubjects() bool {
	if set.index.isOf(set.Rules) {
		return set.index.looksAtSubjects
	}
	for i := range set.Rules {
		if set.Rules[i].looksAtNames() {
			return true
		}
	}
	return false
}
