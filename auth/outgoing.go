package auth

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/replay"
)

// Outgoing is a request that leaves with a credential: what it wants, and what its
// answers can be about. It serves one request.
type Outgoing struct {
	Instance   github.Instance // which GitHub it goes to
	Want       Want            // what the credential was asked for, if it is an installation's
	Credential *Credential     // what is sent; Send puts another in its place where GitHub refuses it
	Scheme     Scheme          // how it is written

	Subject    github.Account // whom the request is about, as it was decided
	Repository github.Account // the repository that it names, nobody's if there is none
	ByID       bool           // it names Repository by its id
	ByName     bool           // it was allowed by the name that this id had

	API      bool   // the answer is that of GitHub's API, whose clock it tells
	Git      bool   // git or Git LFS: a 401 is about the credential
	Needs    string // the permission that it needs, "" where GitHub's 403 says so: "contents=read"
	GitFetch bool   // fetches, pushes: a 404 is about the repository
	GraphQL  bool   // a query: its answer may say that nothing was found
	UserOnly bool   // GitHub refuses it to every App

	// CheckMapping compares what the configuration says of the installation with what
	// GitHub says: in the background, and where GitHub answers 403 or 404.
	CheckMapping bool

	Links Links // nil: nothing is learned from the answer's links

	Tries int // how often it was sent, with different credentials or after a wait
	Waits int // how often it was waited for GitHub to know the token: for 1, 2, 3 … seconds
	// Kept reports that GitHub refuses a token which took the place of another less
	// than a minute ago.
	Kept bool
	// Mapping says, after CheckMapping, that GitHub's 403 or 404 may come of the configuration, which
	// gives the Subject an installation on another account; else it is nil.
	Mapping *MappingError

	app       appAuthority
	installed installedAuthority
}

// Links says whom the URLs mean that an answer has in its head.
type Links interface {
	// MovedTo returns whom the Location names by id, nobody if it does not.
	MovedTo(h http.Header) github.Account
	// NamedBy returns the id by which the Link fields call the Subject of the
	// request that was answered, nobody's if they do not.
	NamedBy(h http.Header) github.Account
}

// CredentialError says why there is no other credential instead of one that
// GitHub refuses. GitHub's "Bad credentials" would blame the client's.
type CredentialError struct{ Err error }

// Error implements error.
func (e *CredentialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialError) Unwrap() error { return e.Err }

// Send sends a request to GitHub by next with the credential of out, in place of any
// that req has; an anonymous one leaves req as it is. Where GitHub refuses a
// credential that should be good, it sends the request again: with the same token if
// that was just minted and may not be known everywhere, else with a new one, or that
// of the installation that covers the repository now; a JWT by another of the App's
// keys, or by GitHub's clock. It learns from the answer what later requests need.
//
// Bodies up to replay.Max are kept to be sent again. req is changed. The error is
// next's, or a *CredentialError.
func (s *Source) Send(next http.RoundTripper, req *http.Request, out *Outgoing) (*http.Response, error) {
	if kind := out.Credential.Kind(); kind != nil && !kind.Limitable() && out.Want.isConfined() {
		return nil, &CredentialError{fmt.Errorf("a %s cannot be limited", kind)}
	}
	if inst := out.Credential.inst; inst != nil && out.CheckMapping {
		inst.watchMapping()
	}
	if err := s.proveFirst(req, out); err != nil {
		return nil, err
	}
	var resp *http.Response
	var err error
	if a := s.authorityOf(out); a != nil {
		resp, err = send(next, req, a)
	} else {
		resp, err = sendPlain(next, req, out)
	}
	if err != nil {
		return nil, err
	}
	if clock := s.clocks[out.Instance]; clock != nil {
		clock.contact.reach()
	}
	s.learn(out, resp)
	if inst := out.Credential.inst; inst != nil && out.CheckMapping && (resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusNotFound) {
		out.Mapping = inst.checkMapping(req.Context(), out.Subject)
	}
	return resp, nil
}

// proveFirst sees to it that GitHub knows the token of a request that cannot be sent
// again. The error is a *CredentialError.
func (s *Source) proveFirst(req *http.Request, out *Outgoing) error {
	large := req.ContentLength > replay.Max || req.ContentLength < 0
	if !large || req.Body == nil || req.Body == http.NoBody {
		return nil
	}
	fresh, err := s.prove(req.Context(), *out.Credential, out.Want)
	if err != nil {
		return &CredentialError{err}
	}
	*out.Credential = fresh
	return nil
}

