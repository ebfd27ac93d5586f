package rules

import (
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
)

// web classifies a path of the web host: git, LFS and archives take an
// installation token, pages take nothing.
func web(req Request, path github.Path) (Route, error) {
	if err := path.CheckLeading(2); err != nil {
		return Route{}, err
	}
	route := Route{Operation: "web", Form: answer.Text}
	if path.N < 3 {
		return route, nil
	}
	get := req.Method == "GET" || req.Method == "HEAD"
	switch {
	case path.N == 4 && path.Is(2, "info") && path.Is(3, "refs"):
		// A push begins with a GET as well.
		route.setGit("info/refs", get && hasParam(req.Query, "service=git-upload-pack"))
	case path.N == 3 && path.Is(2, "git-upload-pack"):
		route.setGit("git-upload-pack", true)
	case path.N == 3 && path.Is(2, "git-receive-pack"):
		route.setGit("git-receive-pack", false)
	case path.Is(2, "info") && path.Is(3, "lfs"):
		batch := path.N == 6 && path.Is(4, "objects") && path.Is(5, "batch")
		route.setGit("lfs", get || batch)
		route.Form = answer.LFS
	case path.Is(2, "archive"), path.Is(2, "tarball"), path.Is(2, "zipball"):
		route.Operation, route.Credential, route.Scheme = "archive", Installation, Token
	default:
		return route, nil
	}
	route.setRepository(path.Segments[0], path.Segments[1])
	route.Subject.Repo = gitRepository(route.Subject.Repo)
	return route, nil
}

// setGit marks a route of git's smart HTTP protocol or of Git LFS.
func (route *Route) setGit(operation string, read bool) {
	route.Operation, route.Read, route.GitAuth = operation, read, true
	route.Credential, route.Scheme = Installation, Basic
}

// gitRepository strips what a clone URL adds to a repository's name. A wiki
// belongs to its repository.
func gitRepository(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, ".git"), ".wiki")
}

// files classifies a path of raw.githubusercontent.com or codeload.github.com.
func files(path github.Path, operation string) (Route, error) {
	if err := path.CheckLeading(2); err != nil {
		return Route{}, err
	}
	route := Route{Operation: operation, Scheme: Token, Form: answer.Text}
	if path.N > 2 {
		route.Credential = Installation
		route.setRepository(path.Segments[0], path.Segments[1])
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
