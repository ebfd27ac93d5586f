package auth

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"ghapp-proxy/github"
)

// installationAnswer is what is read of GitHub's installation object.
type installationAnswer struct {
	ID                  github.InstallationID `json:"id"`
	Account             accountAnswer         `json:"account"`
	RepositorySelection string                `json:"repository_selection"`
	Permissions         map[string]string     `json:"permissions"`
	SuspendedAt         string                `json:"suspended_at"`
}

// accountAnswer is whom an installation is on.
type accountAnswer struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Slug  string `json:"slug"` // of an enterprise, which has no login
}

// name is the account's, the zero value if GitHub gave none that can be one.
func (a *accountAnswer) name() github.Account {
	named := github.Account{Login: a.Login}
	if named.Login == "" {
		named = github.Account{Login: a.Slug, Enterprise: true}
	}
	if !named.Plausible() {
		return github.Account{}
	}
	return named
}

// login is the Login if it can be one: it is kept.
func (a *accountAnswer) login() string {
	if !github.IsLogin(a.Login) {
		return "" // as for an enterprise
	}
	return a.Login
}

// installationsAnswer is a page of them.
type installationsAnswer []installationAnswer

// read implements listed.
func (a *installationsAnswer) read(in *items) error {
	*a = nil // of an attempt before
	return in.list(func() error {
		var one installationAnswer
		err := in.next(&one)
		*a = append(*a, one)
		return err
	})
}

// discover asks GitHub which installation of app covers owner; nil if none.
//
// An installation for all repositories of an account is remembered for the
// account. One for selected repositories counts only for these, so that
// several Apps can share an account.
func (d *directory) discover(ctx context.Context, owner github.Account) (*installation, error) {
	account := owner.WithoutRepo()
	f, known := d.remembered(account.Key())
	if !known && owner.Repo != "" {
		f, known = d.recall(ctx, account.Key())
	}
	switch {
	case known && (f.all || owner.Repo == ""):
		return f.inst, nil
	case owner.Repo == "":
		f, err := d.find(ctx, account)
		return f.inst, err
	case known:
		return d.discoverRepository(ctx, owner)
	default:
		return d.discoverFirst(ctx, owner)
	}
}

// discoverFirst is discover for a repository of an account of which nothing is known.
// Whoever comes first asks; the others wait whether the answer is for all.
func (d *directory) discoverFirst(ctx context.Context, owner github.Account) (*installation, error) {
	type answer struct {
		inst *installation
		of   string
	}
	account := owner.WithoutRepo().Key()
	flight := limitedKey(ctx, "scout|"+d.prefix+account)
	a, err := once(WithBudget(ctx, nil), d.flights, flight, func(flight context.Context) (answer, error) {
		inst, err := d.discoverRepository(d.onBehalf(flight, ctx), owner)
		return answer{inst, owner.Key()}, err
	})
	if err != nil || a.of == owner.Key() {
		return a.inst, err
	}
	if f, ok := d.remembered(account); ok && f.all {
		return f.inst, nil
	}
	return d.discoverRepository(ctx, owner)
}

// discoverRepository is discover for a repository whose account has no
// installation for all that is known.
func (d *directory) discoverRepository(ctx context.Context, owner github.Account) (*installation, error) {
	if f, err := d.find(ctx, owner); f.inst != nil || err != nil {
		return f.inst, err
	}
	// The repository may not exist yet, or is only being looked for: an
	// installation for the whole account is still the right one.
	f, err := d.find(ctx, owner.WithoutRepo())
	if !f.all {
		return nil, err
	}
	return f.inst, err
}

// find looks one account or repository up.
func (d *directory) find(ctx context.Context, owner github.Account) (found, error) {
	return d.askWhere(ctx, owner, func(answer installationAnswer) found {
		f := d.foundNow(answer)
		f.all = f.all || owner.Enterprise
		if owner.Repo != "" && strings.EqualFold(answer.Account.Login, owner.Login) { // else the repository was transferred
			d.learnForAll(owner.WithoutRepo().Key(), f)
			f.filed = f.all
		}
		return f
	})
}

