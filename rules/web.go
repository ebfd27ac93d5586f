package rules

import (
	"strings"

	"ghapp-proxy/answer"
)

// web classifies a path of the web host: git, LFS and archives take an
// installation token, pages take nothing.
func web(req Request, path segments) (Route, error) {
	if err := path.checkLeading(2); err != nil {
		return Route{}, err
	}
	route := Route{Operation: "web", Form: answer.Text}
	if path.n < 3 {
		return route, nil
	}
	get := req.Method == "GET" || req.Method == "HEAD"
	switch {
	case path.n == 4 && path.is(2, "info") && path.is(3, "refs"):
		// A push begins with a GET as well.
		route.git("info/refs", get && hasParam(req.Query, "service=git-upload-pack"))
	case path.n == 3 && path.is(2, "git-upload-pack"):
		route.git("git-upload-pack", true)
	case path.n == 3 && path.is(2, "git-receive-pack"):
		route.git("git-receive-pack", false)
	case path.is(2, "info") && path.is(3, "lfs"):
		batch := path.n == 6 && path.is(4, "objects") && path.is(5, "batch")
		route.git("lfs", get || batch)
		route.Form = answer.LFS
	case path.is(2, "archive"), path.is(2, "tarball"), path.is(2, "zipball"):
		route.Operation, route.Credential, route.Scheme = "archive", Installation, Token
	default:
		return route, nil
	}
	route.setRepository(path.at[0], path.at[1])
	route.Repo = gitRepository(route.Repo)
	return route, nil
}

// git marks a route of git's smart HTTP protocol or of Git LFS.
func (route *Route) git(operation string, read bool) {
	route.Operation, route.Read, route.GitAuth = operation, read, true
	route.Credential, route.Scheme = Installation, Basic
}

// gitRepository strips what a clone URL adds to a repository's name. A wiki
// belongs to its repository.
func gitRepository(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".git"), ".wiki")
}

// files classifies a path of raw.githubusercontent.com or codeload.github.com.
func files(path segments, operation string) (Route, error) {
	if err := path.checkLeading(2); err != nil {
		return Route{}, err
	}
	route := Route{Operation: operation, Scheme: Token, Form: answer.Text}
	if path.n > 2 {
		route.Credential = Installation
		route.setRepository(path.at[0], path.at[1])
	}
	return route, nil
}

// hasParam reports whether the raw query has exactly this parameter.
func hasParam(query, param string) bool {
	for p := range strings.SplitSeq(query, "&") {
		if p == param {
			return true
		}
	}
	return false
}
