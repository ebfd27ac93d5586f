package auth

import (
	"context"
	"fmt"
	"net/http"

	"ghapp-proxy/github"
)

// coverage is what GitHub says about a repository and the installation of a
// credential.
type coverage uint8

const (
	// coverageUnknown: GitHub was not asked, or did not say.
	coverageUnknown coverage = iota
	// coverageNone: no installation of the App covers it, or it does not exist.
	coverageNone
	// coverageSame: the credential's installation covers it.
	coverageSame
	// coverageOther: another installation of the App does: it was transferred.
	coverageOther
)

// coverage asks GitHub whether the installation covers a repository, known by name
// or by id, that GitHub has just not found for a token with a grant. What was known
// of the repository is forgotten, and the answer remembered: for ten seconds it is
// not asked again.
func (i *installation) coverage(ctx context.Context, grant *Grant, repository github.Account) coverage {
	named := repository.Repo != "" && repository.Plausible()
	if !named && repository.RepositoryID == 0 {
		return coverageUnknown
	}
	if !grant.covers(repository) {
		return coverageNone
	}
	d := i.of
	if d.NoDiscovery {
		return coverageUnknown
	}
	flight := "covers|" + d.prefix + repository.Key()
	id, ok := d.covering.get(flight)
	if !ok {
		if d.refusal(flight) != nil {
			return coverageUnknown
		}
		var err error
		id, err = onceLimited(ctx, d.flights, flight, func(ctx context.Context) (github.InstallationID, error) {
			f, err := d.lookAgain(ctx, repository)
			if err != nil {
				d.rememberRefusal(flight, err)
				return 0, err
			}
			d.covering.set(flight, f.id(), refusalTTL)
			return f.id(), nil
		})
		if err != nil {
			return coverageUnknown
		}
	}
	switch id {
	case 0:
		return coverageNone
	case i.id:
		return coverageSame
	default:
		return coverageOther
	}
}

// lookAgain looks a repository up whatever is remembered of it.
func (d *directory) lookAgain(ctx context.Context, repository github.Account) (f found, err error) {
	answer, err := d.lookUp(ctx, repository)
	switch {
	case isMissing(err):
	case err != nil:
		return found{}, err
	default:
		f = d.foundByID(answer)
	}
	d.learn(repository.Key(), f)
	return f, nil
}

// id is that of the installation, 0 if there is none.
func (f found) id() github.InstallationID {
	if f.inst == nil {
		return 0
	}
	return f.inst.id
}

// sees asks GitHub's API whether it shows a repository to a token. known is false
// where it does not say.
func (i *installation) sees(ctx context.Context, token *Token, repository github.Account) (sees, known bool) {
	path := fmt.Sprintf("/repositories/%d", repository.RepositoryID)
	if repository.RepositoryID == 0 {
		path = "/repos/" + repository.Login + "/" + repository.Repo
	}
	call := apiCall{method: http.MethodGet, path: path, action: "look at " + repository.String()}
	flight := "sees|" + token.header(i.Signers).fingerprint + "|" + path
	_, err := once(ctx, i.flights, flight, func(ctx context.Context) (ignored struct{}, err error) {
		return ignored, i.doAs(ctx, call, &ignored, func() (authority, error) {
			return &proofAuthority{tokenAuthority{minter: &i.minter, token: token}}, nil
		})
	})
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
