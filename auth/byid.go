package auth

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
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
			return f.among(apps), nil
		}
	}
	asked := false
	var refused error
	for _, app := range apps {
		if app.NoDiscovery || owner.TeamID != 0 { // GitHub tells an App nothing of a team by id
			continue
		}
		asked = true
		var f found
		var err error
		if owner.AccountID != 0 {
			f, err = s.findAccount(ctx, app, key)
		} else {
			f, err = s.findRepository(ctx, app, owner)
		}
		if f.inst != nil {
			return f.among(apps), nil
		}
		if err != nil && !isOwn(err) {
			return nil, err
		}
		refused = cmp.Or(refused, err)
	}
	if !asked {
		return s.ownerless(ctx, apps) // nobody can tell: as if nobody was named
	}
	return nil, refused
}

// among returns the installation of one of the Apps that answers for what was
// found: where the login is known, the configuration knows better which.
func (f found) among(apps []*appState) *installation {
	if f.login != "" {
		if inst := mapped(apps, Owner{Login: f.login}); inst != nil {
			return inst
		}
	}
	return f.inst
}

// findRepository asks GitHub which installation covers a repository.
func (s *Source) findRepository(ctx context.Context, app *appState, owner Owner) (found, error) {
	return s.askWhere(ctx, app, owner, func(answer installationAnswer) found { return foundByID(app, answer) })
}

// foundByID is what an installation answers for an id. Its account's name is
// known then, but not that of one of its repositories.
func foundByID(app *appState, answer installationAnswer) found {
	f := foundNow(app, answer)
	f.all, f.login = false, strings.ToLower(answer.Account.login())
	return f
}

// findAccount walks an App's installations, and remembers whose each is. One
// walk serves all accounts for a minute, however many are asked for.
func (s *Source) findAccount(ctx context.Context, app *appState, key string) (found, error) {
	walk, err := s.ask(ctx, app, "*accounts", func(ctx context.Context) (found, error) { // no owner's key
		ctx, cancel := context.WithTimeout(ctx, walkFor)
		defer cancel()
		complete, err := s.walkInstallations(ctx, app, maxPages)
		return found{cut: !complete}, err
	})
	f, ok := app.remembered(key)
	if !ok && err == nil && walk.cut {
		err = &Error{
			App: app.Name, Action: "tell whose account that number is", Err: errManyAccounts,
			Remedy: "name the account by its login",
		}
	}
	return f, err
}

// walkInstallations lists where an App is installed, and remembers that by the id
// of each account and by its name. It reports whether that was all.
func (s *Source) walkInstallations(ctx context.Context, app *appState, pages int) (complete bool, err error) {
	for page := 1; page <= pages; page++ {
		var list installationsAnswer
		c := apiCall{
			app: app, method: "GET", path: fmt.Sprintf("/app/installations?per_page=%d&page=%d", maxPage, page),
			action: "list its installations",
		}
		if err := s.do(ctx, c, &list); err != nil {
			return false, err
		}
		for _, answer := range list {
			named := Owner{Login: answer.Account.login()}
			if answer.ID <= 0 {
				continue
			}
			if named.Login != "" {
				s.learn(app, named.key(), foundNow(app, answer))
			}
			if answer.Account.ID > 0 {
				f := foundByID(app, answer)
				f.named = named
				s.learn(app, Owner{AccountID: answer.Account.ID}.key(), f)
			}
		}
		if len(list) < maxPage {
			return true, nil
		}
	}
	return false, nil
}

// errManyAccounts says that a walk ended before the last installation.
var errManyAccounts = fmt.Errorf("it has more than %d installations, and of these it is none", maxPages*maxPage)

// Learn remembers that an id is that of a named owner, and that cred's
// installation covers it: GitHub said so, in an answer to a request that had
// cred and named the owner. It remembers for ten minutes. A credential that is
// a fallback, or no installation's, teaches nothing; nor does one that GitHub
// named while its App stands in for another, which would lose the id to it.
func (s *Source) Learn(cred Credential, id, named Owner) {
	if cred.inst == nil || cred.Fallback || cred.standIn && cred.inst.discovered || !id.byID() {
		return
	}
	app := cred.inst.app
	if f, ok := app.remembered(id.key()); ok && f.inst == nil {
		return // GitHub, asked about the id, has just said that it is nobody's
	}
	app.known.set(id.key(), foundNamed(cred.inst, named), learnedFor)
}

