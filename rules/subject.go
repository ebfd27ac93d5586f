package rules

import "strings"

// Subject is whom a request is about: the account whose installation it needs.
// At most one of Owner and the ids is set; the zero value names nobody.
type Subject struct {
	Owner      string // login or enterprise slug, unescaped
	Enterprise bool   // Owner is an enterprise's slug
	Repo       string // bare repository name, unescaped; "" if only an account is named

	RepositoryID int64 // /repositories/{id}, or a node id that names a repository
	AccountID    int64 // /organizations/{id}, /user/{id}, or a node id that names an account
	TeamID       int64 // /teams/{id}
}

// Named reports whether the subject names somebody.
func (s Subject) Named() bool { return s != Subject{} }

// lenient is whom a lenient server might take the names for: unescaped more than
// once, without path parameters and spaces, and without what GitHub lets no
// repository's name end with, or takes for a format.
func (s Subject) lenient() Subject {
	s.Owner, s.Repo = lenientName(s.Owner), lenientName(s.Repo)
	for {
		i := strings.LastIndexByte(s.Repo, '.')
		if i <= 0 || !isOneOf(s.Repo[i:], ".git", ".json", ".wiki") {
			return s
		}
		s.Repo = s.Repo[:i]
	}
}

func lenientName(name string) string {
	for range 3 {
		name = unescape(name)
	}
	name, _, _ = strings.Cut(name, ";")
	return strings.TrimSpace(name)
}
