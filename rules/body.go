package rules

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"ghapp-proxy/github"
	"ghapp-proxy/strictjson"
)

// MaxBodyNames is the largest body, in bytes, in which SetBody looks for names: more
// than the text of an issue or a pull request may have.
const MaxBodyNames = 1 << 20

// bodyField is a field of the body that leads an operation to somebody else than
// its path names, or makes it another operation as well.
type bodyField struct {
	name string
	kind bodyKind
}

type bodyKind uint8

const (
	bodyOwner      bodyKind = iota // the login of an account
	bodyAccount                    // the number of an account
	bodyRepository                 // OWNER/REPO, or the name of one of the owner's in the path
	bodyID                         // the number of a repository
	bodyHead                       // a branch, OWNER:BRANCH of a fork
	bodyUnknown                    // names that cannot be told
	bodyMakesAFork                 // true makes a private fork of the repository
)

// bodiesText is the table of such fields; its head says where they come from.
//
//go:embed bodies.txt
var bodiesText string

// bodyFields are those fields, by operation.
var bodyFields = sync.OnceValue(func() map[string][]bodyField {
	kinds := map[string]bodyKind{
		"owner": bodyOwner, "account": bodyAccount, "name": bodyRepository, "id": bodyID,
		"head": bodyHead, "unknown": bodyUnknown, "fork": bodyMakesAFork,
	}
	all := make(map[string][]bodyField, 128)
	for line := range strings.Lines(bodiesText) {
		if line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		for _, word := range words[1:] {
			name, kind, _ := strings.Cut(word, ":")
			if _, ok := kinds[kind]; !ok {
				panic("rules: bodies.txt has a kind " + kind)
			}
			all[words[0]] = append(all[words[0]], bodyField{name, kinds[kind]})
		}
	}
	return all
})

// createFork is what start_private_fork does, too.
const createFork = "security-advisories/create-fork"

// NamesInBody reports whether the body of the operation may name others than the
// path, so that a caller has to give it to SetBody wherever the request is limited.
func (route *Route) NamesInBody() bool { return bodyFields()[route.Operation] != nil }

// SetBody fills in whom the body of such an operation names, and what else it
// makes of the operation. nil is a body that cannot be read: then nothing is
// certain. Call it between Classify and Decide.
func (route *Route) SetBody(body []byte) {
	fields := bodyFields()[route.Operation]
	object, ok := bodyObject(body)
	if !ok {
		route.setUnread(fields)
		return
	}
	route.setBodyValue(fields, object)
}

// setBodyValue looks for the fields at any depth: which of the objects of a body a
// server looks into is its own business.
func (route *Route) setBodyValue(fields []bodyField, value any) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			route.setBodyValue(fields, v)
		}
	case strictjson.Object:
		for _, member := range value {
			for _, field := range fields {
				switch {
				case member.Key == field.name:
					route.setBodyField(field.kind, member.Value)
				case strings.EqualFold(member.Key, field.name):
					route.setUnread([]bodyField{field}) // servers may differ
				}
			}
			route.setBodyValue(fields, member.Value)
		}
	}
}

// bodyObject reads a body of one JSON object.
func bodyObject(body []byte) (strictjson.Object, bool) {
	if len(body) > MaxBodyNames {
		return nil, false
	}
	value, err := strictjson.Read(body)
	object, ok := value.(strictjson.Object)
	return object, ok && err == nil
}

func (route *Route) setUnread(fields []bodyField) {
	for _, field := range fields {
		if field.kind == bodyMakesAFork {
			route.Also = createFork
		} else {
			route.Unclear = true
		}
	}
}

// setBodyField fills in what one value, or each of a list, says.
func (route *Route) setBodyField(kind bodyKind, value any) {
	if list, ok := value.([]any); ok && kind != bodyHead {
		for _, v := range list {
			route.setBodyField(kind, v)
		}
		return
	}
	text, isText := value.(string)
	switch {
	case value == nil, kind == bodyMakesAFork && value == strictjson.Scalar("false"):
	case kind == bodyMakesAFork:
		route.Also = createFork
	case kind == bodyID, kind == bodyAccount:
		route.addNumbered(kind, value)
	case !isText:
		route.Unclear = true
	case text == "":
	case kind == bodyOwner && github.IsLogin(text):
		route.addOther(github.Account{Login: text})
	case kind == bodyRepository && route.repositoryNamed(text).Named():
		route.addOther(route.repositoryNamed(text))
	case kind == bodyHead:
		route.addHead(text)
	default:
		route.Unclear = true
	}
}

// repositoryNamed is the repository OWNER/NAME, or NAME of the owner in the path;
// nobody if that cannot be told.
func (route *Route) repositoryNamed(name string) github.Account {
	if s := github.ParseFullName(name); s.Named() || !github.IsRepositoryName(name) || route.Subject.Login == "" || route.Subject.Enterprise {
		return s
	}
	return github.Account{Login: route.Subject.Login, Repo: name}
}

// addNumbered adds a repository, or an account, by its number. An object is taken for
// a condition of a ruleset, which has the numbers in a field of its own.
func (route *Route) addNumbered(kind bodyKind, value any) {
	number, _ := value.(strictjson.Scalar)
	if text, ok := value.(string); ok { // servers convert
		number = strictjson.Scalar(text)
	}
	n := github.ParseID(string(number))
	if object, ok := value.(strictjson.Object); ok && slices.ContainsFunc(object, func(m strictjson.Member) bool { return m.Key == "repository_ids" || m.Key == "organization_ids" }) {
		return
	}
	switch {
	case n == 0:
		route.Unclear = true
	case kind == bodyID:
		route.addOther(github.Account{RepositoryID: n})
	default:
		route.addOther(github.Account{AccountID: n})
	}
}

// addHead adds the repository of a branch OWNER:REPO:BRANCH. OWNER:BRANCH does not say
// what the fork is called. A branch has no colon.
func (route *Route) addHead(head string) {
	parts := strings.Split(head, ":")
	switch {
	case len(parts) == 1, len(parts) == 2 && route.Subject.Login != "" && strings.EqualFold(parts[0], route.Subject.Login):
	case len(parts) == 3 && github.IsLogin(parts[0]) && github.IsRepositoryName(parts[1]):
		route.addOther(github.Account{Login: parts[0], Repo: parts[1]})
	default:
		route.Unclear = true
	}
}

// addOther adds one whom the body names besides the path.
func (route *Route) addOther(s github.Account) {
	if s.Same(route.Subject) {
		return
	}
	if len(route.Others) >= github.MaxSubjects {
		route.Unclear = true
		return
	}
	route.Others = github.AppendSubject(slices.Clip(route.Others), s)
}
