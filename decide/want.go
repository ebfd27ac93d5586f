package decide

import (
	"slices"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// ApplyDefaultOwner names the default owner where a route names nobody.
func ApplyDefaultOwner(route *rules.Route, login string) {
	nobody := !route.Subject.Named() || route.Subject.TeamID != 0 // GitHub tells an App nothing of a team by id
	if login != "" && nobody && route.ForcedInstallation == 0 {
		route.Subject, route.Source = github.Account{Login: login}, "default owner"
	}
}

// WantOf is what package auth is asked for a route that takes an installation
// token.
func WantOf(route *rules.Route) auth.Want {
	return auth.Want{
		Owner: route.Subject, Others: slices.Clone(route.Others), Read: route.Read,
		App: route.App, Installation: route.ForcedInstallation,
		Narrow: route.Narrow, Resource: resourceOf(route),
	}
}

// resourceOf is the limit that GitHub counts a route against: docs.github.com
// "Rate limits for the REST API". git, archives and raw files have none of its.
func resourceOf(route *rules.Route) auth.Resource {
	switch {
	case route.Scheme != rules.Bearer:
		return auth.ResourceNone
	case route.Operation == "graphql":
		return auth.ResourceGraphQL
	case route.Operation == "search/code":
		return auth.ResourceCodeSearch
	case strings.HasPrefix(route.Operation, "search/"):
		return auth.ResourceSearch
	default:
		return auth.ResourceCore
	}
}

// ScopeOf is a client's Scope for package auth, nil if there is none.
func ScopeOf(c *policy.Client) *auth.Scope {
	s := c.Scope()
	if s == nil {
		return nil
	}
	scope := &auth.Scope{Key: s.Key, App: s.App, Repository: s.Repository, Permissions: s.Permissions, ReadOnly: s.ReadOnly}
	for _, name := range s.Names {
		login, repo, _ := strings.Cut(name, "/")
		scope.Names = append(scope.Names, github.Account{Login: login, Repo: repo})
	}
	if s.Account != nil {
		scope.Account = func(o github.Account) bool { return s.Account(o.Login, o.Enterprise) }
	}
	return scope
}

// AppFor is the App of an instance whose JWT a route gets: the one that is meant if the
// client may use it, else the first of those that it may.
func AppFor(source *auth.Source, route *rules.Route, instance github.Instance, client *policy.Client) string {
	meant := source.AppFor(instance, route.App, route.InstallationID, route.Subject)
	if route.App != "" || client == nil || client.DecideApp(meant) == nil {
		return meant
	}
	for _, name := range client.Apps {
		if app := source.AppFor(instance, name, route.InstallationID, route.Subject); app != "" {
			return app
		}
	}
	return meant
}
