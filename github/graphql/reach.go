package graphql

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"ghapp-proxy/github"
	"ghapp-proxy/github/search"

	"github.com/vektah/gqlparser/v2/ast"
)

//go:generate go run ./gen

// reachText is the table of fields that lead to other objects; its head
// explains the marks.
//
//go:embed reach.txt
var reachText string

// lead is a field that leads to another object.
type lead struct {
	to    string // the type, "" where nothing below is anybody's
	reach github.Reach
}

// leads are the fields of GitHub's schema that lead to other objects, by type
// and name.
var leads = sync.OnceValue(func() map[string]map[string]lead {
	all := make(map[string]map[string]lead, 1024)
	for line := range strings.Lines(reachText) {
		if line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		fields := make(map[string]lead, len(words)-1)
		for _, word := range words[1:] {
			i := strings.IndexAny(word, "=+!-")
			fields[word[:i]] = lead{word[i+1:], map[byte]github.Reach{'=': github.ReachNamed, '+': github.ReachOwners, '!': github.ReachAny, '-': github.ReachNamed}[word[i]]}
		}
		all[words[0]] = fields
	}
	return all
})

// lead notes how far a field leads, and puts into below where what is selected
// of it stands. named is a repository that the field names by itself.
//
// What leads away is not yet away: of everybody whose work a repository has, a
// document may ask the name. It leads there with the first field that tells more.
func (w *walker) lead(f *ast.Field, in scope, below *scope, named bool) {
	if in.free || strings.HasPrefix(f.Name, "__") {
		below.free = true
		return
	}
	next, known := leads()[in.typ][f.Name]
	if !known && len(f.SelectionSet) > 0 {
		next.reach = github.ReachAny // what GitHub added, or an Enterprise Server has of old
	}
	switch {
	case in.typ == "Query" && f.Name == "search":
		if next.reach = github.ReachAny; w.isContentSearch(f) {
			next.reach = search.Reach(w.argument(f, "query"))
		}
	case f.Name == "repositories" && next.reach == github.ReachAny && isOwnOnly(f):
		next.reach = github.ReachOwners
	}
	below.typ, below.free = next.to, known && next.to == ""
	below.reach, below.parent = max(in.reach, next.reach), in.typ == "Repository" && f.Name == "parent"
	below.listed = in.listed && isPart(in.typ, f.Name) || next.reach != github.ReachNamed && w.lists(f, in.typ, next.to)
	switch {
	case in.reach == github.ReachNamed && named:
		below.reach = github.ReachNamed
	case in.reach != github.ReachNamed && in.listed && !isConnection(in.typ):
		w.doc.Reach = max(w.doc.Reach, below.reach)
	case in.reach != github.ReachNamed && !isReference(in.typ, f.Name) && !(in.parent && f.Name == "description"):
		w.doc.Reach = max(w.doc.Reach, below.reach)
	}
}

// isOwnOnly reports whether repositories(ownerAffiliations: OWNER) is selected:
// those of an account itself, without those that it works on.
func isOwnOnly(f *ast.Field) bool {
	argument := f.Arguments.ForName("ownerAffiliations")
	if argument == nil {
		return false
	}
	v := argument.Value
	if v.Kind == ast.ListValue && len(v.Children) == 1 {
		v = v.Children[0].Value
	}
	return v.Kind == ast.EnumValue && v.Raw == "OWNER"
}

// references are the fields that say no more of somebody than who it is, and of
// a repository how it may be used: what tools ask of the fork that a pull
// request comes from, and of whoever wrote something.
var references = strings.Fields(`
	__typename databaseId fullDatabaseId id login name nameWithOwner number oid resourcePath slug totalCount url
	defaultBranchRef organization owner pageInfo repository target
	hasDiscussionsEnabled hasIssuesEnabled hasProjectsEnabled hasWikiEnabled isArchived isFork isInOrganization isPrivate
	mergeCommitAllowed rebaseMergeAllowed squashMergeAllowed viewerPermission`)

// profiles are the types of accounts whose plain fields everybody may read.
var profiles = []string{"Actor", "App", "Bot", "Mannequin", "User"}

func isReference(typ, field string) bool {
	_, leadsOn := leads()[typ][field]
	switch {
	case slices.Contains(references, field), typ == "ProjectV2" && field == "title":
		return true
	case isPart(typ, field):
		return true
	}
	return !leadsOn && slices.Contains(profiles, typ)
}

// isPart reports whether a field leads from a connection to what is in it.
func isPart(typ, field string) bool {
	return isConnection(typ) && (field == "nodes" || field == "edges" || field == "node")
}

func isConnection(typ string) bool {
	return strings.HasSuffix(typ, "Connection") || strings.HasSuffix(typ, "Edge")
}

// accounts are the types that have repositories, and what is in them.
var accounts = []string{"Actor", "Enterprise", "Organization", "RepositoryOwner", "Team", "User"}

// lists reports whether a field lists repositories, finds them, or leads from an
// account to one of them or to what is in them.
func (w *walker) lists(f *ast.Field, in, to string) bool {
	item := leads()[to]["nodes"].to
	switch {
	case in == "Query" && f.Name == "search":
		return !strings.EqualFold(w.searchType(f), "USER")
	case item == "Repository":
		return true
	case slices.Contains(accounts, to), slices.Contains(accounts, item):
		return false
	}
	return slices.Contains(accounts, in) && to != ""
}

// contentSearches are the types of a search for what is in repositories.
var contentSearches = []string{"ISSUE", "ISSUE_ADVANCED", "REPOSITORY", "DISCUSSION"}

// isContentSearch reports whether search(type:) asks for what is in repositories,
// not for accounts.
func (w *walker) isContentSearch(f *ast.Field) bool {
	asked := w.searchType(f)
	return slices.ContainsFunc(contentSearches, func(kind string) bool { return strings.EqualFold(kind, asked) })
}

// searchType is what search(type:) asks for, "" where that cannot be told.
func (w *walker) searchType(f *ast.Field) string {
	argument := f.Arguments.ForName("type")
	if argument == nil {
		return ""
	}
	v := argument.Value
	if v.Kind == ast.Variable {
		known, byDefault, _ := w.variable(v.Raw)
		if known.isGiven {
			kind, _ := known.value.(string)
			return kind
		}
		v = byDefault
	}
	if v != nil && v.Kind == ast.EnumValue {
		return v.Raw
	}
	return ""
}
