package rules

import "strings"

// maxSubjects is how many different subjects a request may name. GitHub looks
// up no more than 100 ids at once (docs.github.com "Rate limits and query
// limits for the GraphQL API", node limit).
const maxSubjects = 100

// appendSubject appends s to list unless it is there: names are compared
// without regard to case, as GitHub does.
func appendSubject(list []Subject, s Subject) []Subject {
	for _, other := range list {
		if sameSubject(s, other) {
			return list
		}
	}
	return append(list, s)
}

func sameSubject(a, b Subject) bool {
	return a.RepositoryID == b.RepositoryID && a.AccountID == b.AccountID && a.TeamID == b.TeamID && a.Enterprise == b.Enterprise &&
		strings.EqualFold(a.Owner, b.Owner) && strings.EqualFold(a.Repo, b.Repo)
}

// Names longer than these are nobody's. GitHub allows 39 bytes to a login
// (more to managed users and enterprises) and 100 to a repository.
const (
	maxLogin          = 100
	maxRepositoryName = 200
	maxFullName       = maxLogin + len("/") + maxRepositoryName
)

// fullName returns the repository that "owner/name" names, nobody if it cannot
// be one. Unlike a path it is not escaped.
func fullName(s string) Subject {
	if len(s) > maxFullName {
		return Subject{}
	}
	owner, name, ok := strings.Cut(s, "/")
	if !ok || !isLogin(owner) || !isRepositoryName(name) {
		return Subject{}
	}
	return Subject{Owner: owner, Repo: name}
}

// isLogin reports whether an account can have this name. Enterprises' slugs
// and the underscore of managed users are included.
func isLogin(s string) bool {
	return s != "" && len(s) <= maxLogin && s[0] != '-' && !strings.Contains(s, ".") && hasNameBytes(s)
}

// isRepositoryName reports whether a repository can have this name.
func isRepositoryName(s string) bool {
	return s != "" && len(s) <= maxRepositoryName && s != "." && s != ".." && hasNameBytes(s)
}

func hasNameBytes(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
