// Package grant makes and verifies grants: secrets for a task that hold their own
// limits, and end by themselves.
//
//	g, err := grant.New(keys, "agent", grant.Caveats{Expires: …, Repositories: []string{"acme/widgets"}})
//	fmt.Println(g) // ghapg_…, the password of client agent at the proxy
//	…
//	less, err := g.Narrow(grant.Caveats{ReadOnly: true}) // whoever holds one can, without a key
//	…
//	held, err := source.Hold(text, clients) // the proxy
//	err = held.Check(time.Now(), from)
//	held.Client.Decide(…)
//
// A grant is a macaroon (Birgisson et al., "Macaroons: Cookies with Contextual
// Caveats for Decentralized Authorization in the Cloud", NDSS 2014): a chain of
// HMACs, the first by the root key over who it is for, each of the others by the
// one before over a link of Caveats. So nothing is stored of a grant, whoever holds
// one can add a link, and nobody can take one away. What it comes to is the
// client's limits within those of each link.
//
// # Form
//
//	"ghapg_" base64url(body, CRC-32 of "ghapg_" and body)
//	body = version 1, key id (8 bytes), nonce (16 bytes),
//	       length (1 byte) and name of the client,
//	       for each link: length (2 bytes) and Caveats as JSON,
//	       HMAC-SHA-256 (32 bytes)
//
// There is one way to write each grant; what is written in another is none. The
// checksum lets scanners for secrets tell a grant from a text like one. A caveat that
// is not known here is refused with its grant.
//
// Each link has an id, made of the HMAC up to there: nobody can choose it. Who
// revokes it revokes the grant that ends there and all that were made from that.
//
// # Limitations
//
// Whoever reads the root key can make a grant for each client. Whoever holds a
// grant can pass it on: its networks are all that binds it to a place. Who asked (the
// actor, the purpose) is what whoever made the link said.
package grant
