// Package shared keeps what replicas of the proxy share in Valkey or Redis: octets
// that mean nothing to it, for a time.
//
//	store, err := shared.Open(shared.Options{URL: "rediss://valkey.example:6379", Prefix: "ghapp-proxy:"})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//
//	value, done := store.Claim(ctx, "token|…", 0)
//	switch {
//	case value != nil: // somebody has made one
//	case done != nil: // it is ours to make, while the others wait
//		done(made, time.Hour)
//	default: // nobody can tell: go on alone
//	}
//
// # The store is not there, or slow
//
// Nobody waits for an answer of the store for longer than Options.Patience. Where it
// fails or is late three times in a row it is left alone: every question is answered at once as if
// it was empty, and what would be written is lost, until it answers in time again. It is
// asked whether it does ever more rarely, five seconds apart at last. That is logged once each way,
// and who has Back called files anew what is of use to others.
//
// The patience does not run while this process itself is not scheduled: it is counted in
// short sleeps.
//
// # The store lies
//
// Values begin with their generation, eight octets that tell them apart. The rest should
// be sealed by whoever files them, with the key as associated data: who can write the
// store can take values away, and file old ones, but no others. He can keep replicas
// waiting, for maxWait at most, and make them ask GitHub more often than they need.
// A reply that says that it is longer than anything that could be filed is not read.
//
// # Names
//
// What is filed under a key has the key's SHA-256 for a name, so that the names in the store say nothing. All names of
// one key have the same hash tag, and so lie in the same slot of a cluster.
//
// # Limitations
//
// A lease that ends while its holder still works, as where GitHub takes long and the store was away,
// lets another one work as well; what the first one makes then is filed only where there is nothing. What is
// published while a replica is not connected it does not hear: it asks again within a second.
package shared
