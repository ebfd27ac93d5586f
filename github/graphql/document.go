package graphql

import (
	"fmt"
	"unicode/utf8"

	"ghapp-proxy/github"
)

// Limits of what is read of a GraphQL request. Whatever exceeds them is an
// error. Together they bound a call of GraphQL to some milliseconds and some
// megabytes.
const (
	// MaxBody is the largest body, in bytes, that GraphQL reads.
	MaxBody = 1 << 20

	maxTokens     = 20_000  // of the document, comments included
	maxNesting    = 100     // selection sets, fragments, lists and objects
	maxSteps      = 100_000 // fields, spreads and values visited, each time they are reached
	maxRootFields = 100     // different fields of the operation itself
)

// Document is what a GraphQL request says about itself: whom it names, and
// what it would run. Only the operation that would run counts, with the
// fragments that it reaches. @skip and @include are not evaluated: a field
// that may be skipped is taken to run.
type Document struct {
	// Subjects are whom the request names, each once, in order of appearance.
	// At most github.MaxSubjects; a request that names more is an error.
	//
	// A subject with an Owner is named by the request and certain. One with a
	// RepositoryID or an AccountID is a hint taken from a node id: look it up
	// before it is believed, and take it for nobody if that fails.
	Subjects []github.Account

	// Profiles are users of whom the request asks for nothing but plain fields
	// (user(login: "hubot") { id login }, by which gh finds a reviewer's id).
	// Profiles are public: such users are in Subjects only if nobody else is.
	Profiles []github.Account

	// Source says where the subjects were found: "graphql" if any is named,
	// "node id" if all are hints, "" if there are none.
	Source string

	// Mutation reports that the operation may change something.
	Mutation bool

	// Fields are the root fields that would run, such as "repository" or
	// "createIssue", each once, by their own names and not by aliases.
	Fields []string

	// ResourceHosts are the hosts in the URLs of resource(url:), in lower case
	// and without port. The path of such a URL is in Subjects whatever its host
	// is: GitHub finds nothing for a host other than its own.
	ResourceHosts []string

	// Unclear reports that Subjects is incomplete: a name is no string or no
	// possible name, github.NodeID does not know an id, a URL or a search is not
	// read. What is absent or null is not unclear, and neither is a search
	// without qualifiers.
	Unclear bool

	// Reach is how far the document may lead from whom it names. A field that leads
	// to others, or is not known, counts where more is selected of them than who
	// they are.
	Reach github.Reach

	// Credential is the name of a field that is selected and whose value is a
	// credential, such as Repository.tempCloneToken; "" if there is none.
	Credential string
}

// Error says why a GraphQL request is not understood. GitHub might
// still understand it, in its own way.
type Error struct {
	Reason string // a sentence without a capital and full stop, with at most a few words of the request
}

// Error implements error.
func (e *Error) Error() string { return e.Reason }

func errorf(format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...)}
}

// settle fills in what depends on all of the document.
func (doc *Document) settle() {
	if len(doc.Subjects) == 0 {
		doc.Subjects = doc.Profiles
	}
	for _, s := range doc.Subjects {
		if s.Login != "" {
			doc.Source = "graphql"
			return
		}
		doc.Source = "node id"
	}
}

// excerpt quotes the beginning of a text from the request.
func excerpt(s string) string {
	const most = 40
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q…", s[:cut])
}
