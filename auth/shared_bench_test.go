//go:build unix

package auth_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/internal/redistest"
	"ghapp-proxy/shared"
)

// BenchmarkTokenFromStore is what the first request for an installation costs at a replica where another has minted the token, and what
// each further one does: the median is reported, since the machine may be busy.
func BenchmarkTokenFromStore(b *testing.B) {
	const installations = 2000
	server := redistest.Start(b)
	app := newApp("ci-bot", 12345)
	app.Installations = make(map[string]github.InstallationID)
	var owners []string
	for i := range installations {
		owners = append(owners, fmt.Sprint("org-", i))
		app.Installations[owners[i]] = github.InstallationID(i + 1)
	}
	replica := func() (*auth.Source, *shared.Store) {
		store, err := shared.Open(shared.Options{URL: server.URL(), Patience: time.Second})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { store.Close() })
		s := auth.New([]*auth.App{app}, auth.Options{Transport: &api{}, Shared: store})
		b.Cleanup(s.Close)
		return s, store
	}
	first, _ := replica()
	for _, owner := range owners {
		mustToken(b, first, owner)
	}
	second, store := replica()
	var fromStore, fromMemory []time.Duration
	for i := 0; b.Loop(); i++ {
		if i%installations == 0 {
			second, store = replica()
			mustToken(b, second, owners[0]) // connects, and makes the keys
		}
		for _, took := range []*[]time.Duration{&fromStore, &fromMemory} {
			begun := time.Now()
			mustToken(b, second, owners[i%installations])
			*took = append(*took, time.Since(begun))
		}
	}
	if st := store.Stats(); st.Leases > 0 || st.Alone > 0 {
		b.Fatalf("not all came of the store: %+v", st)
	}
	median := func(of []time.Duration) time.Duration { slices.Sort(of); return of[len(of)/2] }
	b.ReportMetric(float64(median(fromStore).Microseconds()), "µs/first")
	b.ReportMetric(float64(median(fromMemory).Nanoseconds())/1000, "µs/further")
}
