package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Error says why a credential could not be had: GitHub refused, or could not
// be asked. Nothing in it is secret.
type Error struct {
	App    string // the App's name
	Action string // what was tried: "mint a token for installation 111"
	// Status is GitHub's, 0 if no usable answer arrived.
	Status int
	// Message is GitHub's, without line breaks and cut after 300 bytes.
	Message string
	Err     error // why no answer arrived, or was not understood
	// Remedy is what the person who runs the proxy can do, "" if nothing is known.
	Remedy string
	// RetryAt is when GitHub may be asked again, by our clock, if it refused
	// because of a rate limit; else it is zero.
	RetryAt time.Time

	location string        // where a 3xx answer points to
	wait     time.Duration // until RetryAt, when the answer came
	network  bool          // Err is the network's
}

// Error implements error: one sentence with the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "App %s could not %s", e.App, e.Action)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": GitHub answered %d", e.Status)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, " %q", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause, nil if GitHub answered.
func (e *Error) Unwrap() error { return e.Err }

// NotInstalledError says that no App of the host has an installation for a
// request, and that the fallback does not allow it either.
type NotInstalledError struct {
	Host  string
	Owner Owner    // zero if the request names none
	Apps  []string // names of the Apps that were tried
	// Several reports that the request names further owners, whose
	// installations differ.
	Several bool
	// Partly reports that one of the Apps is installed for other repositories
	// of the owner.
	Partly bool

	page string // where the App is installed, "" if that is not known
}

// Error implements error.
func (e *NotInstalledError) Error() string {
	switch {
	case len(e.Apps) == 0:
		return "no App is configured for " + e.Host
	case e.Several:
		return fmt.Sprintf("the request is about %s and others, and no installation on %s covers them all", clean(e.Owner.String()), e.Host)
	case e.Owner == Owner{}:
		return fmt.Sprintf("the request names no owner, and no default installation is configured for %s", e.Host)
	}
	return fmt.Sprintf("no installation on %s covers %s (tried: %s)", e.Host, clean(e.Owner.String()), strings.Join(e.Apps, ", "))
}

// Remedy says what the person who runs the proxy can do.
func (e *NotInstalledError) Remedy() string {
	table := "installations"
	switch {
	case len(e.Apps) == 0:
		return "add an App with that host"
	case e.Several:
		return "send a request for each owner"
	case e.Owner == Owner{}:
		return "set default_installation for one of the Apps, or default_owner (run has --owner)"
	case e.Owner.byID():
		return "name the owner in the request, install the App there, or set default_installation"
	case e.Owner.Enterprise:
		table = "enterprises"
	}
	at := ""
	if e.page != "" {
		at = " at " + e.page
	}
	return fmt.Sprintf("install the App on %s%s, which is noticed within a minute, or map the owner under [app.NAME.%s]",
		clean(e.Owner.String()), at, table)
}

// ClientSecretError says that a client-id/secret endpoint was called for a
// client id whose secret is not configured.
type ClientSecretError struct {
	Host     string
	ClientID string // as in the request
}

// Error implements error.
func (e *ClientSecretError) Error() string {
	return fmt.Sprintf("no App on %s has client id %q and a client secret", e.Host, clean(e.ClientID))
}

// Remedy says what the person who runs the proxy can do.
func (e *ClientSecretError) Remedy() string {
	return "set client_id and client_secret_file (or _env, _command) for that App"
}

// SigningError says that none of an App's Signers could sign its JWT.
type SigningError struct{ Err error }

// Error implements error.
func (e *SigningError) Error() string { return "sign a JWT: " + clean(e.Err.Error()) }

// Unwrap returns what the Signers said.
func (e *SigningError) Unwrap() error { return e.Err }

// Remedy says what the person who runs the proxy can do, "" if the Signer does not.
func (e *SigningError) Remedy() string {
	if remedied, ok := errors.AsType[interface {
		error
		Remedy() string
	}](e.Err); ok {
		return remedied.Remedy()
	}
	return ""
}

// isUnknownApp recognises the 404 for a JWT whose iss is no App of the instance.
func isUnknownApp(message string) bool { return strings.HasPrefix(message, "Integration not found") }

// isRateLimit recognises the answers that say nothing but their message about
// a limit.
func isRateLimit(status int, message string) bool {
	return status == 429 || status == 403 && strings.Contains(message, "rate limit")
}

// remedy explains GitHub's refusal to mint or to look up. The messages are
// those that docs.github.com and users report; an unknown one speaks for itself.
func (c apiCall) remedy(status int, message string) string {
	clock := strings.Contains(message, "('exp')") || strings.Contains(message, "('iat')")
	switch {
	case status == 404 && isUnknownApp(message):
		return "check id or client_id, and host: " + c.app.Host + " has no such App" + c.app.oldServer()
	case status == 401 && clock:
		return "set the clock of the machine that runs the proxy: it differs from GitHub's"
	case status == 401:
		return c.app.keyRemedy()
	case status == 403 && strings.Contains(message, "suspended"):
		return "unsuspend the installation in the account's settings"
	case status == 404 && c.inst != nil:
		return c.inst.remedy()
	case status == 422:
		return "grant the App the repository or the permission, and accept it in the installation"
	case isRateLimit(status, message):
		return "wait for GitHub's rate limit to reset"
	case status >= 500 && c.app.Host == "github.com":
		return "try again later; see https://www.githubstatus.com"
	case status >= 500:
		return "try again later; ask those who run " + c.app.Host
	}
	return ""
}

// oldServer says what else it can be that an instance does not know the App: GHES
// takes client ids since 3.14.
func (a *App) oldServer() string {
	if a.ID != 0 || a.Host == "github.com" {
		return ""
	}
	return "; GitHub Enterprise Server before 3.14 does not take a client id: set id, the App's number, for App " + a.Name
}

// maxSettings bounds how many keys of the configuration an error names.
const maxSettings = 10

// remedy says what to do where GitHub knows no such installation of the App.
func (i *installation) remedy() string {
	const why = ": it does not exist, or is another App's"
	switch n := len(i.settings); {
	case i.discovered:
		return "install the App again: GitHub names the installation, but does not know it"
	case n == 0:
		return fmt.Sprintf("check the installation id %d in the rules%s", i.id, why)
	case n > maxSettings:
		return fmt.Sprintf("check %s and %d more = %d in the configuration%s", strings.Join(i.settings[:maxSettings], ", "), n-maxSettings, i.id, why)
	default:
		return fmt.Sprintf("check %s = %d in the configuration%s", strings.Join(i.settings, ", "), i.id, why)
	}
}
