package auth

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
)

// InstallationID names an installation of an App on an account.
type InstallationID int64

// App is one GitHub App on one GitHub instance. Fill it in, then hand it to
// New; it must not be changed afterwards. It prints as its name alone.
type App struct {
	Name     string   // how the configuration and errors call it; unique
	Host     string   // the instance, "github.com" or an enterprise host
	API      *url.URL // base URL of the instance's REST API, without a trailing slash
	ID       int64    // the App id; 0 if only the client id is known
	ClientID string   // the client id; "" if only the App id is known

	// Signers have its private keys, the newest first: the first whose key
	// GitHub accepts is used.
	Signers      []Signer `json:"-"`
	ClientSecret Secret   // "" if not configured

	// Installations maps an owner's login, in lower case, to its installation.
	Installations map[string]InstallationID
	// Enterprises maps an enterprise's slug, in lower case, to its installation.
	Enterprises map[string]InstallationID
	// DefaultInstallation serves requests that name no owner, and owners
	// without an installation where the fallback says so. 0 if there is none.
	DefaultInstallation InstallationID
	// NoDiscovery turns off asking GitHub where the App is installed.
	NoDiscovery bool
}

// issuer is the iss claim of the App's JWTs. GitHub recommends the client id;
// GHES before 3.14 knows only the App id, so that is taken where it is given.
func (a *App) issuer() string {
	if a.ID != 0 {
		return strconv.FormatInt(a.ID, 10)
	}
	return a.ClientID
}

// Format implements fmt.Formatter with the name, whatever the verb: for a verb
// that does not fit a field, %s for one, fmt would print what Signers point to.
func (a App) Format(f fmt.State, _ rune) { io.WriteString(f, a.Name) }

// LogValue implements slog.LogValuer with the name.
func (a App) LogValue() slog.Value { return slog.StringValue(a.Name) }

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
