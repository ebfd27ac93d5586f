package rules

import (
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
)

// api classifies a REST or GraphQL path: by GitHub's table of operations, and
// what the table does not know by the structure of its path, since operations
// that GitHub adds later follow it.
//
// Sources: docs.github.com "Endpoints available for GitHub App installation
// access tokens" and "Authenticating as a GitHub App".
func api(req Request, path github.Path) (Route, error) {
	leading := 2
	if path.Is(0, "repos") || path.Is(0, "networks") {
		leading = 3
	}
	if err := path.CheckLeading(leading); err != nil {
		return Route{}, err
	}
	route := Route{Credential: Installation, Scheme: Bearer, Form: answer.JSON}
	route.byStructure(&path)
	if path.Is(0, "search") {
		route.setSubjects(searchSubjects(req.Query), "search")
		route.Unclear = !isSearchRead(req.Query)
	}
	op, named := operationOf(req, path.Text)
	if route.Operation != "graphql" {
		route.setReach(req, &path, op, named)
	}
	if op == nil {
		route.CloneToken = route.Operation != "graphql" // nobody knows
		return route, nil
	}
	if named && op.names != namesNobody {
		if err := path.CheckLeading(op.leading()); err != nil {
			return Route{}, err
		}
		route.Subject = op.subject(&path)
	}
	route.Operation, route.Credential, route.UserOnly = op.id, op.credential, op.userOnly
	if op.credential == ClientSecret {
		route.Scheme, route.ClientID = Basic, github.Unescape(path.Segments[1])
	}
	route.HandsOut, route.CloneToken = op.handsOut, op.cloneToken
	if op.names == namesRepository {
		route.addCompared(&path)
	}
	route.addPathOthers(&path, op, named)
	return route, nil
}

// byStructure fills in what the structure of a path tells.
func (route *Route) byStructure(path *github.Path) {
	route.Operation = "api"
	switch {
	case path.Is(0, "repos"), path.Is(0, "networks"):
		route.setRepository(path.Segments[1], path.Segments[2])
	case path.Is(0, "orgs"), path.Is(0, "users"):
		route.Subject.Login = github.Unescape(path.Segments[1])
	case path.Is(0, "enterprises"):
		route.Subject.Login = github.Unescape(path.Segments[1])
		route.Subject.Enterprise = route.Subject.Login != ""
	case path.Is(0, "repositories"):
		route.Subject.RepositoryID = number(path, 1)
	case path.Is(0, "organizations"), path.Is(0, "user"):
		route.Subject.AccountID = number(path, 1)
	case path.Is(0, "teams"):
		route.Subject.TeamID = number(path, 1)
	case path.Is(0, "app"):
		route.Credential, route.Operation = JWT, "app"
		if path.Is(1, "installations") {
			route.InstallationID = github.InstallationID(number(path, 2))
		}
	case path.Is(0, "graphql"), strings.EqualFold(undisguised(path.Text), "/graphql"):
		route.Operation = "graphql"
	}
}

// leading is how many segments it takes until the path has named whom it is
// about.
func (op *restOperation) leading() int {
	if op.names == namesRepository {
		return op.at + 2
	}
	return op.at + 1
}

// subject is whom a path names, where the operation says.
func (op *restOperation) subject(path *github.Path) github.Account {
	at := path.Segments[op.at]
	switch op.names {
	case namesRepository:
		return repositorySubject(at, path.Segments[op.at+1])
	case namesEnterprise:
		owner := github.Unescape(at)
		return github.Account{Login: owner, Enterprise: owner != ""}
	case namesTeam:
		return github.Account{TeamID: number(path, op.at)}
	case namesID:
		return github.Account{AccountID: number(path, op.at)}
	case namesAccountOrID:
		if id := number(path, op.at); id != 0 {
			return github.Account{AccountID: id}
		}
	}
	return github.Account{Login: github.Unescape(at)}
}

// uploads classifies a path of the uploads service.
func uploads(req Request, path github.Path) (Route, error) {
	if err := path.CheckLeading(3); err != nil {
		return Route{}, err
	}
	route := Route{Operation: "uploads", Scheme: Bearer, Form: answer.JSON}
	if path.Is(0, "repos") && path.N > 3 {
		route.Credential = Installation
		route.setRepository(path.Segments[1], path.Segments[2])
	}
	if op, _ := operationOf(req, path.Text); op != nil {
		route.Operation = op.id
		route.HandsOut = op.handsOut
	}
	return route, nil
}

// number returns segment i if it is a decimal number that fits an int64, else 0.
func number(path *github.Path, i int) int64 { return github.ParseID(github.Unescape(path.Segments[i])) }
