package auth

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Uncovered says why no installation was found for a request, which got what the
// Fallback has for it. GitHub is not asked.
func (s *Source) Uncovered(host string, want Want) *NotInstalledError {
	want = want.ofScope()
	apps := s.candidatesFor(host, &want)
	e := &NotInstalledError{Host: host, Owner: want.Owner, Several: len(want.Others) > 0, Apps: names(apps)}
	for _, app := range apps {
		f, known := app.remembered(want.Owner.account().key())
		e.Partly = e.Partly || known && f.inst != nil
	}
	if len(apps) == 1 {
		e.page = installationPage(apps[0])
	}
	return e
}

// Short says in one line what to do, for the person at the tool. GitHub may be
// asked where the App is installed.
func (s *Source) Short(ctx context.Context, e *NotInstalledError) string {
	switch {
	case len(e.Apps) == 0, e.Several, e.Owner == Owner{}, e.Owner.byID():
		return e.Error() + "; " + e.Remedy()
	}
	page := "on the App's page, under Install App"
	if apps := s.candidates(e.Host, e.Apps[0]); len(e.Apps) == 1 && len(apps) == 1 {
		s.identify(ctx, apps[0])
		if found := installationPage(apps[0]); found != "" {
			page = found
		}
	}
	if e.Partly {
		return fmt.Sprintf("no App is installed on %s, though one is on other repositories of %s; add it: %s", clean(e.Owner.String()), clean(e.Owner.Login), page)
	}
	return fmt.Sprintf("no App is installed on %s; install it: %s", clean(e.Owner.account().String()), page)
}

// appPath is that of an App's page: docs.github.com "Sharing your GitHub App". An
// Enterprise Server has its own.
var appPath = regexp.MustCompile(`^/(apps|github-apps|enterprises/[A-Za-z0-9_-]{1,100}/apps)/[A-Za-z0-9_-]{1,100}$`)

// installationPage is where an App is installed, "" if GitHub has not said.
func installationPage(app *appState) string {
	u, err := url.Parse(app.identity().Page)
	if err != nil || u.Scheme != "https" || !strings.EqualFold(u.Host, app.Host) || u.RawQuery != "" || !appPath.MatchString(u.Path) {
		return "" // it is printed, to be clicked on
	}
	return "https://" + app.Host + u.Path + "/installations/new"
}
