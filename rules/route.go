package rules

import (
	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
)

// Credential is what a route needs in its Authorization header.
type Credential uint8

const (
	// None: the request leaves without Authorization.
	None Credential = iota
	// JWT: the App's own JSON Web Token.
	JWT
	// Installation: an installation token for the route's owner.
	Installation
	// ClientSecret: the App's client id and secret.
	ClientSecret
	// Keep: the Authorization that the client sent, if any. Only rules ask for it.
	Keep
)

// String returns the word that logs use.
func (c Credential) String() string {
	return [...]string{"none", "jwt", "installation", "basic", "keep"}[c]
}

// Scheme is the form in which a credential is sent.
type Scheme uint8

const (
	// Bearer is "Bearer TOKEN".
	Bearer Scheme = iota
	// Token is "token TOKEN": archives and raw files are reported to refuse
	// Bearer (github.com/unjs/giget issue 263).
	Token
	// Basic is "Basic base64(x-access-token:TOKEN)", what git sends, or
	// "Basic base64(CLIENT_ID:CLIENT_SECRET)" for a ClientSecret route.
	Basic
)

// Request is the part of a request that decides.
type Request struct {
	Method string
	Host   github.Host // as decided when the connection was accepted, never from the request
	Path   string      // the request target up to "?", as sent
	Query  string      // the request target after "?", as sent
	Client string      // who speaks to the proxy, "" if that is unknown
}

// Route is a classified request.
type Route struct {
	// Operation is GitHub's operationId, or what was matched by structure, for
	// logs: "git-upload-pack", "repos", …
	Operation  string
	Credential Credential
	Scheme     Scheme
	Form       answer.Form

	Subject github.Account   // whom the request is about
	Others  []github.Account // further ones, of a search or a GraphQL document
	Source  string           // where the subject was found: "path", "search", "graphql", "node id", ""

	// Unclear reports that whom the request names is not all in Subject and
	// Others: a GraphQL document or a search was not read, or not all of it.
	Unclear bool
	// Fields are the root fields of a GraphQL document.
	Fields []string
	// Reach is how far the answer may lead from Subject and Others: what a GraphQL
	// document selects, a listing has, or a search finds.
	Reach github.Reach

	// Also is another operation that the body makes of this one, "" if none: what
	// limits that one holds for the request, too.
	Also string

	InstallationID github.InstallationID // of /app/installations/{id}; 0 if there is none
	ClientID       string                // of /applications/{client_id}

	// UserOnly reports an operation that GitHub opens to users only: an
	// installation token is refused there.
	UserOnly bool
	// HandsOut reports an operation whose answer contains a credential.
	HandsOut bool
	// CloneToken reports an operation of the REST API whose answer may contain
	// temp_clone_token, a credential to clone a private repository: it describes
	// a repository, or what it describes is not known.
	CloneToken bool
	// Read reports that the request only reads, so that without an
	// installation it may be sent anonymously: GET, HEAD, git fetch, and the
	// LFS batch call (GitHub refuses an anonymous upload by itself).
	Read bool
	// GitAuth reports that a 401 would make the client ask for a password.
	GitAuth bool
	// Exchange reports a request for an installation token that must not be
	// forwarded: the caller answers it with a placeholder.
	Exchange bool
	// Refused says why the request must not be forwarded, "" if it may.
	Refused Refusal

	// What a rule of the user's decided.
	Rule               int                   // its number, from 1; 0 if it is all built in
	ForClient          bool                  // the rule names the client
	App                string                // the App to take, "" for any
	ForcedInstallation github.InstallationID // the installation to take, 0 for the owner's
	Narrow             *github.Narrowing     // limits the installation token, nil: not
}

// Refusal is a reason not to forward a request.
type Refusal string

const (
	// RefusedJWTWrite: a JWT cannot be narrowed, so its routes are read-only.
	RefusedJWTWrite Refusal = "this route is authenticated as the App itself, and such routes are read-only: a [[rule]] with auth = \"jwt\" that names the method allows it, or jwt_writes = true all of them"
	// RefusedHandsOut: the answer would put a credential into the tool's hands.
	RefusedHandsOut Refusal = "this operation hands out a credential, and tools behind the proxy never hold one"
	// RefusedRevoke: the token is shared by everybody who uses the proxy.
	RefusedRevoke Refusal = "this would revoke the installation token that the proxy shares between its clients"
	// RefusedTrace: TRACE echoes the request, Authorization included.
	RefusedTrace Refusal = "TRACE would echo the credential back"
)

// setSubjects fills in whom something other than the path names.
func (route *Route) setSubjects(subjects []github.Account, source string) {
	if len(subjects) > 0 {
		route.Subject, route.Others, route.Source = subjects[0], subjects[1:], source
	}
}

// SetDocument fills in whom a GraphQL document names, and what it does. nil is
// a document that is not read. Call it between Classify and Decide.
func (route *Route) SetDocument(document *graphql.Document) {
	if document == nil {
		route.Unclear = true
		return
	}
	route.setSubjects(document.Subjects, document.Source)
	route.Fields, route.Unclear, route.Reach = document.Fields, document.Unclear, document.Reach
}

// repositorySubject is the repository that two segments of a path name.
func repositorySubject(owner, repo string) github.Account {
	return github.Account{Login: github.Unescape(owner), Repo: github.Unescape(repo)}
}

// setRepository names the owner and the repository, as they stand in a path.
func (route *Route) setRepository(owner, repo string) {
	route.Subject = repositorySubject(owner, repo)
}
