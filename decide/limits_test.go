package decide_test

import (
	"strconv"
	"testing"

	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/governor"
	"ghapp-proxy/rules"
)

// TestLimitedAs: what of GitHub's limits a request takes.
func TestLimitedAs(t *testing.T) {
	const none = governor.Class(255)
	route := func(operation string) rules.Route { return rules.Route{Operation: operation, Scheme: rules.Bearer} }
	for _, test := range []struct {
		method    string
		service   github.Service
		path      string
		operation string
		want      governor.Class
	}{
		{"GET", github.API, "/repos/a/b", "repos/get", governor.Read},
		{"HEAD", github.API, "/repos/a/b", "repos/get", governor.Read},
		{"OPTIONS", github.API, "/repos/a/b", "", governor.Read},
		{"PATCH", github.API, "/repos/a/b", "repos/update", governor.Write},
		{"PUT", github.API, "/repos/a/b/topics", "repos/replace-all-topics", governor.Write},
		{"DELETE", github.API, "/repos/a/b", "repos/delete", governor.Write},
		{"POST", github.API, "/nobody/knows", "", governor.Write},
		{"POST", github.API, "/repos/a/b/issues", "issues/create", governor.Create},
		{"POST", github.API, "/repos/a/b/issues/1/comments", "issues/create-comment", governor.Create},
		{"POST", github.API, "/repos/a/b/pulls", "pulls/create", governor.Create},
		{"POST", github.API, "/repos/a/b/releases", "repos/create-release", governor.Create},
		{"POST", github.API, "/app/installations/1/access_tokens", "apps/create-installation-access-token", governor.Mint},
		{"GET", github.API, "/rate_limit", "rate-limit/get", governor.Ask},
		{"GET", github.API, "/search/issues", "search/issues-and-pull-requests", governor.Search},
		{"GET", github.API, "/search/code", "search/code", governor.CodeSearch},
		{"POST", github.API, "/graphql", "graphql", governor.Mutation},
		{"GET", github.GHES, "/api/v3/repos/a/b", "repos/get", governor.Read},
		{"GET", github.GHES, "/api/v3/rate_limit", "rate-limit/get", governor.Ask},
		{"POST", github.GHES, "/api/graphql", "graphql", governor.Mutation},
		{"POST", github.GHES, "/api/uploads/repos/a/b/releases/1/assets", "repos/upload-release-asset", none},
		{"GET", github.GHES, "/a/b/info/refs", "", none},
		{"GET", github.GHES, "/rate_limit", "", none},
		{"POST", github.Uploads, "/repos/a/b/releases/1/assets", "repos/upload-release-asset", none},
		{"POST", github.Web, "/a/b/git-upload-pack", "", none},
		{"POST", github.Web, "/a/b.git/info/lfs/objects/batch", "", none},
		{"GET", github.Raw, "/a/b/main/x", "", none},
		{"GET", github.Codeload, "/a/b/zip/main", "", none},
	} {
		r := route(test.operation)
		got, limited := decide.LimitedAs(test.method, github.Host{Service: test.service}, test.path, &r, nil)
		if limited != (test.want != none) || limited && got != test.want {
			t.Errorf("%s %s of service %d is %v, %v, want %d", test.method, test.path, test.service, got, limited, test.want)
		}
	}
}

// TestDocumentLimitedAs: what of GitHub's limits a GraphQL document takes.
func TestDocumentLimitedAs(t *testing.T) {
	for text, want := range map[string]governor.Class{
		`{viewer{login}}`: governor.Query,
		`mutation{addStar(input:{starrableId:"R_1"}){clientMutationId}}`:                                                                governor.Mutation,
		`mutation{createIssue(input:{repositoryId:"R_1",title:"x"}){clientMutationId}}`:                                                 governor.CreateMutation,
		`mutation{b:addComment(input:{subjectId:"I_1",body:"x"}){clientMutationId}}`:                                                    governor.CreateMutation,
		`mutation{addStar(input:{starrableId:"R_1"}){clientMutationId} addComment(input:{subjectId:"I_1",body:"x"}){clientMutationId}}`: governor.CreateMutation,
	} {
		document, err := graphql.Read([]byte(`{"query":` + strconv.Quote(text) + `}`))
		if err != nil {
			t.Fatal(err)
		}
		r := rules.Route{Operation: "graphql", Scheme: rules.Bearer}
		if got, limited := decide.LimitedAs("POST", github.Host{Service: github.API}, "/graphql", &r, &document); got != want || !limited {
			t.Errorf("%s is %v, %v, want %v", text, got, limited, want)
		}
	}
}