// authorityOf returns what is sent for a request, nil for what cannot be healed.
func (s *Source) authorityOf(out *Outgoing) authority {
	cred := out.Credential
	switch {
	case cred.Kind() == KindInstallation && cred.inst != nil:
		out.installed = installedAuthority{source: s, out: out}
		return &out.installed
	case cred.JWT():
		for _, app := range s.candidates(cred.App.Instance, cred.App.Name) {
			out.app = appAuthority{jwtAuthority{caller: app.caller, jwt: cred.header}, out}
			return &out.app
		}
	}
	return nil
}

// sendPlain sends what cannot be healed. What is of no kind that is known is refused.
func sendPlain(next http.RoundTripper, req *http.Request, out *Outgoing) (*http.Response, error) {
	out.Tries++
	if out.Credential.Anonymous() {
		return next.RoundTrip(req)
	}
	authorization, err := out.Credential.Authorization(out.Scheme)
	if err != nil {
		return nil, &CredentialError{err}
	}
	req.Header["Authorization"] = authorization
	return next.RoundTrip(req)
}

// appAuthority sends an App's JWT for somebody.
type appAuthority struct {
	jwtAuthority
	out *Outgoing
}

func (a *appAuthority) authorization() ([]string, error) {
	a.out.Tries++
	return a.out.Credential.Authorization(a.out.Scheme)
}

// heal takes another JWT. The error is a *CredentialError.
func (a *appAuthority) heal(ctx context.Context, resp *http.Response, about complaints) (again bool, err error) {
	if again, err = a.jwtAuthority.heal(ctx, resp, about); err != nil {
		return false, &CredentialError{err}
	}
	a.out.Credential.header = a.jwt
	return again, nil
}

// learn takes from the head of GitHub's answer what later requests will need: what
// time it is there, how much of its quota an installation has left, whose the ids
// are by which GitHub calls repositories and accounts, and that a repository has
// moved. Nothing is learned from bodies: what stands in a repository may be hostile.
func (s *Source) learn(out *Outgoing, resp *http.Response) {
	if clock := s.clocks[out.Instance]; out.API && clock != nil {
		clock.observeOften(resp.Header.Get("Date"), resp.Header.Get("Age"))
	}
	inst := out.Credential.inst
	if inst != nil {
		inst.quota.observe(resp.Header, inst.clock.now())
	}
	switch status := resp.StatusCode; {
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect:
		s.forget(out.Instance, out.Subject)
		if out.Links != nil {
			s.forget(out.Instance, out.Links.MovedTo(resp.Header)) // it may have a new owner
		}
	case inst == nil:
	case status == http.StatusForbidden:
		inst.forgetOld(out.Subject)
	case status == http.StatusNotFound, status == http.StatusGone:
		inst.forgetMissing(out.Subject)
	case status >= 200 && status <= 299 && out.Links != nil && out.Credential.teaches():
		if id := out.Links.NamedBy(resp.Header); id.ByID() {
			inst.learnID(id, out.Subject)
		}
	}
}

// teaches reports whether what GitHub says to the credential is of use to others. A
// fallback teaches nothing; nor does a credential that GitHub named while its App
// stands in for another, which would lose the id to it.
func (c Credential) teaches() bool {
	return c.inst != nil && !c.Fallback && !(c.standIn && c.inst.discovered)
}

// forget drops what GitHub said about an owner: it has moved.
func (s *Source) forget(instance github.Instance, owner github.Account) {
	for _, app := range s.apps[instance] {
		app.known.delete(owner.Key())
	}
}

// installedAuthority sends an installation's token.
type installedAuthority struct {
	source *Source
	out    *Outgoing

	waits    waits
	replaced bool // the token, for another
	moved    bool // to the installation that covers the repository now
	granted  bool // the installation was asked what it may do
}

func (a *installedAuthority) authorization() ([]string, error) {
	a.out.Tries++
	if a.out.Credential.Anonymous() { // the installation is gone, and the fallback allows that
		return nil, nil
	}
	return a.out.Credential.Authorization(a.out.Scheme)
}

// observe does nothing: Send learns from the last answer.
func (a *installedAuthority) observe(resp *http.Response) {}

// complaint implements authority. The messages are those that docs.github.com names
// in "Troubleshooting the REST API".
func (a *installedAuthority) complaint(resp *http.Response) complaints {
	out, cred := a.out, *a.out.Credential
	switch unauthorized := resp.StatusCode == http.StatusUnauthorized; {
	case resp.StatusCode < 400:
		return a.complaintOfSuccess(resp)
	case unauthorized && (out.Git || strings.Contains(replay.Peek(resp), "Bad credentials")):
		return aboutToken
	case cred.Fallback || out.UserOnly:
	case resp.StatusCode == http.StatusForbidden:
		if a.lacks(resp) || cred.isYoung() && isInaccessible(replay.Peek(resp)) {
			return aboutGrant
		}
	case resp.StatusCode == http.StatusNotFound:
		if cred.isYoung() || out.ByID {
			return aboutSight
		}
	}
	return 0
}

