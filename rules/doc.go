// Package rules decides what a request to GitHub needs: which credential, in
// which form, for whose installation, and whether it may be sent at all.
//
// It is pure: no I/O, no clock, no state. A caller describes the request and
// gets a Route:
//
//	var set rules.Set
//	route, err := set.Route(rules.Request{
//		Method: "GET",
//		Host:   github.Host{Name: "api.github.com", Service: github.API},
//		Path:   "/repos/acme/widgets/pulls",
//	})
//	// route.Credential == rules.Installation, route.Subject.Login == "acme"
//
// A Route says what is needed; package auth finds it. A refusal is part of the
// Route. The only error is a target that servers would read in several ways.
//
// Route is Classify and then Decide. A caller that reads GraphQL documents calls
// the two itself, and Route.SetDocument in between: then a rule of the user's
// sees whom the document names.
//
// # Whose
//
// A request is about the owner in its path, or in the qualifiers of a search
// (repo:, org:, user:), or in the arguments of a GraphQL document; or about an
// account, a repository or a team of which only the id is known, from the path
// or a GraphQL node id. The others that a search or a document names are in
// Route.Others.
//
// Route.Reach says how far the answer may lead from those. It comes from the fields
// of a document, the qualifiers of a search, and GitHub's descriptions of answers.
//
// The others also come from a body that may name somebody else (the new owner of a
// repository or of a fork, the repositories that get a secret), and from a path with a
// second repository in it, such as that of a comparison.
//
// # Matching
//
// A request to the API is looked up in a table of GitHub's operations, which go
// generate makes from GitHub's OpenAPI descriptions (npm package
// @octokit/openapi: github.com, Enterprise Cloud and the newest Enterprise
// Server). What the table does not know, because GitHub added it later, follows
// the structure of its path: /app and what is below it take the JWT, everything
// else an installation token.
//
// Paths are matched by method and by whole segments, as they were sent. Words
// beat parameters, and a parameter crosses slashes only where the description
// says so. Words are compared unescaped and without regard to case, and a path
// with escaped or doubled slashes also as it is without, so that no spelling of
// a guarded operation escapes notice; nor does the alias by numeric id that
// GitHub's Link headers use. Owners and repositories are unescaped once. Nothing
// that is matched is ever changed. An operation that hands out a credential is
// refused on every instance, whichever edition has it.
//
// The first whom a path names is its subject: /orgs/{org}/teams/{team_slug}/repos/{owner}/{repo}
// is about the organization, /teams/{team_id}/repos/{owner}/{repo} about the
// team's (the repository is among the others), and /organizations/{org} with a number about the organization of
// that id.
//
// # Limitations
//
// Which operations refuse installation tokens (Route.UserOnly) is known of those
// of github.com only, from a list that GitHub publishes with some delay. Where a
// path fits several patterns, GitHub's order is not documented: a word is taken
// to mean the word, also where it could be the name of a branch. GraphQL
// documents are not validated: see package graphql.
//
// # Rooms
//
// The files stand in rooms, one above the other. What is in a file knows only what
// stands before it in this list: TestRooms checks it.
//
//	routes: what a request is, whom it names, and what it needs
//		route.go subjects.go search.go
//	table: GitHub's operations, found by method and path
//		operation.go table_match.go table.go guarded.go
//	paths: what a path and a body say of the route
//		body.go compare.go path_others.go rest_reach.go api.go web.go
//	rules: the user's own, and the decision
//		rule_pattern.go rule_tree.go rule_paths.go rule.go rule_index.go rule_set.go rule_check.go classify.go
package rules