// foundNamed is what answers for an id whose name is known.
func foundNamed(inst *installation, named Owner) found {
	f := found{inst: inst, named: named}
	if !named.Enterprise {
		f.login = strings.ToLower(named.Login)
	}
	return f
}

// NameOf returns the name of an account or a repository of which only the id
// is known: what was learned, else what GitHub says to the App's installation
// there. It is nobody's if no App is there; the error is why that could not be
// found out.
func (s *Source) NameOf(ctx context.Context, host string, id Owner) (named Owner, err error) {
	if !id.byID() {
		return Owner{}, nil
	}
	inst, err := s.installationByID(ctx, s.apps[host], id)
	if inst == nil || err != nil {
		return Owner{}, err
	}
	for _, app := range s.apps[host] {
		if f, ok := app.remembered(id.key()); ok && f.named.plausible() {
			return f.named, nil
		}
	}
	if id.RepositoryID == 0 {
		return Owner{}, nil
	}
	return s.repositoryName(ctx, inst, id)
}

// repositoryName asks GitHub for the name of a repository, as the installation
// that covers it. Who wants to know may not be allowed there: the token is good
// for nothing else.
func (s *Source) repositoryName(ctx context.Context, inst *installation, id Owner) (Owner, error) {
	flight := "name|" + inst.app.prefix + id.key()
	if err := s.refusal(flight); err != nil {
		return Owner{}, err
	}
	return asking(ctx, s, flight, func(ctx context.Context) (Owner, error) {
		var answer struct {
			FullName string `json:"full_name"`
		}
		c := apiCall{
			app: inst.app, method: "GET", path: fmt.Sprintf("/repositories/%d", id.RepositoryID),
			action: "find the name of " + id.String(),
		}
		if err := s.doAs(ctx, c, inst, metadataOnly, &answer); err != nil {
			s.remember(flight, err)
			return Owner{}, err
		}
		login, repo, _ := strings.Cut(answer.FullName, "/")
		named := Owner{Login: login, Repo: repo}
		if repo == "" || !named.plausible() {
			return Owner{}, c.fail(errNoName)
		}
		inst.app.known.set(id.key(), foundNamed(inst, named), learnedFor)
		return named, nil
	})
}

// Doubt drops what GitHub said about a repository which it now does not find for
// the installation that it had named: the repository may have been taken out of
// it, and be another App's. So it drops whose an id is, if that was learned. That
// is done once in a minute, for most of what GitHub does not find was never there.
func (s *Source) Doubt(cred Credential, repository Owner) {
	if cred.inst == nil || !repository.byID() && (!cred.inst.discovered || repository.Repo == "") {
		return
	}
	app, key := cred.inst.app, repository.key()
	if f, ok := app.remembered(key); !ok || f.all {
		return
	}
	if _, ok := app.doubted.get(key); !ok {
		app.doubted.set(key, struct{}{}, missingFor)
		app.known.delete(key)
	}
}

// Suspect drops what GitHub said about a repository and its account some time ago,
// where it refuses now what the installation that it named should be good for: not
// all of an account's repositories may be the installation's any more.
func (s *Source) Suspect(cred Credential, repository Owner) {
	if cred.inst == nil || !cred.inst.discovered || repository.Login == "" {
		return
	}
	for _, key := range []string{repository.key(), repository.account().key()} {
		if f, ok := cred.inst.app.remembered(key); ok && f.inst != nil && time.Since(f.asked) >= believedFor {
			cred.inst.app.known.delete(key)
		}
	}
}

// Forget drops what GitHub said about an owner: it has moved.
func (s *Source) Forget(host string, owner Owner) {
	for _, app := range s.apps[host] {
		app.known.delete(owner.key())
	}
}
