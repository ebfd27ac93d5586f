package rules

import (
	"strings"

	"ghapp-proxy/answer"
)

// api classifies a REST or GraphQL path: by GitHub's table of operations, and
// what the table does not know by the structure of its path, since operations
// that GitHub adds later follow it.
//
// Sources: docs.github.com "Endpoints available for GitHub App installation
// access tokens" and "Authenticating as a GitHub App".
func api(req Request, path segments) (Route, error) {
	leading := 2
	if path.is(0, "repos") || path.is(0, "networks") {
		leading = 3
	}
	if err := path.checkLeading(leading); err != nil {
		return Route{}, err
	}
	route := Route{Credential: Installation, Scheme: Bearer, Form: answer.JSON}
	route.byStructure(&path)
	if path.is(0, "search") {
		route.setSubjects(searchSubjects(req.Query), "search")
		route.Unclear = !isSearchRead(req.Query)
	}
	op, named := operationOf(req, path.path)
	if route.Operation != "graphql" {
		route.setReach(req, &path, op, named)
	}
	if op == nil {
		route.CloneToken = route.Operation != "graphql" // nobody knows
		return route, nil
	}
	if named && op.names != namesNobody {
		if err := path.checkLeading(op.leading()); err != nil {
			return Route{}, err
		}
		route.Subject = op.subject(&path)
	}
	route.Operation, route.Credential, route.UserOnly = op.id, op.credential, op.userOnly
	if op.credential == ClientSecret {
		route.Scheme, route.ClientID = Basic, unescape(path.at[1])
	}
	route.HandsOut, route.CloneToken = op.handsOut, op.cloneToken
	if op.names == namesRepository {
		route.addCompared(&path)
	}
	route.addPathOthers(&path, op, named)
	return route, nil
}

// byStructure fills in what the structure of a path tells.
func (route *Route) byStructure(path *segments) {
	route.Operation = "api"
	switch {
	case path.is(0, "repos"), path.is(0, "networks"):
		route.setRepository(path.at[1], path.at[2])
	case path.is(0, "orgs"), path.is(0, "users"):
		route.Owner = unescape(path.at[1])
	case path.is(0, "enterprises"):
		route.Owner = unescape(path.at[1])
		route.Enterprise = route.Owner != ""
	case path.is(0, "repositories"):
		route.RepositoryID = number(path, 1)
	case path.is(0, "organizations"), path.is(0, "user"):
		route.AccountID = number(path, 1)
	case path.is(0, "teams"):
		route.TeamID = number(path, 1)
	case path.is(0, "app"):
		route.Credential, route.Operation = JWT, "app"
		if path.is(1, "installations") {
			route.InstallationID = number(path, 2)
		}
	case path.is(0, "graphql"), strings.EqualFold(undisguised(path.path), "/graphql"):
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
func (op *restOperation) subject(path *segments) Subject {
	at := path.at[op.at]
	switch op.names {
	case namesRepository:
		return repositorySubject(at, path.at[op.at+1])
	case namesEnterprise:
		owner := unescape(at)
		return Subject{Owner: owner, Enterprise: owner != ""}
	case namesTeam:
		return Subject{TeamID: number(path, op.at)}
	case namesID:
		return Subject{AccountID: number(path, op.at)}
	case namesAccountOrID:
		if id := number(path, op.at); id != 0 {
			return Subject{AccountID: id}
		}
	}
	return Subject{Owner: unescape(at)}
}

// repositorySubject is the repository that two segments of a path name.
func repositorySubject(owner, repo string) Subject {
	return Subject{Owner: unescape(owner), Repo: unescape(repo)}
}

// setRepository names the owner and the repository, as they stand in a path.
func (route *Route) setRepository(owner, repo string) {
	route.Subject = repositorySubject(owner, repo)
}

// uploads classifies a path of the uploads service.
func uploads(req Request, path segments) (Route, error) {
	if err := path.checkLeading(3); err != nil {
		return Route{}, err
	}
	route := Route{Operation: "uploads", Scheme: Bearer, Form: answer.JSON}
	if path.is(0, "repos") && path.n > 3 {
		route.Credential = Installation
		route.setRepository(path.at[1], path.at[2])
	}
	if op, _ := operationOf(req, path.path); op != nil {
		route.Operation = op.id
		route.HandsOut = op.handsOut
	}
	return route, nil
}

// number returns segment i if it is a decimal number that fits an int64, else 0.
func number(path *segments, i int) int64 { return decimal(unescape(path.at[i])) }
