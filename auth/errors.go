package auth

import (
	"fmt"
	"strings"
)

// Error says why a credential could not be had: GitHub refused, or could not
// be asked. Nothing in it is secret.
type Error struct {
	App    string // the App's name
	Action string // what was tried: "mint a token for installation 111"
	// Status is GitHub's, 0 if no answer arrived.
	Status int
	// Message is GitHub's, without line breaks and at most 300 bytes long.
	Message string
	Err     error // why no answer arrived, or was not understood
	// Remedy is what the person who runs the proxy can do, "" if nothing is known.
	Remedy string
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
}

// Error implements error.
func (e *NotInstalledError) Error() string {
	if e.Owner.Login == "" {
		return fmt.Sprintf("the request names no owner, and no default installation is configured for %s", e.Host)
	}
	return fmt.Sprintf("no installation on %s covers %s (tried: %s)", e.Host, e.Owner, strings.Join(e.Apps, ", "))
}

// Remedy says what the person who runs the proxy can do.
func (e *NotInstalledError) Remedy() string {
	if e.Owner.Login == "" {
		return "set default_installation for one of the Apps"
	}
	return "install the App on " + e.Owner.String() + ", or map the owner under [app.NAME.installations]"
}

// ClientSecretError says that a client-id/secret endpoint was called for a
// client id whose secret is not configured.
type ClientSecretError struct {
	Host     string
	ClientID string
}

// Error implements error.
func (e *ClientSecretError) Error() string {
	return fmt.Sprintf("no App on %s has client id %q and a client secret", e.Host, e.ClientID)
}

// Remedy says what the person who runs the proxy can do.
func (e *ClientSecretError) Remedy() string {
	return "set client_id and client_secret_file (or _env, _command) for that App"
}

// remedy explains GitHub's refusal to mint or to look up.
func remedy(status int, message string) string {
	message = strings.ToLower(message)
	switch {
	case strings.Contains(message, "integration not found"):
		return "check id or client_id: no App of that id exists on this host"
	case strings.Contains(message, "'iat'"), strings.Contains(message, "'exp'"), strings.Contains(message, "expiration time"), strings.Contains(message, "issued at"):
		return "set the clock of the machine that runs the proxy: it differs from GitHub's"
	case status == 401:
		return "check that the private key belongs to the App and that id or client_id is the App's"
	case status == 403 && strings.Contains(message, "suspended"):
		return "unsuspend the installation in the account's settings"
	case status == 404:
		return "check the installation id in the configuration: it does not exist, or is another App's"
	case status == 422:
		return "grant the App the repository or the permission, and accept it in the installation"
	case status == 403 || status == 429:
		return "wait for GitHub's rate limit to reset"
	case status >= 500:
		return "see https://www.githubstatus.com"
	}
	return ""
}
