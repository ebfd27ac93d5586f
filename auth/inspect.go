package auth

import (
	"context"
	"fmt"
	"net/http"

	"ghapp-proxy/github"
)

// AppFacts are what GitHub says about an App.
type AppFacts struct {
	ID          int64
	ClientID    string
	Slug        string
	Permissions map[string]string // that it asks for: GitHub's name → level
}

// InstallationFacts are what GitHub says about an installation.
type InstallationFacts struct {
	ID          github.InstallationID
	Account     github.Account    // zero if GitHub gave no usable name
	All         bool              // it covers every repository of the account
	Permissions map[string]string // that it was granted: GitHub's name → level
	Suspended   bool
}

// MaxInstallations is how many Installations lists.
const MaxInstallations = maxPages * maxPage

// TryKey asks GitHub about one of the Source's Apps with a JWT that is signed by
// the Signer of that number alone. The error is an *Error, or about ctx.
func (s *Source) TryKey(ctx context.Context, app *App, signer int) (AppFacts, error) {
	c := s.candidates(app.Instance, app.Name)[0].withSigner(signer)
	return once(ctx, s.flights, "try|"+c.prefix, func(ctx context.Context) (facts AppFacts, err error) {
		var answer struct {
			identity
			Slug        string            `json:"slug"`
			Permissions map[string]string `json:"permissions"`
		}
		call := apiCall{method: http.MethodGet, path: "/app", action: "ask for its ids"}
		if err := c.do(ctx, call, &answer); err != nil {
			return facts, err
		}
		return AppFacts{answer.ID, github.Redact(answer.ClientID), github.Redact(answer.Slug), knownPermissions(answer.Permissions)}, nil
	})
}

// withSigner is a caller for the same App that has one of its keys.
func (c *caller) withSigner(i int) *caller {
	app := *c.App
	app.Signers = app.Signers[i : i+1]
	alone := &caller{
		App: &app, prefix: fmt.Sprintf("%skey %d|", c.prefix, i),
		transport: c.transport, userAgent: c.userAgent, log: c.log, flights: c.flights, clock: c.clock, quotas: c.quotas,
	}
	alone.fillKeyring()
	return alone
}

// Installations lists where one of the Source's Apps is installed. It reports
// whether that was all; progress, if it is not nil, is told how many there are so
// far. The error is an *Error, or about ctx.
func (s *Source) Installations(ctx context.Context, app *App, progress func(n int)) (list []InstallationFacts, complete bool, err error) {
	type listed struct {
		all      []InstallationFacts
		complete bool
	}
	d := s.candidates(app.Instance, app.Name)[0].directory
	got, err := once(ctx, s.flights, "installations|"+d.prefix, func(ctx context.Context) (l listed, err error) {
		ctx, cancel := context.WithTimeout(ctx, walkTimeout)
		defer cancel()
		l.complete, err = d.listInstallations(ctx, maxPages, func(page []installationAnswer) {
			for i := range page {
				l.all = append(l.all, page[i].facts())
			}
			if progress != nil {
				progress(len(l.all))
			}
		})
		return l, err
	})
	return got.all, got.complete, err
}

func (a *installationAnswer) facts() InstallationFacts {
	return InstallationFacts{
		ID: a.ID, Account: a.Account.name(), All: a.RepositorySelection == "all",
		Permissions: knownPermissions(a.Permissions), Suspended: a.SuspendedAt != "",
	}
}

// RepositoryFacts are what GitHub says about a repository of an installation.
type RepositoryFacts struct {
	ID      int64
	Account github.Account // its owner and its name
}

// Repositories lists what an installation of one of the Source's Apps covers, up to
// 2,000, and reports whether that was all. It takes a token, which is good for
// nothing else. The error is an *Error, or about ctx.
func (s *Source) Repositories(ctx context.Context, app *App, id github.InstallationID) (list []RepositoryFacts, complete bool, err error) {
	d := s.candidates(app.Instance, app.Name)[0].directory
	inst := d.ids[id]
	if inst == nil {
		inst = d.newDiscovered(id)
	}
	got, err := d.newListing(ctx, inst)
	if err != nil {
		return nil, false, err
	}
	for _, r := range got.all {
		list = append(list, RepositoryFacts{r.id, github.Account{Login: r.login, Repo: r.name}})
	}
	return list, got.complete, nil
}
