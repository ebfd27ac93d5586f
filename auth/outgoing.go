package auth

import (
	"net/http"

	"ghapp-proxy/github"
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

	Observed bool // Answered was told of the answers

	Tries int // how often it was sent, with different credentials or after a wait
	Waits int // how often it was waited for GitHub to know the token: for 1, 2, 3 … seconds
	// Kept reports that GitHub refuses a token which took the place of another less
	// than a minute ago.
	Kept bool
	// Mapping says, after CheckMapping, that GitHub's 403 or 404 may come of the configuration, which
	// gives the Subject an installation on another account; else it is nil.
	Mapping *MappingError

	source *Source
	counts *counts      // of the App whose token it leaves with, if it does
	sent   jwtAuthority // the App's JWT, if it leaves with one

	// What was done to heal a token.
	waits    waits
	replaced bool // the token, for another
	moved    bool // to the installation that covers the repository now
	granted  bool // the installation was asked what it may do
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
