package rules

import (
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
)

// Paths are the ways in which a server may read the path of a request, for
// Pattern: as it was sent and with escaped slashes taken for slashes, and both
// by names where it was sent by the numeric id that GitHub's Link headers use
// (/repositories/{id}/…), if the name is known.
type Paths struct {
	sent, named readings
	loose       readings // what a lenient server might make of it, as it was sent and by names
	byID        []pathByID
}

// pathByID is a path by id of which the name is not known.
type pathByID struct {
	root  string // of the path by name: "repos"
	names int    // how many segments the name has
	tail  string // what follows it
}

// PathsOf returns the paths of a request. For those by id the caller has filled
// in the route's names.
func PathsOf(req Request, route *Route) Paths {
	p := Paths{sent: readPath(req, route)}
	if loose := undisguised(p.sent[0]); loose != p.sent[0] {
		p.loose[0] = loose
	}
	if route.Form != answer.JSON {
		return p
	}
	for i, path := range p.sent {
		p.named[i] = p.byName(path, route)
	}
	p.loose[1] = p.byName(p.loose[0], route)
	return p
}

// byName is a path by id as it is by name, "" for any other path.
func (p *Paths) byName(path string, route *Route) string {
	if path == "" {
		return ""
	}
	head, unknown, ok := alias(path, &route.Subject)
	switch {
	case !ok:
		return ""
	case head == "":
		p.byID = append(p.byID, unknown)
		return ""
	}
	return head + unknown.tail
}

// alias reports whether a path is by id. head is how it begins by name, "" if the
// name is not known; rest is what follows.
func alias(path string, s *github.Account) (head string, rest pathByID, ok bool) {
	first, tail, _ := cut(path)
	id, tail, more := cut(tail)
	if !more || !isNumber(id) {
		return "", pathByID{}, false
	}
	switch {
	case github.SameSegment(first, "repositories"):
		rest = pathByID{"repos", 2, tail}
		if s.Repo != "" {
			head = "/repos/" + s.Login + "/" + s.Repo
		}
	case github.SameSegment(first, "organizations"):
		rest = pathByID{"orgs", 1, tail}
		if s.Login != "" {
			head = "/orgs/" + s.Login
		}
	case github.SameSegment(first, "user"):
		rest = pathByID{"users", 1, tail}
		if s.Login != "" {
			head = "/users/" + s.Login
		}
	default:
		return "", pathByID{}, false
	}
	return head, rest, true
}

// Undecidable reports whether the pattern might match a path by id of which the name
// is not known, so that it cannot be told.
func (p *Paths) Undecidable(pattern Pattern) bool {
	for _, n := range p.byID {
		if pattern.mayMatch(n) {
			return true
		}
	}
	return false
}

// mayMatch reports whether the pattern matches the path under some name.
func (p Pattern) mayMatch(n pathByID) bool {
	if len(p.parts) > 0 && !p.parts[0].any && !strings.EqualFold(p.parts[0].word, n.root) {
		return false
	}
	if len(p.parts) <= n.names {
		return p.rest
	}
	rest := Pattern{parts: p.parts[1+n.names:], rest: p.rest}
	for _, tail := range []string{n.tail, github.Slashed(n.tail), undisguised(n.tail)} {
		if rest.match(tail) {
			return true
		}
	}
	return false
}

// Any reports whether the pattern matches in one of the readings at least: what
// something that denies goes by.
func (p *Paths) Any(pattern Pattern) bool {
	one := []Pattern{pattern}
	return p.sent.matchAny(one) || p.named[0] != "" && p.named.matchAny(one) ||
		p.loose[0] != "" && p.loose.matchAny(one)
}

// All reports whether the pattern matches in every reading: what something that
// allows goes by. A path by id may match by that or by name.
func (p *Paths) All(pattern Pattern) bool {
	return p.sent.matchAll(pattern) || p.named[0] != "" && p.named.matchAll(pattern)
}

func (r *readings) matchAll(pattern Pattern) bool {
	return pattern.match(r[0]) && (r[1] == "" || pattern.match(r[1]))
}
