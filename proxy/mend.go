package proxy

import (
	"context"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/rules"
)

// maxSightWaits is how often an answer is waited for that may be about what is
// asked as well: for 1, 2 and 3 seconds.
const maxSightWaits = 3

// healing is what was tried for a request that GitHub refuses.
type healing struct {
	waits    int  // with the same token
	replaced bool // the credential, for another
	moved    bool // to the installation that covers the repository now
	granted  bool // the installation was asked what it may do
	kept     bool // the token, which took the place of another less than a minute ago
}

// complaint is what GitHub's refusal may be about.
type complaint uint8

const (
	noComplaint complaint = iota // it is about what is asked, or is no refusal
	aboutToken
	aboutKey
	aboutClock
	aboutGrant // what the token may do
	aboutSight // whether it may see the repository
)

// complaintOf looks whether GitHub's answer may be about the credential rather
// than about what it is allowed. The answer stays readable.
//
// The messages are those that docs.github.com names in "Troubleshooting the
// REST API".
func complaintOf(x *exchange, resp *http.Response) complaint {
	switch unauthorized := resp.StatusCode == http.StatusUnauthorized; {
	case resp.StatusCode < 400:
		return complaintOfSuccess(x, resp)
	case x.credential.JWT():
		if !unauthorized {
			return noComplaint
		}
		switch text := peek(resp); {
		case strings.Contains(text, auth.KeyComplaint):
			return aboutKey
		case auth.BlamesClock(text):
			return aboutClock
		}
	case unauthorized && (x.route.GitAuth || strings.Contains(peek(resp), "Bad credentials")):
		return aboutToken
	case x.credential.Fallback || x.route.UserOnly:
	case resp.StatusCode == http.StatusForbidden:
		if x.lacks(resp) || x.credential.Young() && strings.Contains(peek(resp), "Resource not accessible by integration") {
			return aboutGrant
		}
	case resp.StatusCode == http.StatusNotFound:
		if x.credential.Young() || x.asked.RepositoryID != 0 {
			return aboutSight
		}
	}
	return noComplaint
}

// complaintOfSuccess is complaintOf for an answer without an error of HTTP's:
// GraphQL says in it what it does not find. What changes something may have been
// carried out in part.
func complaintOfSuccess(x *exchange, resp *http.Response) complaint {
	young := x.credential.Young()
	if young && x.route.Operation == "graphql" && x.reads && !x.credential.Fallback && strings.Contains(peek(resp), `"NOT_FOUND"`) {
		return aboutSight
	}
	if young {
		x.credential.Accepted()
	}
	return noComplaint
}

// accepted is what GitHub says that would be allowed to do what is asked.
func (x *exchange) accepted(resp *http.Response) string {
	if !x.route.GitAuth {
		return resp.Header.Get("X-Accepted-Github-Permissions")
	}
	if x.route.Read {
		return "contents=read"
	}
	return "contents=write"
}

// lacks reports whether what the token was minted with explains the refusal.
func (x *exchange) lacks(resp *http.Response) bool {
	return x.credential.Grant().Explains(x.accepted(resp))
}

// mend waits, or replaces the credential, and reports whether to try again. The
// error is a credentialError.
func (x *exchange) mend(ctx context.Context, resp *http.Response, why complaint) (again bool, err error) {
	switch why {
	case aboutGrant:
		return x.mendGrant(ctx, resp)
	case aboutSight:
		return x.mendSight(ctx, resp)
	case aboutToken:
		if (x.credential.Young() || x.healing.waits > 0) && x.healing.waits < auth.MaxTokenWaits {
			return x.wait(ctx), nil
		}
	}
	if x.healing.replaced && why != aboutKey {
		return false, nil
	}
	x.healing.replaced = true
	if why == aboutClock {
		return x.use(x.source.Redate(ctx, x.credential, resp.Header.Get("Date"), resp.Header.Get("Age")))
	}
	again, err = x.use(x.source.Replace(ctx, x.credential, x.want))
	x.healing.kept = !again && err == nil
	return again, err
}

// wait waits longer each time, and reports whether anybody still reads the answer.
func (x *exchange) wait(ctx context.Context) bool {
	x.healing.waits++
	select {
	case <-time.After(time.Duration(x.healing.waits) * time.Second):
		return true
	case <-ctx.Done():
		return false
	}
}

