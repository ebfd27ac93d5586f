package rules

import "ghapp-proxy/github"

// editions are the kinds of GitHub that have an operation.
type editions uint8

const (
	dotcom editions = 1 << iota // github.com
	cloud                       // Enterprise Cloud, on github.com and ghe.com
	server                      // Enterprise Server
)

// editionsOf returns the editions whose operations a host may serve.
func editionsOf(host github.Host) editions {
	if host.Service == github.GHES {
		return server
	}
	return dotcom | cloud
}

// restOperation is one operation of GitHub's REST API.
type restOperation struct {
	id         string
	editions   editions
	credential Credential
	userOnly   bool
	handsOut   bool         // the answer contains a credential
	revoke     bool         // ends the token that it is called with
	creates    bool         // content, which GitHub limits: its description says "Creating content too quickly"
	cloneToken bool         // the answer may contain temp_clone_token
	reach      github.Reach // how far the answer may lead from whom the path names
	names      naming
	at         int         // the segment where it names somebody
	others     []pathOther // whom it names besides
}

// guarded reports whether the operation is refused unless the user means it.
func (op *restOperation) guarded() bool { return op.handsOut || op.revoke }

// in reports whether an edition among e has the operation. A guarded operation
// counts as known everywhere.
func (op *restOperation) in(e editions) bool { return op.editions&e != 0 || op.guarded() }

// naming is how the path of an operation names whom it is about.
type naming uint8

const (
	namesNobody     naming = iota
	namesRepository        // by owner and name
	namesAccount           // by login
	namesID                // an account by id
	namesAccountOrID
	namesEnterprise // by slug
	namesTeam       // by id

	// Others than the subject.
	namesRepositoryID
	namesOwnersRepository // by its name, of the owner before it
)

// pathOther is where a path names somebody besides its subject.
type pathOther struct {
	names naming
	at    int // the segment
}
