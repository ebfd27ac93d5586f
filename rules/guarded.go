package rules

import (
	"strings"

	"ghapp-proxy/github"
)

// operationOf returns the operation of a request to the API, nil if none is known.
// named reports that the names stand in the path where the operation has them.
//
// Servers differ in whether "%2F" is a slash, and two slashes are one. Such a path is
// taken as it was sent, unless another reading of it is a guarded operation, or the
// only one that is an operation.
func operationOf(req Request, path string) (op *restOperation, named bool) {
	t, e := operations(), editionsOf(req.Host)
	op, alias := t.find(req.Method, path, e)
	if op == nil && req.Method == "POST" {
		// GitHub has long taken POST for PATCH, and says so no more.
		op, alias = t.find("PATCH", path, e)
	}
	if plain := strings.TrimRight(github.Slashed(path), "/"); plain != path {
		if other, _ := t.find(req.Method, plain, e); other != nil && (op == nil || other.guarded() && !op.guarded()) {
			return other, false
		}
	}
	if plain := undisguised(path); plain != path && (op == nil || !op.guarded()) {
		if other, _ := t.find(req.Method, plain, e); other != nil && (op == nil || other.guarded()) {
			return other, false
		}
	}
	return op, op != nil && !alias
}

// undisguised returns what a lenient server might make of a path: unescaped
// more than once, without path parameters (;x=1), trailing spaces, or a format
// (.json) at its end. It returns path itself where there is nothing of that kind.
func undisguised(path string) string {
	if !strings.ContainsAny(path, "%;") && !strings.HasSuffix(path, ".json") {
		return path
	}
	for range 3 {
		path = github.Unescape(path)
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		part, _, _ = strings.Cut(part, ";")
		parts[i] = strings.TrimSpace(part)
	}
	path = strings.TrimRight(github.Slashed(strings.Join(parts, "/")), "/")
	return strings.TrimSuffix(path, ".json")
}
