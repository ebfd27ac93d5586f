package decide_test

import (
	"fmt"

	"ghapp-proxy/decide"
	"ghapp-proxy/policy"
)

func ExampleDecide() {
	snapshot := &decide.Snapshot{Client: &policy.Client{Name: "agent", ReadOnly: true}}
	for _, method := range []string{"GET", "DELETE"} {
		verdict := decide.Decide(snapshot, &decide.Intake{
			Method: method, Host: hostNamed("api.github.com"), Path: "/repos/acme/widgets",
		}, decide.Effects{})
		if verdict.Refused != nil {
			fmt.Println(verdict.Refused)
			continue
		}
		fmt.Println(verdict.Route.Operation, verdict.Route.Subject, verdict.Route.Credential)
	}
	// Output:
	// repos/get acme/widgets installation
	// client agent may only read, and "repos/delete" may write (client.agent.read_only)
}
