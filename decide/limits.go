package decide

import (
	"net/http"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/governor"
	"ghapp-proxy/rules"
)

// LimitedAs is what a request takes of the limits of GitHub's API, if it takes anything: git, archives, raw files and uploads
// do not.
func LimitedAs(method string, host github.Host, path string, route *rules.Route, document *graphql.Document) (class governor.Class, limited bool) {
	switch host.Service {
	case github.API:
	case github.GHES:
		if !strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/api/uploads/") {
			return 0, false
		}
		path = strings.TrimPrefix(path, "/api/v3")
	default:
		return 0, false
	}
	if route.Operation == "graphql" {
		return limitedMutation(document), true
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return limitedRead(path, route), true
	}
	switch {
	case route.Operation == "apps/create-installation-access-token":
		return governor.Mint, true
	case rules.Creates(route.Operation):
		return governor.Create, true
	}
	return governor.Write, true
}

func limitedRead(path string, route *rules.Route) governor.Class {
	if path == "/rate_limit" {
		return governor.Ask
	}
	switch resourceOf(route) {
	case auth.ResourceSearch:
		return governor.Search
	case auth.ResourceCodeSearch:
		return governor.CodeSearch
	}
	return governor.Read
}

// limitedMutation is what a GraphQL document takes; nil is one that was not read, which may be a mutation.
func limitedMutation(document *graphql.Document) governor.Class {
	switch {
	case document == nil:
		return governor.Mutation
	case !document.Mutation:
		return governor.Query
	}
	for _, field := range document.Fields {
		if creates(field) {
			return governor.CreateMutation
		}
	}
	return governor.Mutation
}

// creates reports whether a mutation makes content: those of which the REST API has the same, and GitHub's description says
// there that creating content too quickly is limited (rules.Creates); discussions, which the REST API does not have.
func creates(mutation string) bool {
	switch mutation {
	case "addComment", "addDiscussionComment", "addPullRequestReview", "addPullRequestReviewComment", "addPullRequestReviewThread",
		"addPullRequestReviewThreadReply", "addSubIssue", "addBlockedBy", "createDiscussion", "createIssue", "createPullRequest",
		"mergePullRequest", "requestReviews", "revertPullRequest", "submitPullRequestReview":
		return true
	}
	return false
}
