package rules

import "ghapp-proxy/github"

// Route classifies a request and decides about it. It does no I/O. The error
// is a *TargetError: the target is ambiguous and must be answered with 400,
// whatever the route.
func (set Set) Route(req Request) (Route, error) {
	route, err := Classify(req)
	if err == nil {
		set.Decide(req, &route)
	}
	return route, err
}

// Classify is Route without the decision, for a caller that finds out more
// about whom the request means before it calls Decide. The error is that of
// Route.
func Classify(req Request) (Route, error) {
	if err := github.CheckPath(req.Path); err != nil {
		return Route{}, err
	}
	route, err := classify(req, github.SplitPath(req.Path))
	if err != nil {
		return Route{}, err
	}
	if route.Subject.Named() && route.Source == "" {
		route.Source = "path"
	}
	if !route.GitAuth {
		route.Read = req.Method == "GET" || req.Method == "HEAD"
	}
	return route, nil
}

// classify dispatches on what the host is for.
func classify(req Request, path github.Path) (Route, error) {
	switch req.Host.Service {
	case github.API:
		return api(req, path)
	case github.Uploads:
		return uploads(req, path)
	case github.Web:
		return web(req, path)
	case github.Raw:
		return files(path, "raw")
	case github.Codeload:
		return files(path, "archive")
	default:
		return enterpriseServer(req, path)
	}
}

// enterpriseServer tells the services of a GHES host apart by path.
//
// Source: docs.github.com "Getting started with the REST API" for GHES, and
// "Forming calls with GraphQL".
func enterpriseServer(req Request, path github.Path) (Route, error) {
	switch {
	case path.Is(0, "api") && path.Is(1, "v3"):
		return api(req, path.Drop(2))
	case path.Is(0, "api") && path.Is(1, "graphql"):
		return api(req, path.Drop(1))
	case path.Is(0, "api") && path.Is(1, "uploads"):
		return uploads(req, path.Drop(2))
	default:
		return web(req, path)
	}
}
