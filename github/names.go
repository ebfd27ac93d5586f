package github

import "strings"

// maxName is the longest name that is anybody's. A repository's has 100 characters
// at most (docs.github.com "Creating a new repository"). A login has 39 ("Username
// considerations for external authentication"); managed users, enterprises and
// older accounts may have more.
const maxName = 100

// ParseFullName returns the repository that "owner/name" names, nobody if it cannot
// be one. Unlike a path it is not escaped.
func ParseFullName(s string) Account {
	owner, name, ok := strings.Cut(s, "/")
	if !ok || !IsLogin(owner) || !IsRepositoryName(name) {
		return Account{}
	}
	return Account{Login: owner, Repo: name}
}

// IsLogin reports whether an account can have this name: letters, digits and dashes,
// of which none comes first, and the underscore of managed users (docs.github.com
// "Username considerations for external authentication"). It is looser than GitHub,
// whose rules have changed over time, and includes the slugs of enterprises.
func IsLogin(s string) bool {
	return s != "" && s[0] != '-' && !strings.Contains(s, ".") && isName(s)
}

// IsRepositoryName reports whether a repository can have this name: letters, digits,
// ".", "-" and "_".
func IsRepositoryName(s string) bool {
	return s != "" && s != "." && s != ".." && isName(s)
}

func isName(s string) bool {
	if len(s) > maxName {
		return false
	}
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
