package rules

import (
	_ "embed"
	"strings"
	"sync"

	"ghapp-proxy/github"
)

//go:generate go run gen/main.go gen/reach.go gen/bodies.go

// operationsText is the table of operations; its head explains the columns.
//
//go:embed operations.txt
var operationsText string

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
	handsOut   bool  // the answer contains a credential
	revoke     bool  // ends the token that it is called with
	cloneToken bool  // the answer may contain temp_clone_token
	reach      Reach // how far the answer may lead from whom the path names
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

// operationTable finds operations.
type operationTable struct {
	root *pathNode
	byID map[string]*restOperation // operationId → operation

	// Where GitHub's aliases by numeric id continue.
	repository, organization, user *pathNode
}

// operations returns the table, which is read once, on first use.
var operations = sync.OnceValue(func() *operationTable { return parseTable(operationsText) })

// KnownOperation reports whether GitHub's OpenAPI descriptions have an
// operation of this operationId, such as "pulls/list", in any edition.
func KnownOperation(id string) bool { return operations().byID[id] != nil }

// parseTable reads a table of the form of operations.txt.
func parseTable(text string) *operationTable {
	t := &operationTable{root: &pathNode{}, byID: make(map[string]*restOperation, 2048)}
	for line := range strings.Lines(text) {
		if line[0] != '#' {
			t.add(strings.TrimSuffix(line, "\n"))
		}
	}
	t.root.measure()
	t.repository = t.root.below("repos", "{}", "{}")
	t.organization = t.root.below("orgs", "{}")
	t.user = t.root.below("users", "{}")
	// What else GitHub puts under /user/ is about the user who asks.
	t.root.below("user").digits = true
	return t
}

// add reads one line.
func (t *operationTable) add(line string) {
	method, line, _ := strings.Cut(line, " ")
	path, line, _ := strings.Cut(line, " ")
	id, line, _ := strings.Cut(line, " ")
	letters, flags, _ := strings.Cut(line, " ")
	op := &restOperation{id: id, credential: Installation}
	for _, c := range []byte(letters) {
		op.editions |= editions(1 << strings.IndexByte("dcs", c))
	}
	for flag := range strings.FieldsSeq(flags) {
		op.flag(flag)
	}
	op.names, op.at = namingOf(path)
	op.others = othersOf(path, op.names, op.at)
	t.byID[id] = op
	at := t.root
	for path != "/" && path != "" {
		var word string
		word, path = github.CutSegment(path)
		at = at.child(word)
	}
	at.ops[methodIndex(method)] = op
}

func (op *restOperation) flag(flag string) {
	switch flag {
	case "jwt":
		op.credential = JWT
	case "basic":
		op.credential = ClientSecret
	case "none":
		op.credential = None
	case "user":
		op.userOnly = true
	case "hands-out":
		op.handsOut = true
	case "revoke":
		op.revoke = true
	case "clone":
		op.cloneToken = true
	case "owners":
		op.reach = ReachOwners
	case "any":
		op.reach = ReachAny
	default:
		panic("rules: operations.txt has a flag " + flag)
	}
}

// namingOf finds whom the path of an operation names. The first who is named
// counts: of /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo} the
// organization, and of /teams/{team_id}/repos/{owner}/{repo} the team, whose
// organization's installation is the one that may see it.
func namingOf(path string) (naming, int) {
	first, rest := github.CutSegment(path)
	for i := 1; rest != ""; i++ {
		var word string
		word, rest = github.CutSegment(rest)
		switch word {
		case "{owner}", "{template_owner}":
			return namesRepository, i
		case "{org}":
			if first == "organizations" {
				return namesAccountOrID, i
			}
			return namesAccount, i
		case "{enterprise}":
			return namesEnterprise, i
		case "{organization_id}", "{account_id}", "{user_id}":
			switch {
			case i == 1 && first == "user":
				return namesID, i
			case i == 1 && (first == "organizations" || first == "users"):
				return namesAccountOrID, i
			}
		case "{username}":
			if i == 1 && first == "users" {
				return namesAccount, i
			}
		case "{team_id}":
			if i == 1 && first == "teams" {
				return namesTeam, i
			}
		}
	}
	return namesNobody, 0
}
