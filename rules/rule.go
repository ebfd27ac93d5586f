package rules

import (
	"fmt"
	"slices"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
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
// A rule sees what stands in the request. A request may say an id only, or have a
// GraphQL document that is not read. Then a rule with Owners or Repositories cannot
// tell whom it is about, and refuses it, unless the caller fills in the name before
// Decide. Such a rule also refuses a document, a listing or a search whose answer may
// lead to others. Two things do not count as leading there: what an answer says of
// others in passing (the parent of a fork, the head of a pull request), and settings
// of an owner that hold for all of its repositories.
//
// GitHub takes POST for PATCH, so a rule that denies does it better by Operations
// than by Methods. Paths deny in every spelling of a path, and by the id that may
// stand for a name in it.
type Rule struct {
	Name string // for explanations, "" if it has none

	Hosts        []string  // served hosts; those of the App's instance if App is set
	Methods      []string  // "GET" includes HEAD
	Paths        []Pattern // of the path below the instance's API base
	Operations   []string  // as in Route.Operation, or graphql/FIELD
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
	InstallationID github.InstallationID
	// Narrow limits the installation token, nil: not.
	Narrow *github.Narrowing
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

// isPassedBy reports whether the answer to a request may lead past the rule. Past one
// that denies, it leads to somebody denied whom the request does not name. Past one
// that allows, it leads to others, for whom later rules may allow less (limitsAfter); a
// token that is narrowed to repositories does not get there.
func (r *Rule) isPassedBy(route *Route, matches bool) bool {
	switch {
	case route.Reach == github.ReachNamed:
		return false
	case r.Deny != "" && !matches:
		anybody := route.Reach == github.ReachAny || !route.Subject.Named()
		return r.looksAtSubjects() && anybody || len(r.Repositories) > 0 && r.isReached(route)
	case r.Deny == "" && matches:
		return len(r.Repositories) > 0 && !r.Narrow.ByRepository()
	}
	return false
}

// isLimiting reports whether a rule gives less than the built-in choice might.
func isLimiting(r *Rule) bool { return r.Deny != "" || r.Auth != Installation || r.Narrow != nil }

// isReached reports whether the rule is about repositories of an owner whom the
// request names.
func (r *Rule) isReached(route *Route) bool {
	reached := func(s github.Account) bool {
		s = lenient(s)
		owner := func(g Glob) bool { return g.MatchOwner(&s) }
		part := func(g Glob) bool { return g.MatchOwnerPart(&s) }
		return (len(r.Owners) == 0 || slices.ContainsFunc(r.Owners, owner)) && slices.ContainsFunc(r.Repositories, part)
	}
	return reached(route.Subject) || slices.ContainsFunc(route.Others, reached)
}

// leadsAway says that the answer may lead to others, and what to do about it.
func (route *Route) leadsAway() string {
	switch {
	case route.Operation == "graphql":
		return "this document may lead to others than it names: ask for each repository by its owner and name"
	case strings.HasPrefix(route.Operation, "search/"):
		return "this search may find what is in repositories that it does not name: name each by repo:OWNER/NAME, without OR, NOT and parentheses"
	}
	return "the answer may tell of repositories that the request does not name: ask for each by its owner and name"
}

// matchesRequest is about all but the path, the operation and the subjects.
func (r *Rule) matchesRequest(req Request) bool {
	return has(r.Hosts, req.Host.Name) &&
		(has(r.Methods, req.Method) || req.Method == "HEAD" && slices.Contains(r.Methods, "GET")) &&
		has(r.Clients, req.Client)
}

// matchesPath reports whether one of the rule's patterns matches; for a rule that
// denies, any reading of the path counts. undecidable reports that this depends on
// the name for an id in the path, which is not known.
func (r *Rule) matchesPath(paths *Paths) (matches, undecidable bool) {
	switch {
	case len(r.Paths) == 0:
		return true, false
	case r.Deny == "":
		return paths.sent.matchAny(r.Paths), false
	case slices.ContainsFunc(r.Paths, paths.Any):
		return true, false
	}
	undecidable = slices.ContainsFunc(r.Paths, paths.Undecidable)
	return undecidable, undecidable
}

// graphQLField precedes the root field of a GraphQL document where a rule names
// it as an operation.
const graphQLField = "graphql/"

// matchesOperation reports whether the rule names the operation, or a root
// field of the document: any for a rule that denies, all for one that does not.
// unread reports that the rule names root fields and the document is not read.
func (r *Rule) matchesOperation(route *Route) (matches, unread bool) {
	if has(r.Operations, route.Operation) {
		return true, false
	}
	named := func(field string) bool { return slices.Contains(r.Operations, graphQLField+field) }
	if route.Operation != "graphql" || !slices.ContainsFunc(r.Operations, isGraphQLField) {
		return false, false
	}
	if route.Unclear {
		return false, true
	}
	if r.Deny != "" {
		return slices.ContainsFunc(route.Fields, named), false
	}
	other := func(field string) bool { return !named(field) }
	return len(route.Fields) > 0 && !slices.ContainsFunc(route.Fields, other), false
}

func isGraphQLField(operation string) bool { return strings.HasPrefix(operation, graphQLField) }

func (r *Rule) looksAtSubjects() bool { return len(r.Owners) > 0 || len(r.Repositories) > 0 }

// looksAtNames reports whether the rule looks at names: of owners, of repositories, or in
// the paths that it denies.
func (r *Rule) looksAtNames() bool { return r.looksAtSubjects() || r.Deny != "" && len(r.Paths) > 0 }

// isUnclear reports that somebody whom the request is about is not known by name.
func (route *Route) isUnclear() bool {
	return route.Unclear || isNameless(route.Subject) || slices.ContainsFunc(route.Others, isNameless)
}

func isNameless(s github.Account) bool { return s.Named() && s.Login == "" }

// has reports whether a condition is met: it is empty, or lists the value.
func has(condition []string, value string) bool {
	return len(condition) == 0 || slices.Contains(condition, value)
}

// matchesSubjects reports whether all whom the request is about match, or one
// of them if the rule denies.
func (r *Rule) matchesSubjects(route *Route) bool {
	if !r.looksAtSubjects() {
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

// matchesSubject reports whether one subject matches, for a rule that denies in any
// reading of its names.
func (r *Rule) matchesSubject(s *github.Account) bool {
	matches := r.matchesNames(s)
	if r.Deny == "" || matches {
		return matches
	}
	loose := lenient(*s)
	return loose != *s && r.matchesNames(&loose)
}

func (r *Rule) matchesNames(s *github.Account) bool {
	owner := func(g Glob) bool { return g.MatchOwner(s) }
	repo := func(g Glob) bool { return g.MatchRepository(s) }
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
	route.App, route.ForcedInstallation, route.Narrow = r.App, r.InstallationID, r.Narrow
}

// schemeFor is the scheme for a credential that the route was not made for.
func schemeFor(c Credential, route *Route) Scheme {
	switch {
	case c == ClientSecret:
		return Basic
	case c != Installation || route.Form == answer.JSON:
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
