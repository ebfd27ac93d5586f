package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ghapp-proxy/github"
)

// maxPages bounds the walk through an App's installations, a hundred a page.
const maxPages = 50

// findRepository asks GitHub which installation covers a repository.
func (d *directory) findRepository(ctx context.Context, owner github.Account) (found, error) {
	return d.askWhere(ctx, owner, func(answer installationAnswer) found { return d.foundByID(answer) })
}

// foundByID is what an installation answers for an id. Its account's name is
// known then, but not that of one of its repositories.
func (d *directory) foundByID(answer installationAnswer) found {
	f := d.foundNow(answer)
	f.all, f.login = false, strings.ToLower(answer.Account.login())
	return f
}

// findAccount walks an App's installations, and remembers whose each is. One
// walk serves all accounts for a minute, however many are asked for.
func (d *directory) findAccount(ctx context.Context, key string) (found, error) {
	walk, err := d.ask(ctx, accountsKey, func(ctx context.Context) (found, error) {
		ctx, cancel := context.WithTimeout(ctx, walkTimeout)
		defer cancel()
		complete, err := d.walkInstallations(ctx, maxPages)
		return found{cut: !complete}, err
	})
	f, ok := d.remembered(key)
	if !ok && err == nil && walk.cut {
		err = &Error{
			App: d.Name, Action: "tell whose account that number is", Err: errManyAccounts,
			Remedy: "name the account by its login", ofApp: true,
		}
	}
	return f, err
}

// surveyPages bounds how many installations of an App are looked up in advance, a
// hundred a page.
const surveyPages = 10

// walkInstallations lists where an App is installed, and remembers that by the id
// of each account and by its name. It reports whether that was all.
func (d *directory) walkInstallations(ctx context.Context, pages int) (complete bool, err error) {
	return d.listInstallations(ctx, pages, func(list []installationAnswer) {
		for _, answer := range list {
			named := github.Account{Login: answer.Account.login()}
			if answer.ID <= 0 {
				continue
			}
			if named.Login != "" {
				d.learn(named.Key(), d.foundNow(answer))
			}
			if answer.Account.ID > 0 {
				f := d.foundByID(answer)
				f.named = named
				d.learn(github.Account{AccountID: answer.Account.ID}.Key(), f)
			}
		}
	})
}

// listInstallations gives each page of an App's installations to take, and reports
// whether that was all.
func (d *directory) listInstallations(ctx context.Context, pages int, take func([]installationAnswer)) (complete bool, err error) {
	for page := 1; page <= pages; page++ {
		var list installationsAnswer
		call := apiCall{
			method: "GET", path: fmt.Sprintf("/app/installations?per_page=%d&page=%d", maxPage, page),
			action: "list its installations",
		}
		if err := d.do(ctx, call, &list); err != nil {
			return false, err
		}
		if take(list); len(list) < maxPage {
			return true, nil
		}
	}
	return false, nil
}

// errManyAccounts says that a walk ended before the last installation.
var errManyAccounts = fmt.Errorf("it has more than %d installations, and of these it is none", maxPages*maxPage)

// foundNamed is what answers for an id whose name is known.
func foundNamed(inst *installation, named github.Account) found {
	f := found{inst: inst, named: named}
	if !named.Enterprise {
		f.login = strings.ToLower(named.Login)
	}
	return f
}

// repositoryName asks GitHub for the name of a repository, as the installation
// that covers it. Who wants to know may not be allowed there: the token is good
// for nothing else.
func (i *installation) repositoryName(ctx context.Context, id github.Account) (github.Account, error) {
	flight := "name|" + i.prefix + id.Key()
	if err := i.refusal(flight); err != nil {
		return github.Account{}, err
	}
	return onceLimited(ctx, i.flights, flight, func(ctx context.Context) (github.Account, error) {
		var answer struct {
			FullName string `json:"full_name"`
		}
		call := apiCall{
			method: "GET", path: fmt.Sprintf("/repositories/%d", id.RepositoryID),
			action: "find the name of " + id.String(),
		}
		if err := i.of.tokens.doAs(ctx, call, &i.minter, metadataOnly, &answer); err != nil {
			i.rememberRefusal(flight, err)
			return github.Account{}, err
		}
		login, repo, _ := strings.Cut(answer.FullName, "/")
		named := github.Account{Login: login, Repo: repo}
		if repo == "" || !named.Plausible() {
			return github.Account{}, i.failed(call, errNoName)
		}
		i.of.known.set(id.Key(), foundNamed(i, named), learnedTTL)
		return named, nil
	})
}

// learnID remembers that an id is that of a named owner, and that the installation
// covers it: GitHub said so, in an answer to a request that named the owner. It
// remembers for ten minutes.
func (i *installation) learnID(id, named github.Account) {
	if !id.ByID() {
		return
	}
	if f, ok := i.of.remembered(id.Key()); ok && f.inst == nil {
		return // GitHub, asked about the id, has just said that it is nobody's
	}
	i.of.known.set(id.Key(), foundNamed(i, named), learnedTTL)
}

// forgetMissing drops what GitHub said about a repository which it now does not find
// for the installation that it had named: the repository may have been taken out of
// it, and be another App's. So it drops whose an id is, if that was learned. That
// is done once in a minute, for most of what GitHub does not find was never there.
func (i *installation) forgetMissing(repository github.Account) {
	if !repository.ByID() && (!i.discovered || repository.Repo == "") {
		return
	}
	key := repository.Key()
	if f, ok := i.of.remembered(key); !ok || f.all {
		return
	}
	if _, ok := i.of.missing.get(key); !ok {
		i.of.missing.set(key, struct{}{}, missingTTL)
		i.of.forget(key)
	}
}

// forgetOld drops what GitHub said about a repository and its account some time ago,
// where it refuses now what the installation that it named should be good for: not
// all of an account's repositories may be the installation's any more.
func (i *installation) forgetOld(repository github.Account) {
	if !i.discovered || repository.Login == "" {
		return
	}
	for _, key := range []string{repository.Key(), repository.WithoutRepo().Key()} {
		if f, ok := i.of.remembered(key); ok && f.inst != nil && time.Since(f.asked) >= recheckAfter {
			i.of.forget(key)
		}
	}
}

// survey asks where the App is installed.
func (d *directory) survey(ctx context.Context) {
	if _, err := d.walkInstallations(ctx, surveyPages); err != nil && ctx.Err() == nil {
		d.log.Warn("GitHub does not say where an App is installed", "app", d.Name, "error", err)
	}
}
