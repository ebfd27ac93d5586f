package graphql_test

import (
	"fmt"

	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
)

func ExampleRead() {
	for _, body := range []string{
		`{"query": "{repository(owner: \"acme\", name: \"widgets\") {description}}"}`,
		`{"query": "{repository(owner: \"acme\", name: \"widgets\") {owner {repositories(first: 9) {nodes {description}}}}}"}`,
		`{"query": "mutation($id: ID!) {closeIssue(input: {issueId: $id}) {clientMutationId}}", "variables": {"id": "R_kgDNIyk"}}`,
		`{"query": "{viewer {login}}", "Query": "{viewer {email}}"}`,
	} {
		document, err := graphql.Read([]byte(body))
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(document.Fields, document.Subjects, document.Mutation, document.Reach == github.ReachNamed)
	}
	// Output:
	// [repository] [acme/widgets] false true
	// [repository] [acme/widgets] false false
	// [closeIssue] [repository 9001] true true
	// the body has the unknown key "Query"
}
