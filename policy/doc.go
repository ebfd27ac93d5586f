// Package policy says who may do what through the proxy: the clients, what is
// granted to each, and the text of a refusal.
//
// It is pure: no I/O, no clock, no state besides what it was made from. A
// caller finds out which client a connection belongs to, then asks about each
// request:
//
//	client, ok := set.ByPassword(user, password)
//	if !ok {
//		// nobody: refuse
//	}
//	route, err := rules.Classify(req)
//	// names for ids where client.LooksAtNames, then rules.Set.Decide
//	if denial := client.Decide(req, &route, document); denial != nil {
//		// answer denial.Status with denial.Error() and denial.Remedy
//	}
//	// mint within client.Scope()
//
// A nil *Client has no limits: it is everybody where no client is configured.
// So a look-up that finds nobody says so by its second result, never by nil alone.
//
// # What confines a client
//
// Two things together. Decide looks at the request: its host, operation and method,
// the names in it, the fields of its GraphQL document. Scope narrows the installation
// token, so that GitHub itself refuses the rest: the ends of a listing or of a GraphQL
// connection do not stand in the request. What cannot be told with certainty is
// refused.
//
// Credentials that GitHub cannot narrow, the App's JWT and its client secret,
// are kept from a client with any limit, unless jwt is set. So is a rule's
// auth = "keep", unless the rule names the client: these limits do not bind a
// credential that the client brings.
//
// # Limitations
//
// A client that is limited to repositories still sees what is public, in
// searches and through GraphQL, as everybody does. Lists of operations are about
// REST: a GraphQL mutation that does the same is named by mutations, or by
// graphql = "read"; only the tag "admin" is about both. Whoever may comment or
// start workflows moves refs by way of those who act on it; push and deny_push do
// not see that. A mutation that GitHub adds later is refused to a client with any
// limit, unless mutations names it.
package policy
