package rules

// Paths are the ways in which a server may read the path of a request, for
// Pattern: as it was sent and with escaped slashes taken for slashes, and both
// by names where it was sent by the numeric id that GitHub's Link headers use
// (/repositories/{id}/…), if the name is known.
type Paths struct {
	sent, named readings
	disguised   string // what a lenient server might make of it
	nameless    bool
}

// PathsOf returns the paths of a request. For those by id the caller has filled
// in the route's names.
func PathsOf(req Request, route *Route) Paths {
	p := Paths{sent: readPath(req, route)}
	p.disguised = undisguised(p.sent[0])
	if route.Form != JSON {
		return p
	}
	for i, path := range p.sent {
		if path == "" {
			continue
		}
		head, tail, ok := alias(path, &route.Subject)
		if !ok {
			continue
		}
		if head == "" {
			p.nameless = true
			continue
		}
		p.named[i] = head + tail
	}
	return p
}

// alias reports whether a path is by id, and returns what it begins with by
// name, "" if that is not known, and what follows.
func alias(path string, s *Subject) (head, tail string, ok bool) {
	first, rest, _ := cut(path)
	id, tail, more := cut(rest)
	if !more || !isNumber(id) {
		return "", "", false
	}
	switch {
	case same(first, "repositories"):
		if s.Repo != "" {
			head = "/repos/" + s.Owner + "/" + s.Repo
		}
	case same(first, "organizations"):
		if s.Owner != "" {
			head = "/orgs/" + s.Owner
		}
	case same(first, "user"):
		if s.Owner != "" {
			head = "/users/" + s.Owner
		}
	default:
		return "", "", false
	}
	return head, tail, true
}

// Nameless reports a path by id of which the name is not known, so that it
// cannot be told whether a pattern matches it.
func (p *Paths) Nameless() bool { return p.nameless }

// Any reports whether the pattern matches in one of the readings at least: what
// something that denies goes by.
func (p *Paths) Any(pattern Pattern) bool {
	one := []Pattern{pattern}
	return p.sent.matchAny(one) || p.named[0] != "" && p.named.matchAny(one) ||
		p.disguised != p.sent[0] && pattern.match(p.disguised)
}

// All reports whether the pattern matches in every reading: what something that
// allows goes by. A path by id may match by that or by name.
func (p *Paths) All(pattern Pattern) bool {
	return p.sent.matchAll(pattern) || p.named[0] != "" && p.named.matchAll(pattern)
}

func (r *readings) matchAll(pattern Pattern) bool {
	return pattern.match(r[0]) && (r[1] == "" || pattern.match(r[1]))
}
