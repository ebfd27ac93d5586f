package auth

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"ghapp-proxy/replay"
)

// installedAuthority is an Outgoing that leaves with an installation's token.
type installedAuthority Outgoing

func (a *installedAuthority) authorization() ([]string, error) {
	a.Tries++
	if a.Credential.Anonymous() { // the installation is gone, and the fallback allows that
		return nil, nil
	}
	return a.Credential.Authorization(a.Scheme)
}

// observe does nothing: Send learns from the last answer.
func (a *installedAuthority) observe(resp *http.Response) {}

// complaint implements authority. The messages are those that docs.github.com names
// in "Troubleshooting the REST API".
func (a *installedAuthority) complaint(resp *http.Response) complaints {
	cred := *a.Credential
	switch unauthorized := resp.StatusCode == http.StatusUnauthorized; {
	case resp.StatusCode < 400:
		return a.complaintOfSuccess(resp)
	case unauthorized && (a.Git || strings.Contains(replay.Peek(resp), "Bad credentials")):
		return aboutToken
	case cred.Fallback || a.UserOnly:
	case resp.StatusCode == http.StatusForbidden:
		if a.lacks(resp) || cred.isYoung() && isInaccessible(replay.Peek(resp)) {
			return aboutGrant
		}
	case resp.StatusCode == http.StatusNotFound:
		if cred.isYoung() || a.ByID {
			return aboutSight
		}
	}
	return 0
}

// complaintOfSuccess is complaint for an answer without an error of HTTP's: GraphQL
// says in it what it does not find. What changes something may have been carried
// out in part.
func (a *installedAuthority) complaintOfSuccess(resp *http.Response) complaints {
	cred := a.Credential
	if !cred.isYoung() {
		return 0
	}
	if a.GraphQL && !cred.Fallback && strings.Contains(replay.Peek(resp), `"NOT_FOUND"`) {
		return aboutSight
	}
	cred.token.prove()
	return 0
}

// accepted is what GitHub says that would be allowed to do what is asked.
func (a *installedAuthority) accepted(resp *http.Response) string {
	return cmp.Or(a.Needs, resp.Header.Get("X-Accepted-Github-Permissions"))
}

// lacks reports whether what the token was minted with explains the refusal.
func (a *installedAuthority) lacks(resp *http.Response) bool {
	return a.Credential.Grant().explains(a.accepted(resp))
}

// abandon sees to it that a token which GitHub does not know is not handed out again.
// One that it may not know yet stays.
func (a *installedAuthority) abandon(about complaints) {
	if about == aboutToken {
		a.source.refuse(*a.Credential)
	}
}

// tally is that of the App whose token was refused: there may be none instead of it.
func (a *installedAuthority) tally() *counts { return a.counts }

// heal waits, or replaces the token. The error is a *CredentialError.
func (a *installedAuthority) heal(ctx context.Context, resp *http.Response, about complaints) (again bool, err error) {
	if !a.Credential.Kind().canHeal(about) {
		return false, nil
	}
	switch about {
	case aboutGrant:
		return a.healGrant(ctx, resp)
	case aboutSight:
		return a.healSight(ctx)
	}
	if (a.Credential.isYoung() || a.waits > 0) && a.waits < maxTokenWaits {
		return a.wait(ctx), nil
	}
	if a.replaced {
		return false, nil
	}
	a.replaced = true
	fresh, err := a.source.replace(ctx, *a.Credential, a.Want)
	again, err = a.use(fresh, err)
	a.Kept = !again && err == nil
	return again, err
}

func (a *installedAuthority) wait(ctx context.Context) bool {
	again := a.waits.wait(ctx)
	a.Waits = int(a.waits)
	return again
}

// use puts a credential in place of the one that was refused, and reports whether
// it is another.
func (a *installedAuthority) use(fresh Credential, err error) (another bool, _ error) {
	switch {
	case err != nil:
		return false, &CredentialError{err}
	case fresh.isSame(*a.Credential):
		return false, nil
	}
	*a.Credential = fresh
	return true, nil
}

// healGrant heals the refusal of what a token may not do. Where what it was minted
// with is the reason, nothing comes by waiting: the installation may have been
// granted more since.
func (a *installedAuthority) healGrant(ctx context.Context, resp *http.Response) (again bool, err error) {
	if a.lacks(resp) {
		if a.granted {
			return false, nil
		}
		a.granted = true
		return a.use(a.source.regrant(ctx, *a.Credential, a.Want, a.accepted(resp)))
	}
	if a.waits >= maxGrantWaits || a.covered(ctx) == coverageNone {
		return false, nil
	}
	return a.wait(ctx), nil
}

// healSight heals the answer that there is no such repository. It waits only where
// there is something to wait for: most of what GitHub does not find was never there.
func (a *installedAuthority) healSight(ctx context.Context) (again bool, err error) {
	mayWait := a.waits < maxGrantWaits && (a.Credential.isYoung() || a.waits > 0)
	switch a.covered(ctx) {
	case coverageOther, coverageNone: // for an id, another App may
		return a.follow(ctx)
	case coverageSame:
		if !mayWait || a.isSeen(ctx) {
			return false, nil
		}
	case coverageUnknown:
		if !mayWait || !a.GitFetch {
			return false, nil
		}
	}
	return a.wait(ctx), nil
}

// follow takes the credential for where a repository known by id is now, once.
func (a *installedAuthority) follow(ctx context.Context) (again bool, err error) {
	if a.moved || !a.ByID || a.ByName {
		return false, nil
	}
	a.moved = true
	fresh, err := a.source.Token(ctx, a.Credential.App.Instance, a.Want)
	if err != nil {
		return false, nil // GitHub's own answer is as true
	}
	return a.use(fresh, nil)
}

// isSeen reports whether GitHub shows the repository to the token, so that it is
// something in it that is missing. What serves git may know less than the API.
func (a *installedAuthority) isSeen(ctx context.Context) bool {
	if a.GitFetch {
		return false
	}
	cred := a.Credential
	sees, known := cred.inst.sees(ctx, cred.token, a.Repository)
	return sees || !known
}

// covered is what GitHub says of the repository that the request names.
func (a *installedAuthority) covered(ctx context.Context) coverage {
	cred := a.Credential
	return cred.inst.coverage(ctx, cred.Grant(), a.Repository)
}
