package auth

import (
	"context"
	"fmt"
	"strings"

	"ghapp-proxy/github"
)

// Uncovered says why no installation was found for a request, which got what the
// Fallback has for it. GitHub is not asked.
func (s *Source) Uncovered(instance github.Instance, want Want) *NotInstalledError {
	want = want.ofScope()
	apps := s.candidatesFor(instance, &want)
	e := &NotInstalledError{Instance: instance, Owner: want.Owner, Several: len(want.Others) > 0, Apps: names(apps)}
	for _, app := range apps {
		f, known := app.remembered(want.Owner.WithoutRepo().Key())
		e.Partly = e.Partly || known && f.inst != nil
	}
	if len(apps) == 1 {
		e.page = apps[0].installationPage()
	}
	return e
}

// Short says in one line what to do, for the person at the tool. GitHub may be
// asked where the App is installed.
func (s *Source) Short(ctx context.Context, e *NotInstalledError) string {
	switch {
	case len(e.Apps) == 0, e.Several, e.Owner == github.Account{}, e.Owner.ByID():
		return e.Error() + "; " + e.Remedy()
	}
	page := "on the App's page, under Install App"
	if apps := s.candidates(e.Instance, e.Apps[0]); len(e.Apps) == 1 && len(apps) == 1 {
		apps[0].identify(ctx)
		if found := apps[0].installationPage(); found != "" {
			page = found
		}
	}
	if e.Partly {
		return fmt.Sprintf("no App is installed on %s, though one is on other repositories of %s; add it: %s", github.Redact(e.Owner.String()), github.Redact(e.Owner.Login), page)
	}
	return fmt.Sprintf("no App is installed on %s; install it: %s", github.Redact(e.Owner.WithoutRepo().String()), page)
}

// NotInstalledError says that no App of the instance has an installation for a
// request, and that the fallback does not allow it either.
type NotInstalledError struct {
	Instance github.Instance
	Owner    github.Account // zero if the request names none
	Apps     []string       // names of the Apps that were tried
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
		return "no App is configured for " + string(e.Instance)
	case e.Several:
		return fmt.Sprintf("the request is about %s and others, and no installation on %s covers them all", github.Redact(e.Owner.String()), e.Instance)
	case e.Owner == github.Account{}:
		return fmt.Sprintf("the request names no owner, and no default installation is configured for %s", e.Instance)
	}
	return fmt.Sprintf("no installation on %s covers %s (tried: %s)", e.Instance, github.Redact(e.Owner.String()), strings.Join(e.Apps, ", "))
}

// Remedy says what the person who runs the proxy can do.
func (e *NotInstalledError) Remedy() string {
	table := "installations"
	switch {
	case len(e.Apps) == 0:
		return "add an App with that host"
	case e.Several:
		return "send a request for each owner"
	case e.Owner == github.Account{}:
		return "set default_installation for one of the Apps, or default_owner (run has --owner)"
	case e.Owner.ByID():
		return "name the owner in the request, install the App there, or set default_installation"
	case e.Owner.Enterprise:
		table = "enterprises"
	}
	at := ""
	if e.page != "" {
		at = " at " + e.page
	}
	return fmt.Sprintf("install the App on %s%s, which is noticed within a minute, or map the owner under [app.NAME.%s]",
		github.Redact(e.Owner.String()), at, table)
}
