package auth

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	maxDiscovered = 10000            // entries, over all Apps
	foundFor      = 10 * time.Minute // an uninstallation is noticed after this
	missingFor    = time.Minute      // an installation is noticed after this
)

// found is a remembered answer of GitHub. The zero value means: none.
type found struct {
	inst *installation
	all  bool // it covers every repository of the account
}

// installationAnswer is what is read of GitHub's installation object.
type installationAnswer struct {
	ID      InstallationID `json:"id"`
	Account struct {
		Login string `json:"login"`
	} `json:"account"`
	RepositorySelection string `json:"repository_selection"`
}

// discover asks GitHub which installation of app covers owner; nil if none.
//
// An installation for all repositories of an account is remembered for the
// account. One for selected repositories counts only for these, so that
// several Apps can share an account.
func (s *Source) discover(ctx context.Context, app *appState, owner Owner) (*installation, error) {
	account := Owner{Login: owner.Login, Enterprise: owner.Enterprise}
	if owner.Repo == "" {
		f, err := s.find(ctx, app, account)
		return f.inst, err
	}
	if f, ok := s.found.get(discoveryKey(app, account)); ok && f.all {
		return f.inst, nil
	}
	f, err := s.find(ctx, app, owner)
	if f.inst != nil || err != nil {
		return f.inst, err
	}
	// The repository may not exist yet, or is only being looked for: an
	// installation for the whole account is still the right one.
	if f, err = s.find(ctx, app, account); err != nil || !f.all {
		return nil, err
	}
	return f.inst, nil
}

// find looks one account or repository up, once for everybody who is waiting,
// and remembers the answer.
func (s *Source) find(ctx context.Context, app *appState, owner Owner) (found, error) {
	key := discoveryKey(app, owner)
	if f, ok := s.found.get(key); ok {
		return f, nil
	}
	return once(ctx, s, key, func(ctx context.Context) (found, error) {
		answer, err := s.lookUp(ctx, app, owner)
		if isMissing(err) {
			s.found.set(key, found{}, missingFor)
			return found{}, nil
		}
		if err != nil {
			return found{}, err
		}
		f := found{newInstallation(app, answer.ID), answer.RepositorySelection == "all" || owner.Enterprise}
		s.found.set(key, f, foundFor)
		if f.all && strings.EqualFold(answer.Account.Login, owner.Login) { // else it was renamed
			s.found.set(discoveryKey(app, Owner{Login: owner.Login}), f, foundFor)
		}
		return f, nil
	})
}

// isMissing reports whether GitHub said that there is no such installation,
// rather than no such App.
func isMissing(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status == 404 && !strings.HasPrefix(refused.Message, "Integration")
}

// repositoryLocation is where GitHub redirects the look-up of a renamed
// repository to; nothing else is followed.
var repositoryLocation = regexp.MustCompile(`^/repositories/[0-9]{1,18}/installation$`)

// lookUp asks GitHub for the installation that covers owner.
func (s *Source) lookUp(ctx context.Context, app *appState, owner Owner) (installationAnswer, error) {
	var answer installationAnswer
	action := "find its installation for " + owner.String()
	err := s.call(ctx, app, "GET", lookUpPath(owner), nil, action, &answer)
	if moved := (*redirectError)(nil); errors.As(err, &moved) {
		path, ok := strings.CutPrefix(moved.location, app.API.String())
		if !ok || !repositoryLocation.MatchString(path) {
			return answer, moved.refused
		}
		err = s.call(ctx, app, "GET", path, nil, action, &answer)
	}
	if err == nil && answer.ID <= 0 {
		err = &Error{App: app.Name, Action: action, Err: errors.New("GitHub's answer contains no installation id")}
	}
	return answer, err
}

// lookUpPath is the endpoint that names the installation of an owner.
// /users/{username}/installation answers for organizations as well.
func lookUpPath(owner Owner) string {
	switch login := url.PathEscape(owner.Login); {
	case owner.Enterprise:
		return "/enterprises/" + login + "/installation"
	case owner.Repo != "":
		return "/repos/" + login + "/" + url.PathEscape(owner.Repo) + "/installation"
	default:
		return "/users/" + login + "/installation"
	}
}

func discoveryKey(app *appState, owner Owner) string { return app.prefix + owner.key() }

// onlyInstallation returns the installation of an App that has just one: the
// one meant by a request that names no owner. nil if there are several.
func (s *Source) onlyInstallation(ctx context.Context, app *appState) (*installation, error) {
	key := app.prefix + "*" // no login
	if f, ok := s.found.get(key); ok {
		return f.inst, nil
	}
	f, err := once(ctx, s, key, func(ctx context.Context) (found, error) {
		var list []installationAnswer
		if err := s.call(ctx, app, "GET", "/app/installations?per_page=2", nil, "list its installations", &list); err != nil {
			return found{}, err
		}
		if len(list) != 1 || list[0].ID <= 0 {
			s.found.set(key, found{}, missingFor)
			return found{}, nil
		}
		f := found{inst: newInstallation(app, list[0].ID)}
		s.found.set(key, f, foundFor)
		return f, nil
	})
	return f.inst, err
}