// foundNow is what GitHub says at this moment.
func (d *directory) foundNow(answer installationAnswer) found {
	now := time.Now()
	return found{inst: d.newDiscovered(answer.ID), all: answer.RepositorySelection == "all", asked: now, used: now}
}

// askWhere asks where the App is installed for an owner; read makes of GitHub's
// answer what is remembered.
func (d *directory) askWhere(ctx context.Context, owner github.Account, read func(installationAnswer) found) (found, error) {
	return d.ask(ctx, owner.Key(), func(ctx context.Context) (found, error) {
		answer, err := d.lookUp(ctx, owner)
		if isMissing(err) {
			return found{}, nil
		}
		if err != nil {
			return found{}, err
		}
		return read(answer), nil
	})
}

// only returns the installation of an App that has just one: the one meant by
// a request that names no owner. nil if there are several.
func (d *directory) only(ctx context.Context) (*installation, error) {
	const key = "*" // not plausible, hence no owner's
	if f, ok := d.remembered(key); ok {
		return f.inst, nil
	}
	f, err := d.ask(ctx, key, func(ctx context.Context) (found, error) {
		var list installationsAnswer
		call := apiCall{method: "GET", path: "/app/installations?per_page=2", action: "list its installations"}
		if err := d.do(ctx, call, &list); err != nil || len(list) != 1 {
			return found{}, err
		}
		if list[0].ID <= 0 {
			return found{}, d.failed(call, errNoID)
		}
		return found{inst: d.newDiscovered(list[0].ID)}, nil
	})
	return f.inst, err
}

// ask returns what is remembered under key, or else asks, once for everybody
// who is waiting, and remembers the answer; a refusal for a moment.
func (d *directory) ask(ctx context.Context, key string, question func(context.Context) (found, error)) (found, error) {
	if f, ok := d.remembered(key); ok {
		return f, nil
	}
	flight := "find|" + d.prefix + key
	if err := d.refusal(flight); err != nil {
		return found{}, err
	}
	return onceLimited(ctx, d.flights, flight, func(ctx context.Context) (found, error) {
		if f, ok := d.remembered(key); ok {
			return f, nil
		}
		return d.askForAll(ctx, key, flight, question)
	})
}

// isMissing reports whether GitHub said that there is no such installation,
// rather than no such App.
func isMissing(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status == 404 && !isUnknownApp(refused.Message)
}

// repositoryLocation is where GitHub redirects the look-up of a renamed
// repository to; nothing else is followed.
var repositoryLocation = regexp.MustCompile(`^/repositories/[0-9]{1,18}/installation$`)

// lookUp asks GitHub for the installation that covers owner.
func (d *directory) lookUp(ctx context.Context, owner github.Account) (installationAnswer, error) {
	var answer installationAnswer
	call := apiCall{method: "GET", path: lookUpPath(owner), action: "find its installation for " + owner.String()}
	err := d.do(ctx, call, &answer)
	if moved, ok := errors.AsType[*Error](err); ok {
		path, ok := strings.CutPrefix(moved.location, d.API.String())
		if !ok || !repositoryLocation.MatchString(path) {
			return answer, err
		}
		call.path = path
		err = d.do(ctx, call, &answer)
	}
	if err == nil && answer.ID <= 0 {
		err = d.failed(call, errNoID)
	}
	return answer, err
}

// lookUpPath is the endpoint that names the installation of an owner, whose
// names need no escaping since they are plausible.
// /users/{username}/installation answers for organizations as well.
func lookUpPath(owner github.Account) string {
	switch {
	case owner.RepositoryID != 0:
		return fmt.Sprintf("/repositories/%d/installation", owner.RepositoryID) // undocumented; go-github's FindRepositoryInstallationByID
	case owner.Enterprise:
		return "/enterprises/" + owner.Login + "/installation"
	case owner.Repo != "":
		return "/repos/" + owner.Login + "/" + owner.Repo + "/installation"
	default:
		return "/users/" + owner.Login + "/installation"
	}
}
