package github

import "strings"

// Names longer than these are nobody's. GitHub allows 39 bytes to a login
// (more to managed users and enterprises) and 100 to a repository.
const (
	maxLogin          = 100
	maxRepositoryName = 200
	maxFullName       = maxLogin + len("/") + maxRepositoryName
)

// ParseFullName returns the repository that "owner/name" names, nobody if it cannot
// be one. Unlike a path it is not escaped.
func ParseFullName(s string) Account {
	if len(s) > maxFullName {
		return Account{}
	}
	owner, name, ok := strings.Cut(s, "/")
	if !ok || !IsLogin(owner) || !IsRepositoryName(name) {
		return Account{}
	}
	return Account{Login: owner, Repo: name}
}

// IsLogin reports whether an account can have this name. Enterprises' slugs
// and the underscore of managed users are included.
func IsLogin(s string) bool {
	return s != "" && len(s) <= maxLogin && s[0] != '-' && !strings.Contains(s, ".") && hasNameBytes(s)
}

// IsRepositoryName reports whether a repository can have this name.
func IsRepositoryName(s string) bool {
	return s != "" && len(s) <= maxRepositoryName && s != "." && s != ".." && hasNameBytes(s)
}

func hasNameBytes(s string) bool {
	for _, c := range []byte(s) {
		if !IsNameByte(c) {
			return false
		}
	}
	return true
}

// IsNameByte reports whether c may stand in a login or a repository's name.
func IsNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}
