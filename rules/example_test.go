package rules_test

import (
	"fmt"
	"log"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// What is built in decides by what GitHub's descriptions say of an operation.
func Example() {
	api := github.Host{Name: "api.github.com", Service: github.API}
	web := github.Host{Name: "github.com", Service: github.Web}
	for _, req := range []rules.Request{
		{Method: "GET", Host: api, Path: "/repos/acme/widgets/pulls"},
		{Method: "GET", Host: api, Path: "/app/installations"},
		{Method: "POST", Host: web, Path: "/acme/widgets.git/git-upload-pack"},
		{Method: "GET", Host: web, Path: "/login"},
		{Method: "POST", Host: api, Path: "/app/installations/111/access_tokens"},
	} {
		route, err := rules.Set{}.Route(req)
		if err != nil {
			log.Fatal(err)
		}
		if route.Refused != "" {
			fmt.Printf("%s: %s\n", route.Operation, route.Refused)
			continue
		}
		fmt.Printf("%s: %s %q\n", route.Operation, route.Credential, route.Subject)
	}
	// Output:
	// pulls/list: installation "acme/widgets"
	// apps/list-installations: jwt ""
	// git-upload-pack: installation "acme/widgets"
	// web: none ""
	// apps/create-installation-access-token: this operation hands out a credential, and tools behind the proxy never hold one
}

// The first of the user's rules that matches decides.
func ExampleSet_Route() {
	merge, err := rules.ParsePattern("/repos/{owner}/{repo}/pulls/*/merge")
	if err != nil {
		log.Fatal(err)
	}
	reading, err := github.NewNarrowing(nil, nil, map[string]string{"contents": "read"})
	if err != nil {
		log.Fatal(err)
	}
	set := rules.Set{Rules: []rules.Rule{
		{Methods: []string{"PUT"}, Paths: []rules.Pattern{merge}, Deny: "a person merges"},
		{Owners: []rules.Glob{"acme"}, Auth: rules.Installation, App: "ci-bot", Narrow: reading},
	}}
	api := github.Host{Name: "api.github.com", Service: github.API}
	for _, req := range []rules.Request{
		{Method: "PUT", Host: api, Path: "/repos/acme/widgets/pulls/1/merge"},
		{Method: "GET", Host: api, Path: "/repos/acme/widgets/readme"},
		{Method: "GET", Host: api, Path: "/repos/globex/tools/readme"},
	} {
		route, err := set.Route(req)
		if err != nil {
			log.Fatal(err)
		}
		if route.Refused != "" {
			fmt.Println(route.Refused)
			continue
		}
		fmt.Printf("rule %d: %s of App %q %s\n", route.Rule, route.Credential, route.App, route.Narrow)
	}
	// Output:
	// rule[1] denies this: a person merges
	// rule 2: installation of App "ci-bot" {"permissions":{"contents":"read"}}
	// rule 0: installation of App ""
}

// Check finds rules that cannot mean what they say.
func ExampleSet_Check() {
	set := rules.Set{Rules: []rules.Rule{
		{Owners: []rules.Glob{"acme"}, Auth: rules.Installation},
		{Owners: []rules.Glob{"acme"}, Methods: []string{"GET"}, Auth: rules.Installation, App: "reader"},
		{Operations: []string{"issues/creat"}, Deny: "nobody creates issues"},
	}}
	for _, fault := range set.Check(rules.KnownOperation) {
		fmt.Printf("rule[%d] %s\n", fault.Rule, fault.Problem)
	}
	// Output:
	// rule[2] rule[1] comes first and matches all that this one does
	// rule[3] GitHub has no operation "issues/creat"
}