// use puts a credential in place of the one that was refused, and reports whether
// it is another.
func (x *exchange) use(fresh auth.Credential, err error) (another bool, _ error) {
	if err != nil {
		return false, credentialError{err}
	}
	if fresh == x.credential {
		return false, nil
	}
	x.credential = fresh
	x.authorization = authorizationOf(&x.route, fresh)
	return true, nil
}

// mendGrant mends the refusal of what a token may not do. Where what it was minted
// with is the reason, nothing comes by waiting: the installation may have been
// granted more since.
func (x *exchange) mendGrant(ctx context.Context, resp *http.Response) (again bool, err error) {
	if x.lacks(resp) {
		if x.healing.granted {
			return false, nil
		}
		x.healing.granted = true
		return x.use(x.source.Regrant(ctx, x.credential, x.want, x.accepted(resp)))
	}
	if x.healing.waits >= maxSightWaits || x.covered(ctx) == auth.CoverageNone {
		return false, nil
	}
	return x.wait(ctx), nil
}

// mendSight mends the answer that there is no such repository. It waits only where
// there is something to wait for: most of what GitHub does not find was never there.
func (x *exchange) mendSight(ctx context.Context, resp *http.Response) (again bool, err error) {
	switch x.covered(ctx) {
	case auth.CoverageOther, auth.CoverageNone: // for an id, another App may
		return x.follow(ctx)
	case auth.CoverageSame:
		if x.healing.waits >= maxSightWaits || !x.credential.Young() && x.healing.waits == 0 || x.isSeen(ctx) {
			return false, nil
		}
	case auth.CoverageUnknown:
		if x.healing.waits >= maxSightWaits || !x.credential.Young() && x.healing.waits == 0 || !x.isGit() {
			return false, nil
		}
	}
	return x.wait(ctx), nil
}

// follow takes the credential for where a repository known by id is now, once.
func (x *exchange) follow(ctx context.Context) (again bool, err error) {
	allowedByName := x.route.Subject != x.asked // by that which was known
	if x.healing.moved || x.asked.RepositoryID == 0 || allowedByName {
		return false, nil
	}
	x.healing.moved = true
	fresh, err := x.source.Token(ctx, x.credential.App.Host, x.want)
	if err != nil {
		return false, nil // GitHub's own answer is as true
	}
	return x.use(fresh, nil)
}

// isGit reports whether a 404 can only be about the repository.
func (x *exchange) isGit() bool {
	switch x.route.Operation {
	case "info/refs", "git-upload-pack", "git-receive-pack":
		return x.route.GitAuth
	}
	return false
}

// isSeen reports whether GitHub shows the repository to the token, so that it is
// something in it that is missing. What serves git may know less than the API.
func (x *exchange) isSeen(ctx context.Context) bool {
	if x.isGit() {
		return false
	}
	sees, known := x.source.Sees(ctx, x.credential, owner(x.repository()))
	return sees || !known
}

// covered is what GitHub says of the repository that the request names.
func (x *exchange) covered(ctx context.Context) auth.Coverage {
	return x.source.Coverage(ctx, x.credential, owner(x.repository()))
}

// repository is that which the request names, the first where there are several;
// nobody's if there is none. By id, a transfer does not hide it.
func (x *exchange) repository() rules.Subject {
	if x.asked.RepositoryID != 0 {
		return x.asked
	}
	for _, s := range append([]rules.Subject{x.route.Subject}, x.route.Others...) {
		if s.Repo != "" || s.RepositoryID != 0 {
			return s
		}
	}
	return rules.Subject{}
}

// prove sees to it that GitHub knows the token of a request that cannot be sent
// again. The error is a credentialError.
func prove(req *http.Request, x *exchange) error {
	large := req.ContentLength > maxReplay || req.ContentLength < 0
	if !large || req.Body == nil || req.Body == http.NoBody || x.credential.JWT() || x.credential.Proven() {
		return nil
	}
	changed, err := x.use(x.source.Prove(req.Context(), x.credential, x.want))
	if changed {
		x.setAuthorization(req)
	}
	return err
}

// setAuthorization puts the credential into a request.
func (x *exchange) setAuthorization(req *http.Request) {
	delete(req.Header, "Authorization")
	if x.authorization != nil {
		req.Header["Authorization"] = x.authorization
	}
}
