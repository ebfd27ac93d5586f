package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// factsFor is after how long an installation's account, permissions and
	// repositories are asked for anew, while what was known is used on. Where a grant
	// of GitHub's that ends in between makes a mint fail, that is done at once.
	factsFor = 5 * time.Minute
	// pageFor is how much later for each page of repositories: they cost quota.
	pageFor = time.Minute
	// factsKept is how long they are remembered where nobody asks.
	factsKept = 30 * time.Minute
	maxFacts  = 1000 // installations of which they are remembered
	// maxRepositoryPages bounds the walk through an installation's
	// repositories, a hundred a page. It costs quota, every factsFor.
	maxRepositoryPages = 20
	// askAgainAfter is how old what GitHub said must be to be asked for anew
	// where it seems to be wrong, for each page of it: it costs quota.
	askAgainAfter = 10 * time.Second
)

// facts are what GitHub says about an installation.
type facts struct {
	account     Owner
	permissions map[string]string
	of          *installation
	made        time.Time
	renewing    atomic.Bool
}

// repository is one of an installation's.
type repository struct {
	id          int64
	login, name string
}

// listing is an installation's repositories.
type listing struct {
	all      []repository
	complete bool // there are no more than that
	made     time.Time
	renewing atomic.Bool
}

// factsOf asks GitHub about an installation.
func (s *Source) factsOf(ctx context.Context, inst *installation) (*facts, error) {
	if f, ok := s.facts.get(inst.key); ok {
		return f, nil
	}
	return s.newFacts(ctx, inst)
}

// newFacts asks GitHub about an installation, whatever is remembered.
func (s *Source) newFacts(ctx context.Context, inst *installation) (*facts, error) {
	flight := "facts|" + inst.key
	if err := s.refusal(flight); err != nil {
		return nil, err
	}
	return asking(ctx, s, flight, func(ctx context.Context) (*facts, error) {
		f, err := s.askFacts(ctx, inst)
		if err != nil {
			s.remember(flight, err)
			return nil, err
		}
		s.facts.set(inst.key, f, factsKept)
		return f, nil
	})
}

// refresh asks in the background for what a Scope's outcome is made of, where that
// is no longer new. Nobody waits for it.
func (s *Source) refresh(c confined) {
	f, list := c.facts, c.list
	if time.Since(f.made) >= factsFor && f.renewing.CompareAndSwap(false, true) {
		s.spawn(func() {
			defer f.renewing.Store(false) // f is in use still only if that failed
			s.newFacts(s.lifetime, f.of)  // an error is remembered, and logged where it matters: when minting
		})
	}
	if list != nil && time.Since(list.made) >= list.goodFor() && list.renewing.CompareAndSwap(false, true) {
		s.spawn(func() {
			defer list.renewing.Store(false)
			s.newListing(s.lifetime, f.of)
		})
	}
}

// pages is how many pages the list takes.
func (l *listing) pages() time.Duration { return time.Duration(1 + len(l.all)/maxPage) }

// goodFor is after how long the list is asked for anew.
func (l *listing) goodFor() time.Duration { return factsFor + (l.pages()-1)*pageFor }

// askFacts is docs.github.com "Get an installation for the authenticated app".
func (s *Source) askFacts(ctx context.Context, inst *installation) (*facts, error) {
	var answer struct {
		Account struct {
			Login string `json:"login"`
			Slug  string `json:"slug"` // of an enterprise, which has no login
		} `json:"account"`
		Permissions map[string]string `json:"permissions"`
	}
	c := apiCall{
		app: inst.app, method: "GET", path: fmt.Sprintf("/app/installations/%d", inst.id),
		action: fmt.Sprintf("look at installation %d", inst.id), inst: inst,
	}
	if err := s.do(ctx, c, &answer); err != nil {
		return nil, err
	}
	f := &facts{of: inst, account: Owner{Login: answer.Account.Login}, permissions: known(answer.Permissions), made: time.Now()}
	if f.account.Login == "" {
		f.account = Owner{Login: answer.Account.Slug, Enterprise: true}
	}
	if !f.account.plausible() {
		return nil, c.fail(errNoName)
	}
	return f, nil
}

// doubt drops what is known about an installation for which GitHub does not
// mint as that says, unless it is quite new.
func (s *Source) doubt(inst *installation) {
	if f, ok := s.facts.get(inst.key); ok && time.Since(f.made) >= askAgainAfter {
		s.facts.delete(inst.key)
	}
	if list, ok := s.listings.get(inst.key); ok && list.mayBeOld() {
		s.listings.delete(inst.key)
	}
}

// has reports whether a repository is listed.
func (l *listing) has(owner Owner) bool {
	return slices.ContainsFunc(l.all, func(r repository) bool {
		return r.id == owner.RepositoryID || strings.EqualFold(r.name, owner.Repo) && strings.EqualFold(r.login, owner.Login)
	})
}

// mayBeOld reports whether it is worth its quota to ask for the list anew.
func (l *listing) mayBeOld() bool {
	return l.complete && time.Since(l.made) >= askAgainAfter*l.pages()
}

// listingFor returns the repositories of an installation, asking again if the
// want names one that is missing.
func (s *Source) listingFor(ctx context.Context, inst *installation, want *Want) (*listing, error) {
	if list, ok := s.listings.get(inst.key); ok && !s.misses(inst, want) {
		return list, nil
	}
	return s.newListing(ctx, inst)
}

// newListing asks GitHub for the repositories of an installation, whatever is
// remembered.
func (s *Source) newListing(ctx context.Context, inst *installation) (*listing, error) {
	flight := "repositories|" + inst.key
	if err := s.refusal(flight); err != nil {
		return nil, err
	}
	return once(ctx, s, flight, func(ctx context.Context) (*listing, error) {
		list, err := s.walkRepositories(ctx, inst)
		if err != nil {
			s.remember(flight, err)
			return nil, err
		}
		s.listings.set(inst.key, list, factsKept)
		return list, nil
	})
}

// metadataOnly is what a token needs to list its repositories, or to name one.
var metadataOnly = mustNarrow(map[string]string{"metadata": "read"})

func mustNarrow(permissions map[string]string) *Narrowing {
	n, err := NewNarrowing(nil, nil, permissions)
	if err != nil {
		panic(err)
	}
	return n
}

// walkRepositories lists what an installation covers: docs.github.com "List
// repositories accessible to the app installation".
func (s *Source) walkRepositories(ctx context.Context, inst *installation) (*listing, error) {
	ctx, cancel := context.WithTimeout(ctx, walkFor)
	defer cancel()
	list := &listing{made: time.Now()}
	for page := 1; page <= maxRepositoryPages; page++ {
		var answer repositoriesAnswer
		c := apiCall{
			app: inst.app, method: "GET", path: fmt.Sprintf("/installation/repositories?per_page=%d&page=%d", maxPage, page),
			action: fmt.Sprintf("list the repositories of installation %d", inst.id),
		}
		if err := s.doAs(ctx, c, inst, metadataOnly, &answer); err != nil {
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
			if r.ID > 0 && plausibleName(login) && plausibleName(name) {
				a.usable = append(a.usable, repository{r.ID, login, name})
			}
			return nil
		})
	})
}
