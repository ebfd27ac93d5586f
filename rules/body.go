package rules

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxBodyNames is the largest body, in bytes, in which SetBody looks for names.
const MaxBodyNames = 64 << 10

// bodyField is a field of the body that leads an operation to somebody else than
// its path names, or makes it another operation as well.
type bodyField struct {
	name string
	kind bodyKind
}

type bodyKind uint8

const (
	bodyOwner      bodyKind = iota // the login of an account
	bodyFullName                   // OWNER/REPO
	bodyHead                       // a branch, OWNER:BRANCH of a fork
	bodyUnknown                    // names that cannot be told
	bodyMakesAFork                 // true makes a private fork of the repository
)

// bodyFields are those fields by operation, found in the request bodies of all
// operations in GitHub's OpenAPI descriptions that name an account or a
// repository besides the one in the path.
var bodyFields = map[string][]bodyField{
	"repos/create-fork":                                       {{"organization", bodyOwner}},
	"repos/create-using-template":                             {{"owner", bodyOwner}},
	"repos/transfer":                                          {{"new_owner", bodyOwner}},
	"pulls/create":                                            {{"head", bodyHead}, {"head_repo", bodyUnknown}},
	"code-scanning/create-variant-analysis":                   {{"repositories", bodyFullName}, {"repository_owners", bodyOwner}, {"repository_lists", bodyUnknown}},
	"security-advisories/create-repository-advisory":          {{"start_private_fork", bodyMakesAFork}},
	"security-advisories/create-private-vulnerability-report": {{"start_private_fork", bodyMakesAFork}},
}

// createFork is what start_private_fork does, too.
const createFork = "security-advisories/create-fork"

// NamesInBody reports whether the body of the operation may name others than the
// path, so that a caller has to give it to SetBody wherever the request is limited.
func (route *Route) NamesInBody() bool { return bodyFields[route.Operation] != nil }

// SetBody fills in whom the body of such an operation names, and what else it
// makes of the operation. nil is a body that cannot be read: then nothing is
// certain. Call it between Classify and Decide.
func (route *Route) SetBody(body []byte) {
	fields := bodyFields[route.Operation]
	object, ok := bodyObject(body)
	if !ok {
		route.setUnread(fields)
		return
	}
	for _, member := range object {
		for _, field := range fields {
			switch {
			case member.key == field.name:
				route.setBodyField(field.kind, member.value)
			case strings.EqualFold(member.key, field.name):
				route.setUnread([]bodyField{field}) // servers may differ
			}
		}
	}
}

// bodyObject reads a body of one JSON object.
func bodyObject(body []byte) (jsonObject, bool) {
	if len(body) > MaxBodyNames || !utf8.Valid(body) || !json.Valid(body) {
		return nil, false
	}
	r := jsonReader{text: string(body), left: maxJSONValues}
	value, err := r.value(0)
	object, ok := value.(jsonObject)
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
	case value == nil, kind == bodyMakesAFork && value == jsonScalar("false"):
	case kind == bodyMakesAFork:
		route.Also = createFork
	case !isText:
		route.Unclear = true
	case text == "":
	case kind == bodyOwner && isLogin(text):
		route.addOther(Subject{Owner: text})
	case kind == bodyFullName && fullName(text).Named():
		route.addOther(fullName(text))
	case kind == bodyHead && isOwnBranch(text, route.Owner):
	default:
		route.Unclear = true
	}
}

// isOwnBranch reports whether head is a branch of the owner's, which has no colon.
func isOwnBranch(head, owner string) bool {
	of, _, ok := strings.Cut(head, ":")
	return !ok || owner != "" && strings.EqualFold(of, owner)
}

func (route *Route) addOther(s Subject) {
	if len(route.Others) >= maxSubjects {
		route.Unclear = true
		return
	}
	route.Others = appendSubject(slices.Clip(route.Others), s)
}
