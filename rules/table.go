package rules

import (
	_ "embed"
	"strings"
	"sync"

	"ghapp-proxy/github"
)

//go:generate go run ./gen

// operationsText is the table of operations; its head explains the columns.
//
//go:embed operations.txt
var operationsText string

// operations returns the table, which is read once, on first use.
var operations = sync.OnceValue(func() *operationTable { return parseTable(operationsText) })

// KnownOperation reports whether GitHub's OpenAPI descriptions have an
// operation of this operationId, such as "pulls/list", in any edition.
func KnownOperation(id string) bool { return operations().byID[id] != nil }

// Creates reports whether GitHub limits an operation as the creation of content.
func Creates(id string) bool {
	op := operations().byID[id]
	return op != nil && op.creates
}

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
	case "creates":
		op.creates = true
	case "owners":
		op.reach = github.ReachOwners
	case "any":
		op.reach = github.ReachAny
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

// othersOf finds the names in the path of an operation after that of its subject:
// the repository in /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}.
func othersOf(path string, subject naming, at int) (others []pathOther) {
	if subject == namesNobody {
		return nil
	}
	if subject == namesRepository {
		at++ // its name
	}
	i := 0
	for _, rest := github.CutSegment(path); rest != ""; {
		var word string
		word, rest = github.CutSegment(rest)
		if i++; i <= at {
			continue
		}
		switch word {
		case "{owner}", "{repo_owner}":
			others = append(others, pathOther{namesRepository, i})
		case "{repository_id}":
			others = append(others, pathOther{namesRepositoryID, i})
		case "{repo_name}":
			if n := len(others); n == 0 || others[n-1].at != i-1 {
				others = append(others, pathOther{namesOwnersRepository, i})
			}
		case "{org}":
			others = append(others, pathOther{namesAccount, i})
		}
	}
	return others
}
