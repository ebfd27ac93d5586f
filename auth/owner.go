package auth

import (
	"fmt"
	"strings"
)

// InstallationID names an installation of an App on an account.
type InstallationID int64

// Owner is the account whose installation a request needs: known by name, or
// by one of GitHub's ids. The zero value is nobody.
type Owner struct {
	Login      string // a user's or organization's login, or an enterprise's slug
	Repo       string // the repository's bare name, "" where the request names none
	Enterprise bool   // Login is an enterprise's slug

	RepositoryID int64 // instead of Login
	AccountID    int64 // of a user or an organization, instead of Login
	TeamID       int64 // instead of Login
}

// String returns "owner", "owner/repo", "enterprises/slug" or "repository 123".
func (o Owner) String() string {
	switch {
	case o.Enterprise:
		return "enterprises/" + o.Login
	case o.RepositoryID != 0:
		return fmt.Sprintf("repository %d", o.RepositoryID)
	case o.AccountID != 0:
		return fmt.Sprintf("account %d", o.AccountID)
	case o.TeamID != 0:
		return fmt.Sprintf("team %d", o.TeamID)
	case o.Repo != "":
		return o.Login + "/" + o.Repo
	default:
		return o.Login
	}
}

// byID reports whether the owner is known by an id only.
func (o Owner) byID() bool { return o.RepositoryID != 0 || o.AccountID != 0 || o.TeamID != 0 }

// account is the owner without the repository.
func (o Owner) account() Owner { return Owner{Login: o.Login, Enterprise: o.Enterprise} }

// key is what the owner is filed under, in lower case: GitHub compares names
// without regard to case. Keys of plausible owners are unambiguous.
func (o Owner) key() string {
	if o.Enterprise {
		return "enterprise:" + strings.ToLower(o.Login)
	}
	return strings.ToLower(o.String())
}

// plausible reports whether GitHub could know the owner. Names come from
// requests: others would fill the caches, or mean something in a path.
func (o Owner) plausible() bool {
	return plausibleName(o.Login) && (o.Repo == "" || plausibleName(o.Repo))
}

// plausibleName is looser than GitHub, whose rules have changed over time. A
// repository has 100 characters at most, a login has fewer.
func plausibleName(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 100 {
		return false
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
