package policy

import (
	_ "embed"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// Operation is one element of allow or deny: an operation of GitHub's, requests
// by method and path, or a tag. Make one with ParseOperation; the zero value
// matches nothing.
type Operation struct {
	text    string
	id      string
	tag     string
	method  string // "*" for any
	pattern rules.Pattern
}

const (
	// TagCredentials stands for all operations that hand out a credential.
	// They need a rule that names them as well.
	TagCredentials = "credentials"
	// TagAdmin stands for the operations of admin.txt, and where it denies also
	// for those that GitHub's descriptions do not know.
	TagAdmin = "admin"
)

// ErrUnknownOperation says that GitHub has no operation of that name.
var ErrUnknownOperation = errors.New("GitHub has no such operation")

var methodAndPath = regexp.MustCompile(`^([A-Z][A-Z-]*|\*) +(/.*)$`)

// ParseOperation reads an operationId as rules take it, "METHOD /path/{pattern}"
// with * for any method, or a tag. The error may be ErrUnknownOperation.
func ParseOperation(s string) (Operation, error) {
	op := Operation{text: s}
	switch m := methodAndPath.FindStringSubmatch(s); {
	case s == TagCredentials, s == TagAdmin:
		op.tag = s
	case m != nil:
		pattern, err := rules.ParsePattern(m[2])
		if err != nil {
			return Operation{}, err
		}
		op.method, op.pattern = m[1], pattern
	case strings.ContainsAny(s, " *") || strings.HasPrefix(s, "/"):
		return Operation{}, errors.New("a path comes after one method in capitals, or after *")
	case strings.HasPrefix(s, "graphql/"):
		return Operation{}, errors.New("fields of GraphQL are named by mutations")
	case !rules.IsOperation(s):
		return Operation{}, ErrUnknownOperation
	default:
		op.id = s
	}
	return op, nil
}

// String returns the operation as it was written.
func (op Operation) String() string { return op.text }

func hasPath(list []Operation) bool {
	return slices.ContainsFunc(list, func(op Operation) bool { return op.method != "" })
}

// allows reports whether op stands for the request for certain.
func (op *Operation) allows(req *rules.Request, route *rules.Route, paths *rules.Paths) bool {
	switch {
	case op.method != "":
		return op.hasMethod(req.Method) && paths.All(op.pattern)
	case op.tag == TagCredentials:
		return route.HandsOut
	case op.tag == TagAdmin:
		return isAdmin(route.Operation)
	}
	return op.id != "" && op.id == route.Operation
}

// denies reports whether op might stand for the request.
func (op *Operation) denies(req *rules.Request, route *rules.Route, document *graphql.Document, paths *rules.Paths) bool {
	switch {
	case op.method != "":
		// GitHub takes POST for PATCH.
		method := op.hasMethod(req.Method) || op.method == "PATCH" && req.Method == "POST"
		return method && (paths.Any(op.pattern) || paths.Undecidable(op.pattern))
	case op.tag != "" && route.Exchange:
		return false // a placeholder is good for what the client may do anyway
	case op.tag == TagAdmin && isUnknown(route.Operation):
		return true
	case op.tag == TagAdmin && firstMutation(document, isAdminMutation) != "":
		return true
	}
	return op.allows(req, route, paths)
}

func (op *Operation) hasMethod(method string) bool {
	return op.method == "*" || op.method == method || op.method == "GET" && method == "HEAD"
}

// isUnknown reports an operation of the API that is known by its structure only:
// nobody can tell what it does.
func isUnknown(operation string) bool {
	return operation == "api" || operation == "app" || operation == "uploads"
}

//go:embed admin.txt
var adminText string

// adminOperations are the operations of admin.txt.
var adminOperations = sync.OnceValue(func() map[string]bool {
	all := make(map[string]bool, 1024)
	for line := range strings.Lines(adminText) {
		if line[0] != '#' {
			all[strings.TrimSuffix(line, "\n")] = true
		}
	}
	return all
})

func isAdmin(operation string) bool { return adminOperations()[operation] }
