package auth

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/github"
)

// factsOf asks GitHub about an installation.
func (c *catalogue) factsOf(ctx context.Context, inst *installation) (*facts, error) {
	if f, ok := c.facts.get(inst.key); ok {
		return f, nil
	}
	return c.newFacts(ctx, inst, nil)
}

// newFacts asks GitHub about an installation, unless somebody else has done so since
// old was what was remembered.
func (c *catalogue) newFacts(ctx context.Context, inst *installation, old *facts) (*facts, error) {
	flight := "facts|" + inst.key
	if err := inst.refusal(flight); err != nil {
		return nil, err
	}
	return onceLimited(ctx, inst.flights, flight, func(ctx context.Context) (*facts, error) {
		if f, ok := c.facts.get(inst.key); ok && f != old {
			return f, nil
		}
		f, err := inst.askFacts(ctx)
		if err != nil {
			inst.rememberRefusal(flight, err)
			return nil, err
		}
		c.facts.set(inst.key, f, factsTTL)
		return f, nil
	})
}

// askFacts is docs.github.com "Get an installation for the authenticated app".
func (i *installation) askFacts(ctx context.Context) (*facts, error) {
	var answer installationAnswer
	call := apiCall{
		method: "GET", path: fmt.Sprintf("/app/installations/%d", i.id),
		action: fmt.Sprintf("look at installation %d", i.id), unknown: i.unknown,
	}
	if err := i.do(ctx, call, &answer); err != nil {
		return nil, err
	}
	f := &facts{of: i, account: answer.Account.name(), permissions: knownPermissions(answer.Permissions), made: time.Now()}
	if !f.account.Named() {
		return nil, i.failed(call, errNoName)
	}
	return f, nil
}

// knownPermissions are the permissions whose name and level are such as GitHub's
// documentation has: others could not be asked for.
func knownPermissions(permissions map[string]string) map[string]string {
	permissions = maps.Clone(permissions)
	maps.DeleteFunc(permissions, func(name, level string) bool {
		return !github.IsPermissionName(name) || github.LevelRank(level) < 0
	})
	return permissions
}

// forgetFacts drops what is known about an installation for which GitHub does not
// mint as that says, unless it is quite new.
func (c *catalogue) forgetFacts(inst *installation) {
	if f, ok := c.facts.get(inst.key); ok && time.Since(f.made) >= askAgainAfter {
		c.facts.delete(inst.key)
	}
	if list, ok := c.listings.get(inst.key); ok && list.mayBeOld() {
		c.listings.delete(inst.key)
	}
}

// has reports whether a repository is listed.
func (l *listing) has(owner github.Account) bool {
	return slices.ContainsFunc(l.all, func(r repository) bool {
		return r.id == owner.RepositoryID || strings.EqualFold(r.name, owner.Repo) && strings.EqualFold(r.login, owner.Login)
	})
}

// mayBeOld reports whether it is worth its quota to ask for the list anew.
func (l *listing) mayBeOld() bool {
	return l.complete && time.Since(l.made) >= askAgainAfter*l.pages()
}

// newListing asks GitHub for the repositories of an installation, whatever is
// remembered.
func (c *catalogue) newListing(ctx context.Context, inst *installation) (*listing, error) {
	flight := "repositories|" + inst.key
	if err := inst.refusal(flight); err != nil {
		return nil, err
	}
	return once(ctx, inst.flights, flight, func(ctx context.Context) (*listing, error) {
		list, err := c.walkRepositories(ctx, inst)
		if err != nil {
			inst.rememberRefusal(flight, err)
			return nil, err
		}
		c.listings.set(inst.key, list, factsTTL)
		return list, nil
	})
}

// walkRepositories lists what an installation covers: docs.github.com "List
// repositories accessible to the app installation".
func (c *catalogue) walkRepositories(ctx context.Context, inst *installation) (*listing, error) {
	ctx, cancel := context.WithTimeout(ctx, walkTimeout)
	defer cancel()
	list := &listing{made: time.Now()}
	for page := 1; page <= maxRepositoryPages; page++ {
		var answer repositoriesAnswer
		call := apiCall{
			method: "GET", path: fmt.Sprintf("/installation/repositories?per_page=%d&page=%d", maxPage, page),
			action: fmt.Sprintf("list the repositories of installation %d", inst.id),
		}
		if err := c.tokens.doAs(ctx, call, &inst.minter, metadataOnly, &answer); err != nil {
			return nil, err
		}
		list.all = append(list.all, answer.usable...)
		if answer.listed < maxPage {
			list.complete = true
			break
		}
	}
	return list, nil
}

// repositoriesAnswer is a page of them.
type repositoriesAnswer struct {
	listed int
	usable []repository
}

// read implements listed.
func (a *repositoriesAnswer) read(in *items) error {
	*a = repositoriesAnswer{} // not of an attempt before
	return in.fields(func(name string) error {
		if name != "repositories" {
			return in.skip()
		}
		return in.list(func() error {
			var r struct {
				ID       int64  `json:"id"`
				FullName string `json:"full_name"`
			}
			if err := in.next(&r); err != nil {
				return err
			}
			a.listed++
			login, name, _ := strings.Cut(r.FullName, "/")
			if r.ID > 0 && github.IsLogin(login) && github.IsRepositoryName(name) {
				a.usable = append(a.usable, repository{r.ID, login, name})
			}
			return nil
		})
	})
}
