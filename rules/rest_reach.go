package rules

import (
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/github/search"
)

// setReach fills in how far the answer to a REST request may lead, as GitHub's
// descriptions have it; op is nil for an operation that they do not know. plain
// reports that the path is the operation's as it was sent.
func (route *Route) setReach(req Request, path *github.Path, op *restOperation, plain bool) {
	switch {
	case op == nil:
		route.Reach = unknownReach(path)
	case isOneOf(op.id, searches...) && !plain:
		route.Reach = github.ReachAny
	default:
		route.Reach = op.reachOf(req.Query)
	}
	if op != nil && op.id == searchLabels && route.Reach == github.ReachNamed {
		others := route.Others
		if route.Subject.Named() {
			others = append([]github.Account{route.Subject}, others...)
		}
		route.setSubjects(append([]github.Account{{RepositoryID: github.ParseID(parameter(req.Query, ofRepository))}}, others...), "search")
	}
}

// unknownReach is that of an operation that is known by its structure only.
func unknownReach(path *github.Path) github.Reach {
	for _, first := range []string{"repos", "repositories", "orgs", "organizations", "teams"} {
		if path.Is(0, first) {
			return github.ReachOwners
		}
	}
	return github.ReachAny
}

const (
	listForUser  = "repos/list-for-user"
	searchLabels = "search/labels"
	ofRepository = "repository_id" // of search/labels
)

// searches are the operations that search repositories. The qualifiers in q say in
// which.
var searches = []string{"search/code", "search/commits", "search/issues-and-pull-requests", "search/repos"}

// reachOf is how far the operation leads with a query.
func (op *restOperation) reachOf(rawQuery string) github.Reach {
	switch {
	case isOneOf(op.id, searches...):
		return search.Reach(parameter(rawQuery, "q"))
	case op.id == searchLabels && github.ParseID(parameter(rawQuery, ofRepository)) > 0:
		return github.ReachNamed
	case op.id == listForUser && !isAbsent(rawQuery, "type") && parameter(rawQuery, "type") != "owner":
		return github.ReachAny // also those that the user works on
	}
	return op.reach
}

// ReadsQuery reports whether the query says whom the request is about. Servers may
// take it from a body, too: a caller sets Unclear where there is one.
func (route *Route) ReadsQuery() bool {
	return isOneOf(route.Operation, searches...) || route.Operation == searchLabels || route.Operation == listForUser
}

// parameter returns a parameter of a query string, "" if it is absent, or if
// servers may disagree on it: it is there twice, or something is that they may
// take for it.
func parameter(rawQuery, name string) string {
	value, found := "", 0
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, text, _ := strings.Cut(pair, "=")
		if key = unescapeForm(key); !resembles(key, name) {
			continue
		}
		if value = unescapeForm(text); key != name {
			return ""
		}
		found++
	}
	if found != 1 || strings.Contains(rawQuery, ";") { // which separates pairs, too, for some
		return ""
	}
	return value
}

// isAbsent reports whether nothing in a query string can be taken for a parameter.
func isAbsent(rawQuery, name string) bool {
	for pair := range strings.FieldsFuncSeq(rawQuery, func(c rune) bool { return c == '&' || c == ';' || c == '?' }) {
		if key, _, _ := strings.Cut(pair, "="); resembles(unescapeForm(key), name) {
			return false
		}
	}
	return true
}

// resembles reports whether a server may take a key for a parameter: one of Rack
// strips brackets before it, and what follows it makes it a list of that name
// (Rack::QueryParser).
func resembles(key, name string) bool {
	odd := func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}
	key = strings.TrimLeftFunc(key, odd)
	if i := strings.IndexFunc(key, odd); i >= 0 {
		key = key[:i]
	}
	return strings.EqualFold(key, name)
}