// complaintOfSuccess is complaint for an answer without an error of HTTP's: GraphQL
// says in it what it does not find. What changes something may have been carried
// out in part.
func (a *installedAuthority) complaintOfSuccess(resp *http.Response) complaints {
	cred := a.out.Credential
	if !cred.isYoung() {
		return 0
	}
	if a.out.GraphQL && !cred.Fallback && strings.Contains(replay.Peek(resp), `"NOT_FOUND"`) {
		return aboutSight
	}
	cred.token.prove()
	return 0
}

// accepted is what GitHub says that would be allowed to do what is asked.
func (a *installedAuthority) accepted(resp *http.Response) string {
	return cmp.Or(a.out.Needs, resp.Header.Get("X-Accepted-Github-Permissions"))
}

// lacks reports whether what the token was minted with explains the refusal.
func (a *installedAuthority) lacks(resp *http.Response) bool {
	return a.out.Credential.Grant().explains(a.accepted(resp))
}

// abandon sees to it that a token which GitHub does not know is not handed out again.
// One that it may not know yet stays.
func (a *installedAuthority) abandon(about complaints) {
	if about == aboutToken {
		a.source.refuse(*a.out.Credential)
	}
}

func (a *installedAuthority) tally() *counts { return &a.out.Credential.inst.counts }

// heal waits, or replaces the token. The error is a *CredentialError.
func (a *installedAuthority) heal(ctx context.Context, resp *http.Response, about complaints) (again bool, err error) {
	if !a.out.Credential.Kind().canHeal(about) {
		return false, nil
	}
	switch about {
	case aboutGrant:
		return a.healGrant(ctx, resp)
	case aboutSight:
		return a.healSight(ctx)
	}
	if (a.out.Credential.isYoung() || a.waits > 0) && a.waits < maxTokenWaits {
		return a.wait(ctx), nil
	}
	if a.replaced {
		return false, nil
	}
	a.replaced = true
	fresh, err := a.source.replace(ctx, *a.out.Credential, a.out.Want)
	again, err = a.use(fresh, err)
	a.out.Kept = !again && err == nil
	return again, err
}

func (a *installedAuthority) wait(ctx context.Context) bool {
	again := a.waits.wait(ctx)
	a.out.Waits = int(a.waits)
	return again
}

// use puts a credential in place of the one that was refused, and reports whether
// it is another.
func (a *installedAuthority) use(fresh Credential, err error) (another bool, _ error) {
	switch {
	case err != nil:
		return false, &CredentialError{err}
	case fresh.isSame(*a.out.Credential):
		return false, nil
	}
	*a.out.Credential = fresh
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
		return a.use(a.source.regrant(ctx, *a.out.Credential, a.out.Want, a.accepted(resp)))
	}
	if a.waits >= maxGrantWaits || a.covered(ctx) == coverageNone {
		return false, nil
	}
	return a.wait(ctx), nil
}

// healSight heals the answer that there is no such repository. It waits only where
// there is something to wait for: most of what GitHub does not find was never there.
func (a *installedAuthority) healSight(ctx context.Context) (again bool, err error) {
	mayWait := a.waits < maxGrantWaits && (a.out.Credential.isYoung() || a.waits > 0)
	switch a.covered(ctx) {
	case coverageOther, coverageNone: // for an id, another App may
		return a.follow(ctx)
	case coverageSame:
		if !mayWait || a.isSeen(ctx) {
			return false, nil
		}
	case coverageUnknown:
		if !mayWait || !a.out.GitFetch {
			return false, nil
		}
	}
	return a.wait(ctx), nil
}

// follow takes the credential for where a repository known by id is now, once.
func (a *installedAuthority) follow(ctx context.Context) (again bool, err error) {
	if a.moved || !a.out.ByID || a.out.ByName {
		return false, nil
	}
	a.moved = true
	fresh, err := a.source.Token(ctx, a.out.Credential.App.Instance, a.out.Want)
	if err != nil {
		return false, nil // GitHub's own answer is as true
	}
	return a.use(fresh, nil)
}

// isSeen reports whether GitHub shows the repository to the token, so that it is
// something in it that is missing. What serves git may know less than the API.
func (a *installedAuthority) isSeen(ctx context.Context) bool {
	if a.out.GitFetch {
		return false
	}
	cred := a.out.Credential
	sees, known := cred.inst.sees(ctx, cred.token, a.out.Repository)
	return sees || !known
}

// covered is what GitHub says of the repository that the request names.
func (a *installedAuthority) covered(ctx context.Context) coverage {
	cred := a.out.Credential
	return cred.inst.coverage(ctx, cred.Grant(), a.out.Repository)
}
