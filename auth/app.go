package auth

import (
	"crypto/rsa"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
)

// InstallationID names an installation of an App on an account.
type InstallationID int64

// App is one GitHub App on one GitHub instance. Fill it in, then hand it to
// New; it must not be changed afterwards.
type App struct {
	Name     string   // how the configuration and errors call it
	Host     string   // the instance, "github.com" or an enterprise host
	API      *url.URL // base URL of the instance's REST API, without a trailing slash
	ID       int64    // the App id; 0 if only the client id is known
	ClientID string   // the client id; "" if only the App id is known

	Key          *rsa.PrivateKey
	ClientSecret Secret // "" if not configured

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

// maps reports whether the configuration names the installation id.
func (a *App) maps(id InstallationID) bool {
	if id == a.DefaultInstallation {
		return true
	}
	for _, table := range []map[string]InstallationID{a.Installations, a.Enterprises} {
		for _, mapped := range table {
			if mapped == id {
				return true
			}
		}
	}
	return false
}

// sole returns the App's default installation or, without one, the only
// installation that the configuration maps.
func (a *App) sole() (InstallationID, bool) {
	if a.DefaultInstallation != 0 {
		return a.DefaultInstallation, true
	}
	var only InstallationID
	for _, table := range []map[string]InstallationID{a.Installations, a.Enterprises} {
		for _, id := range table {
			if only != 0 && only != id {
				return 0, false
			}
			only = id
		}
	}
	return only, only != 0
}

// LogValue implements slog.LogValuer; it never includes the key.
func (a *App) LogValue() slog.Value { return slog.StringValue(a.Name) }

// Owner is the account whose installation a request needs.
type Owner struct {
	Login      string // a user's or organization's login, or an enterprise's slug
	Repo       string // the repository's bare name, "" where the request names none
	Enterprise bool   // Login is an enterprise's slug
}

// String returns "owner", "owner/repo" or "enterprises/slug".
func (o Owner) String() string {
	switch {
	case o.Enterprise:
		return "enterprises/" + o.Login
	case o.Repo != "":
		return o.Login + "/" + o.Repo
	default:
		return o.Login
	}
}

// key is String in lower case: GitHub compares names without regard to case.
func (o Owner) key() string { return strings.ToLower(o.String()) }
