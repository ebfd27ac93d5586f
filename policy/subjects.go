package policy

import (
	"fmt"
	"slices"

	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// ownerReads are the operations about an account, or about nobody, that a
// client limited to repositories may use: what they show is public, or confined
// by the repositories of the token. All else about an account (its members,
// webhooks, secrets, packages) is not.
//
// Sources: docs.github.com "Endpoints available for GitHub App installation
// access tokens", and the description of each endpoint.
var ownerReads = []string{
	// Nobody's.
	"codes-of-conduct/get-all-codes-of-conduct",
	"codes-of-conduct/get-conduct-code",
	"emojis/get",
	"gitignore/get-all-templates",
	"gitignore/get-template",
	"licenses/get",
	"licenses/get-all-commonly-used",
	"markdown/render",
	"markdown/render-raw",
	"meta/get",
	"meta/get-all-versions",
	"meta/get-octocat",
	"meta/get-zen",
	"meta/root",
	"rate-limit/get",
	"security-advisories/get-global-advisory",
	"security-advisories/list-global-advisories",
	// Of the token's repositories, and public ones.
	"apps/list-repos-accessible-to-installation",
	"repos/list-for-org",
	"repos/list-for-user",
	"search/code",
	"search/commits",
	"search/issues-and-pull-requests",
	"search/labels",
	"search/repos",
	// A public profile.
	"users/get-by-username",
}

// bodyNames are the operations on a repository that make or take another one,
// whose owner and name stand in the body: docs.github.com "REST API endpoints
// for repositories", for forks and for security advisories.
var bodyNames = []string{"repos/create-fork", "repos/create-using-template", "repos/transfer", "security-advisories/create-fork"}

// decideSubjects is about owners and repositories: all whom the request is
// about must be granted, and it must be certain who they are.
func (c *Client) decideSubjects(req *rules.Request, route *rules.Route, document *graphql.Document) *Denial {
	if !c.limitsSubjects() {
		return nil
	}
	subject, key := route.Subject, c.subjectKey()
	if !subject.Named() {
		switch {
		case route.Credential == rules.JWT, route.Credential == rules.ClientSecret:
			return nil // about the App itself, which jwt = true allows
		case route.Credential != rules.Installation || c.DefaultOwner == "" && !route.Unclear:
			return c.deny(key, "name the owner and the repository, or give the client a default_owner for requests that name nobody",
				"may not make a request that names nobody")
		}
		subject = github.Account{Login: c.DefaultOwner}
	}
	if route.Unclear {
		return c.deny(key, fmt.Sprintf("name owners and repositories in full, in a document that is plain JSON and smaller than %d bytes", graphql.MaxBody),
			"may not make a request of which it cannot be told whom it is about")
	}
	if denial := c.decideSubject(&subject, req, route, document); denial != nil {
		return denial
	}
	for i := range route.Others {
		if denial := c.decideSubject(&route.Others[i], req, route, document); denial != nil {
			return denial
		}
	}
	return nil
}

// IsGranted reports whether the client is granted all whom a request is about,
// for who has found their names: those of others are not to be told.
func (c *Client) IsGranted(req rules.Request, route *rules.Route, document *graphql.Document) bool {
	refuses := func(limit *Client) bool { return limit.decideSubjects(&req, route, document) != nil }
	return !refuses(c) && !c.anyWithin(refuses)
}

func (c *Client) decideSubject(s *github.Account, req *rules.Request, route *rules.Route, document *graphql.Document) *Denial {
	key := c.subjectKey()
	switch {
	case s.Login == "":
		return c.deny(key, "name the owner and the repository", "may not make a request about somebody of whom only the number is known")
	case s.Repo != "":
		if !c.grantsRepository(s) {
			return c.deny(key, c.granted(), "is not granted the repository %s/%s", s.Login, s.Repo)
		}
		if c.Repositories != nil && slices.Contains(bodyNames, route.Operation) {
			return c.deny(key, "for all of the account the client needs owners instead of repositories",
				"is granted repositories, and %q makes one or moves one, whose name is not in the path", route.Operation)
		}
	case !c.grantsAccount(s):
		return c.deny(key, c.granted(), "is not granted %s", s.Login)
	case c.Repositories != nil && !isOwnerRead(req, route, document):
		return c.deny(key, "name one of its repositories; for all of the account the client needs owners instead of repositories",
			"is granted repositories, and %q is about the account %s as a whole", route.Operation, s.Login)
	}
	return nil
}

// isOwnerRead reports whether a request about an account shows no more than what
// is public or confined by the token's repositories.
func isOwnerRead(req *rules.Request, route *rules.Route, document *graphql.Document) bool {
	if route.Operation == "graphql" {
		return document != nil && !document.Mutation
	}
	return (route.Read || req.Method == "POST") && slices.Contains(ownerReads, route.Operation)
}

// granted is a remedy: whom requests may be about.
func (c *Client) granted() string {
	switch {
	case c.Repositories != nil && len(c.Repositories) == 0: // nobody's but of a sandbox without --repo
		return "it is granted none"
	case c.Repositories != nil:
		return "it is granted " + some(c.Repositories)
	}
	return "it is granted " + some(c.Owners)
}

func (c *Client) subjectKey() string {
	if c.Repositories != nil {
		return "repositories"
	}
	return "owners"
}
