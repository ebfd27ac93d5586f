package github_test

import (
	"fmt"
	"log"

	"ghapp-proxy/github"
)

func ExampleInstance_Hosts() {
	instance, err := github.ParseInstance("api.octo.ghe.com")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(instance)
	for _, host := range instance.Hosts() {
		fmt.Println(host.Name)
	}
	// Output:
	// octo.ghe.com
	// octo.ghe.com
	// api.octo.ghe.com
	// uploads.octo.ghe.com
}

// What a rule and a client both allow is what a token is minted for.
func ExampleNarrowing_And() {
	rule, err := github.NewNarrowing([]string{"widgets", "docs"}, nil, map[string]string{"contents": "write", "issues": "read"})
	if err != nil {
		log.Fatal(err)
	}
	asked, err := github.NewNarrowing([]string{"Docs"}, nil, map[string]string{"contents": "read"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rule.And(asked))
	// Output:
	// {"permissions":{"contents":"read"},"repositories":["docs"]} <nil>
}
