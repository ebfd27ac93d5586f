package search_test

import (
	"fmt"

	"ghapp-proxy/github"
	"ghapp-proxy/github/search"
)

// A search may find what is in repositories that it does not name.
func Example() {
	for _, text := range []string{"is:open repo:acme/widgets", "is:open org:acme", "is:open repo:acme/widgets OR secret"} {
		reach := map[github.Reach]string{
			github.ReachNamed: "nobody else", github.ReachOwners: "whatever they own", github.ReachAny: "anybody",
		}[search.Reach(text)]
		fmt.Println(search.Subjects(text), "and", reach)
	}
	// Output:
	// [acme/widgets] and nobody else
	// [acme] and whatever they own
	// [acme/widgets] and anybody
}
