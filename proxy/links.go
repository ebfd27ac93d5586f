package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// link is one link of a Link field.
type link struct {
	target string
	rel    string
}

// pages are the relations of the links by which GitHub pages through a list:
// docs.github.com "Using pagination in the REST API".
var pages = map[string]bool{"first": true, "prev": true, "next": true, "last": true}

// parseLinks reads Link fields by RFC 8288, section 3. It is strict: of what has
// something else in it, such as a query that is echoed as it was sent, nothing is
// to be believed.
func parseLinks(fields []string) ([]link, bool) {
	var list []link
	for _, rest := range fields {
		for more := true; more; {
			var l link
			var ok bool
			if l, rest, ok = cutLink(rest); !ok {
				return nil, false
			}
			list = append(list, l)
			if rest, more = strings.CutPrefix(rest, ","); !more && rest != "" {
				return nil, false
			}
		}
	}
	return list, true
}

// cutLink takes the first link off a field: <target> and parameters.
func cutLink(s string) (l link, rest string, ok bool) {
	s, ok = strings.CutPrefix(skipSpace(s), "<")
	l.target, s, _ = strings.Cut(s, ">")
	if !ok || l.target == "" || strings.ContainsFunc(l.target, isNotInURI) {
		return l, "", false
	}
	for {
		s = skipSpace(s)
		rest, more := strings.CutPrefix(s, ";")
		if !more {
			return l, s, true
		}
		var name, value string
		if name, value, s, ok = cutParameter(skipSpace(rest)); !ok {
			return l, "", false
		}
		if strings.EqualFold(name, "rel") {
			if l.rel != "" { // only the first would count
				return l, "", false
			}
			l.rel = value
		}
	}
}

// cutParameter takes name=value off s. A value in quotes has no escapes in it
// here: GitHub's need none.
func cutParameter(s string) (name, value, rest string, ok bool) {
	n := strings.IndexFunc(s, isNotInToken)
	if n <= 0 || s[n] != '=' {
		return "", "", "", false
	}
	name, s = s[:n], s[n+1:]
	if quoted, isQuoted := strings.CutPrefix(s, `"`); isQuoted {
		value, rest, ok = strings.Cut(quoted, `"`)
		return name, value, rest, ok && !strings.Contains(value, `\`)
	}
	if n = strings.IndexFunc(s, isNotInToken); n < 0 {
		n = len(s)
	}
	return name, s[:n], s[n:], n > 0
}

func skipSpace(s string) string { return strings.TrimLeft(s, " \t") }

// isNotInURI reports what RFC 3986 has in no URI.
func isNotInURI(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", c) }

func isNotInToken(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
}

// idInLinks returns the id by which GitHub calls whom the request names, where its
// Link fields say so: all of them page through the very list that was asked for,
// under one id. Else it returns nobody.
func (x *exchange) idInLinks(fields http.Header) github.Account {
	list, ok := parseLinks(fields["Link"])
	if !ok || len(list) == 0 {
		return github.Account{}
	}
	var id github.Account
	for i, l := range list {
		other, below := x.idIn(l.target)
		if !pages[l.rel] || i > 0 && other != id || !sameKind(x.Route.Subject, other) || below != x.belowName() {
			return github.Account{}
		}
		id = other
	}
	return id
}

// belowName is what follows the name in the path of a request.
func (x *exchange) belowName() string {
	names := 2 // orgs/{org}
	if x.Route.Subject.Repo != "" {
		names = 3 // repos/{owner}/{repo}
	}
	return x.below(x.path, names)
}

// below is what follows the first n segments of a path of the API.
func (x *exchange) below(path string, n int) string {
	if x.session.host.Service == github.GHES {
		n += 2 // api/v3
	}
	segments := strings.SplitN(strings.TrimPrefix(path, "/"), "/", n+1)
	if len(segments) <= n {
		return ""
	}
	return segments[n]
}

// idIn returns whom a URL of the same host names by id, nobody for any other, and
// what follows the id in its path.
func (x *exchange) idIn(link string) (id github.Account, below string) {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" {
		return github.Account{}, ""
	}
	if name, port := github.SplitHost(u.Host); name != x.session.host.Name || port != "" && port != "443" {
		return github.Account{}, ""
	}
	route, err := rules.Classify(rules.Request{Method: http.MethodGet, Host: x.session.host, Path: u.EscapedPath()})
	if err != nil || route.Subject.Login != "" {
		return github.Account{}, ""
	}
	return route.Subject, x.below(u.EscapedPath(), 2)
}

// sameKind reports whether an id can be that of the subject: a repository's
// for a repository, an account's for an account.
func sameKind(named, id github.Account) bool {
	if named.Repo != "" {
		return id.RepositoryID != 0
	}
	return id.AccountID != 0
}
