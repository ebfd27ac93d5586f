package auth

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Coverage is what GitHub says about a repository and the installation of a
// credential.
type Coverage uint8

const (
	// CoverageUnknown: GitHub was not asked, or did not say.
	CoverageUnknown Coverage = iota
	// CoverageNone: no installation of the App covers it, or it does not exist.
	CoverageNone
	// CoverageSame: the credential's installation covers it.
	CoverageSame
	// CoverageOther: another installation of the App does: it was transferred.
	CoverageOther
)

// Coverage asks GitHub whether the credential's installation covers a repository,
// known by name or by id, that GitHub has just not found. What was known of the
// repository is forgotten, and the answer remembered: for ten seconds it is not
// asked again.
func (s *Source) Coverage(ctx context.Context, cred Credential, repository Owner) Coverage {
	named := repository.Repo != "" && repository.plausible()
	if cred.inst == nil || !named && repository.RepositoryID == 0 {
		return CoverageUnknown
	}
	if !cred.Grant().covers(repository) {
		return CoverageNone
	}
	app, key := cred.inst.app, repository.key()
	if app.NoDiscovery {
		return CoverageUnknown
	}
	flight := "covers|" + app.prefix + key
	id, ok := s.covering.get(flight)
	if !ok {
		if s.refusal(flight) != nil {
			return CoverageUnknown
		}
		var err error
		id, err = asking(ctx, s, flight, func(ctx context.Context) (InstallationID, error) {
			f, err := s.lookAgain(ctx, app, repository)
			if err != nil {
				s.remember(flight, err)
				return 0, err
			}
			s.covering.set(flight, f.id(), refusedFor)
			return f.id(), nil
		})
		if err != nil {
			return CoverageUnknown
		}
	}
	switch id {
	case 0:
		return CoverageNone
	case cred.inst.id:
		return CoverageSame
	default:
		return CoverageOther
	}
}

// lookAgain looks a repository up whatever is remembered of it.
func (s *Source) lookAgain(ctx context.Context, app *appState, repository Owner) (f found, err error) {
	answer, err := s.lookUp(ctx, app, repository)
	switch {
	case isMissing(err):
	case err != nil:
		return found{}, err
	default:
		f = foundByID(app, answer)
	}
	s.learn(app, repository.key(), f)
	return f, nil
}

// id is that of the installation, 0 if there is none.
func (f found) id() InstallationID {
	if f.inst == nil {
		return 0
	}
	return f.inst.id
}

// covers reports whether the token may be good for a repository: false if it was
// narrowed to others.
func (g *Grant) covers(repository Owner) bool {
	if g == nil || g.Repositories == nil {
		return true
	}
	for _, r := range g.Repositories {
		if r.ID == repository.RepositoryID || strings.EqualFold(r.Name, repository.Repo) && strings.EqualFold(r.Owner, repository.Login) {
			return true
		}
	}
	return false
}

// Sees asks GitHub's API whether it shows a repository to the credential. known is
// false where it does not say.
func (s *Source) Sees(ctx context.Context, cred Credential, repository Owner) (sees, known bool) {
	path := fmt.Sprintf("/repositories/%d", repository.RepositoryID)
	if repository.RepositoryID == 0 {
		path = "/repos/" + repository.Login + "/" + repository.Repo
	}
	c := apiCall{app: cred.inst.app, method: http.MethodGet, path: path, action: "look at " + repository.String(), as: cred}
	err := s.lookAt(ctx, c)
	refused, _ := err.(*Error)
	switch {
	case err == nil:
		return true, true
	case refused != nil && (refused.Status == http.StatusNotFound || refused.blamesToken()):
		return false, true
	case refused != nil && refused.Status/100 == 3: // it was renamed: GitHub knows it
		return true, true
	}
	return false, false
}

// lookAt makes a call once for everybody who waits.
func (s *Source) lookAt(ctx context.Context, c apiCall) error {
	_, err := once(ctx, s, "sees|"+c.as.Fingerprint()+"|"+c.path, func(ctx context.Context) (struct{}, error) {
		var ignored struct{}
		return ignored, s.do(ctx, c, &ignored)
	})
	return err
}
