package proxy

import (
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

const (
	// maxGuesses is how many wrong secrets an address may send in a minute.
	maxGuesses = 10
	// maxStrangers is how many refusals of somebody who is not known are
	// logged of an address in a minute.
	maxStrangers = 60
	// maxAddresses bounds the addresses that are remembered.
	maxAddresses = 10000
)

// perAddress allows so much a minute to each address.
type perAddress struct {
	most int
	by   *lru.Cache[netip.Prefix, *rate.Limiter]
}

func newPerAddress(most int) *perAddress {
	by, err := lru.New[netip.Prefix, *rate.Limiter](maxAddresses)
	if err != nil {
		panic(err) // the size is positive
	}
	return &perAddress{most, by}
}

// allow counts one and reports whether it is not too much. Clients of Unix
// sockets have one address, which is none.
func (a *perAddress) allow(remote string) bool {
	prefix := networkOf(remote)
	limiter, ok := a.by.Get(prefix)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(float64(a.most)/60), a.most)
		a.by.Add(prefix, limiter)
	}
	return limiter.Allow()
}

const (
	maxHandshakeNotes = 3    // of one client and host, in a minute
	maxNoted          = 1000 // clients and hosts
)

// perName allows so much a minute to each name.
type perName struct {
	by *lru.Cache[string, *rate.Limiter]
}

func newPerName() *perName {
	by, err := lru.New[string, *rate.Limiter](maxNoted)
	if err != nil {
		panic(err) // the size is positive
	}
	return &perName{by}
}

func (n *perName) allow(name string) bool {
	limiter, ok := n.by.Get(name)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(float64(maxHandshakeNotes)/60), maxHandshakeNotes)
		n.by.Add(name, limiter)
	}
	return limiter.Allow()
}
