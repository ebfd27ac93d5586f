// Package rules decides what a request to GitHub needs: which credential, in
// which form, for whose installation, and whether it may be sent at all.
//
// It is pure: no I/O, no clock, no state. A caller describes the request and
// gets a Route:
//
//	var set rules.Set
//	route, err := set.Route(rules.Request{
//		Method: "GET",
//		Host:   rules.Host{Name: "api.github.com", Service: rules.API},
//		Path:   "/repos/acme/widgets/pulls",
//	})
//	// route.Credential == rules.Installation, route.Owner == "acme"
//
// A Route says what is needed; package auth finds it. A refusal is part of the
// Route. The only error is a target that servers would read in several ways.
//
// # Matching
//
// Paths are matched by whole segments as they were sent. Literal words are
// compared unescaped and without regard to case, so that no spelling of a
// guarded operation escapes notice; owners and repositories are unescaped
// once. Nothing that is matched is ever changed.
//
// # Limitations
//
// Routes are told apart by the structure of their path, not by GitHub's list
// of operations. A request to /graphql, /search or /repositories/{id} names no
// owner as far as this package can tell. Hosts of a GHES instance with
// subdomain isolation are not known.
package rules
