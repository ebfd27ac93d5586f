package github

import (
	"fmt"
	"strings"
)

// InstallationID names an installation of an App on an account.
type InstallationID int64

// Account is a user, an organization or an enterprise, known by name or by one of
// GitHub's ids; with Repo or RepositoryID it is the owner of that repository. At
// most one of Login and the ids is set. The zero value is nobody.
type Account struct {
	Login      string // a user's or organization's login, or an enterprise's slug
	Repo       string // the repository's bare name, "" where only an account is named
	Enterprise bool   // Login is an enterprise's slug

	RepositoryID int64 // /repositories/{id}, or a node id that names a repository
	AccountID    int64 // /organizations/{id}, /user/{id}, or a node id that names an account
	TeamID       int64 // /teams/{id}
}

// Named reports whether a names somebody.
func (a Account) Named() bool { return a != Account{} }

// ByID reports whether the account is known by an id only.
func (a Account) ByID() bool { return a.RepositoryID != 0 || a.AccountID != 0 || a.TeamID != 0 }

// WithoutRepo is the account that Login names.
func (a Account) WithoutRepo() Account { return Account{Login: a.Login, Enterprise: a.Enterprise} }

// Same reports whether both are the same: names are compared without regard to
// case, as GitHub does.
func (a Account) Same(b Account) bool {
	return a.RepositoryID == b.RepositoryID && a.AccountID == b.AccountID && a.TeamID == b.TeamID && a.Enterprise == b.Enterprise &&
		strings.EqualFold(a.Login, b.Login) && strings.EqualFold(a.Repo, b.Repo)
}

// Key is what the account is filed under, in lower case: GitHub compares names
// without regard to case. Keys of plausible accounts are unambiguous.
func (a Account) Key() string {
	if a.Enterprise {
		return "enterprise:" + strings.ToLower(a.Login)
	}
	return strings.ToLower(a.String())
}

// String returns "owner", "owner/repo", "enterprises/slug" or "repository 123".
func (a Account) String() string {
	switch {
	case a.Enterprise:
		return "enterprises/" + a.Login
	case a.RepositoryID != 0:
		return fmt.Sprintf("repository %d", a.RepositoryID)
	case a.AccountID != 0:
		return fmt.Sprintf("account %d", a.AccountID)
	case a.TeamID != 0:
		return fmt.Sprintf("team %d", a.TeamID)
	case a.Repo != "":
		return a.Login + "/" + a.Repo
	default:
		return a.Login
	}
}

// Plausible reports whether GitHub could know the account by its name. Names come
// from requests: others would fill caches, or mean something in a path.
func (a Account) Plausible() bool {
	return IsLogin(a.Login) && (a.Repo == "" || IsRepositoryName(a.Repo))
}

// MaxSubjects is how many different subjects a request may name. GitHub looks
// up no more than 100 ids at once (docs.github.com "Rate limits and query
// limits for the GraphQL API", node limit).
const MaxSubjects = 100

// AppendSubject appends s to list unless it is there: names are compared
// without regard to case, as GitHub does.
func AppendSubject(list []Account, s Account) []Account {
	for _, other := range list {
		if s.Same(other) {
			return list
		}
	}
	return append(list, s)
}
