package githubtest

import "net/http"

// allRoutes is every operation of the REST API that the fake has.
func (s *Server) allRoutes() []route {
	var all []route
	all = append(all, appRoutes()...)
	all = append(all, metaRoutes()...)
	all = append(all, repoRoutes()...)
	all = append(all, issueRoutes()...)
	all = append(all, pullRoutes()...)
	all = append(all, releaseRoutes()...)
	all = append(all, gitRoutes()...)
	all = append(all, gitDataRoutes()...)
	all = append(all, actionsRoutes()...)
	all = append(all, accountRoutes()...)
	all = append(all, searchRoutes()...)
	all = append(all, graphqlRoutes()...)
	return all
}

func get(pattern string, accepts string, h func(*call) reply) route {
	return route{method: http.MethodGet, pattern: pattern, accepts: accepts, handle: h}
}

func post(pattern string, accepts string, h func(*call) reply) route {
	return route{method: http.MethodPost, pattern: pattern, accepts: accepts, handle: h}
}

func patch(pattern string, accepts string, h func(*call) reply) route {
	return route{method: http.MethodPatch, pattern: pattern, accepts: accepts, handle: h}
}

func del(pattern string, accepts string, h func(*call) reply) route {
	return route{method: http.MethodDelete, pattern: pattern, accepts: accepts, handle: h}
}

// as returns the route with another role.
func (rt route) as(r role) route {
	rt.role = r
	return rt
}
