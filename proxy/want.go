package proxy

import (
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/rules"
)

// ApplyDefaultOwner names the default owner where a route names nobody.
func ApplyDefaultOwner(route *rules.Route, login string) {
	nobody := !route.Named() || route.TeamID != 0 // GitHub tells an App nothing of a team by id
	if login != "" && nobody && route.ForcedInstallation == 0 {
		route.Subject, route.Source = rules.Subject{Owner: login}, "default owner"
	}
}

// WantOf is what package auth is asked for a route that takes an installation
// token. The error is a narrowing that GitHub would not take.
func WantOf(route *rules.Route) (auth.Want, error) {
	want := auth.Want{
		Owner: owner(route.Subject), Read: route.Read,
		App: route.App, Installation: auth.InstallationID(route.ForcedInstallation),
		Resource: resourceOf(route),
	}
	for _, other := range route.Others {
		want.Others = append(want.Others, owner(other))
	}
	var err error
	if want.Narrow, err = narrowingOf(route); err != nil {
		return auth.Want{}, err
	}
	return want, nil
}

// narrowingOf is what a rule narrows the route's token to, nil for nothing.
func narrowingOf(route *rules.Route) (*auth.Narrowing, error) {
	n := route.Narrow
	if n.IsZero() {
		return nil, nil
	}
	return auth.NewNarrowing(n.Repositories, n.RepositoryIDs, n.Permissions)
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
