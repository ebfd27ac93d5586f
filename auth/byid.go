package auth

import (
	"context"
	"fmt"
)

// maxPages bounds the walk through an App's installations, a hundred a page.
const maxPages = 50

// installationByID finds the installation that covers an account, a repository
// or a team of which only GitHub's id is known: what was learned first, then
// what the Apps are told, in order. nil if there is none.
func (s *Source) installationByID(ctx context.Context, apps []*appState, owner Owner) (*installation, error) {
	key := owner.key()
	for _, app := range apps {
		if f, ok := app.remembered(key); ok && f.inst != nil {
			return f.inst, nil
		}
	}
	for _, app := range apps {
		if app.NoDiscovery || owner.TeamID != 0 { // GitHub tells an App nothing of a team by id
			continue
		}
		f, err := s.ask(ctx, app, key, func(ctx context.Context) (found, error) {
			answer, err := s.lookUpID(ctx, app, owner)
			if isMissing(err) || err == nil && answer.ID == 0 {
				return found{}, nil
			}
			if err != nil {
				return found{}, err
			}
			if inst := mapped(apps, Owner{Login: answer.Account.Login}); inst != nil {
				return found{inst: inst}, nil // the configuration knows better which
			}
			return found{inst: discovered(app, answer.ID)}, nil
		})
		if f.inst != nil || err != nil {
			return f.inst, err
		}
	}
	return nil, nil
}

// lookUpID asks GitHub for the installation that covers a repository, or walks
// the App's installations for that of an account. An answer without id means none.
func (s *Source) lookUpID(ctx context.Context, app *appState, owner Owner) (installationAnswer, error) {
	if owner.RepositoryID != 0 {
		return s.lookUp(ctx, app, owner)
	}
	for page := 1; page <= maxPages; page++ {
		var list []installationAnswer
		c := apiCall{
			app: app, method: "GET", path: fmt.Sprintf("/app/installations?per_page=100&page=%d", page),
			action: "find its installation for " + owner.String(),
		}
		if err := s.do(ctx, c, &list); err != nil {
			return installationAnswer{}, err
		}
		for _, answer := range list {
			if answer.Account.ID == owner.AccountID && answer.ID > 0 {
				return answer, nil
			}
		}
		if len(list) < 100 {
			break
		}
	}
	return installationAnswer{}, nil
}

// Learn remembers that cred's installation covers an owner of which only an id
// is known: GitHub said so, in an answer to a request that had cred and named
// the owner. It remembers for ten minutes. A credential that is a fallback, or
// no installation's, teaches nothing.
func (s *Source) Learn(cred Credential, id Owner) {
	if cred.inst != nil && !cred.Fallback && id.byID() {
		cred.inst.app.known.set(id.key(), found{inst: cred.inst}, foundFor)
	}
}

// Forget drops what GitHub said about an owner: it has moved.
func (s *Source) Forget(host string, owner Owner) {
	for _, app := range s.apps[host] {
		app.known.delete(owner.key())
	}
}
