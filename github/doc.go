// Package github knows what GitHub is, and nothing of what a user wants: its
// instances and the hosts that they serve, accounts and repositories by name and
// by id, what a token can be narrowed to, and how its paths are read.
//
//	instance, err := github.ParseInstance("api.github.com") // "github.com"
//	for _, host := range instance.Hosts() {
//		listen(host.Name) // github.com, api.github.com, uploads.github.com, …
//	}
//	account, ok := github.NodeID("R_kgDOHrjtbQ") // repository 515435885
//
// It is pure: no I/O, no clock, no state.
//
// # Limitations
//
// Hosts of a GitHub Enterprise Server with subdomain isolation are not known. What
// a node id says is a hint: see NodeID.
package github
