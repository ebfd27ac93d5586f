package policy

import (
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// TestWithinMutations: a mutation that only the client's table knows stays allowed
// within limits that say nothing of mutations.
func TestWithinMutations(t *testing.T) {
	document := &graphql.Document{Mutation: true, Fields: []string{"newerThanThis"}}
	route := rules.Route{Operation: "graphql", Credential: rules.Installation, Subject: github.Account{Login: "acme", Repo: "widgets"}}
	req := rules.Request{Method: "POST", Host: github.GitHubCom.Hosts()[0], Path: "/graphql"}
	limit := &Client{Repositories: []rules.Glob{"acme/widgets"}}
	if denial := (&Client{Name: "a", Mutations: []string{"newerThanThis"}}).Within(limit).Decide(req, &route, document); denial != nil {
		t.Error(denial)
	}
	if (&Client{Name: "a"}).Within(limit).Decide(req, &route, document) == nil {
		t.Error("a mutation that nobody knows is allowed")
	}
}

// TestWithinNothing: limits that limit nothing leave the client as it is.
func TestWithinNothing(t *testing.T) {
	if (&Client{Name: "a"}).Within(&Client{}).Limited() {
		t.Error("the client is limited")
	}
}
