package grant

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// manyGrants are so many grants as tasks have them, of two links.
func manyGrants(t testing.TB, r *ring, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = make1(t, r, "agent", Caveats{
			Expires: in(2 * time.Hour), Repositories: []string{fmt.Sprintf("acme/widgets-%d", i)},
			Push: []string{fmt.Sprintf("refs/heads/task-%d/**", i)}, Actor: "octocat", Purpose: fmt.Sprintf("task %d", i),
		}, Caveats{ReadOnly: i%2 == 0, Expires: in(time.Hour)}).Text()
	}
	return texts
}

// TestManyGrants: what is remembered of grants is bounded, however many there are.
func TestManyGrants(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 100_000
	r, holders := harness(t)
	texts := manyGrants(t, r, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	took := make([]time.Duration, n)
	for i := range took {
		text := texts[rand.IntN(n)]
		began := time.Now()
		if _, err := holders.Hold(text, start); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	slices.Sort(took)
	t.Logf("p50 %v, p99 %v; %d grants are remembered, in %d bytes each", took[n/2], took[n*99/100], holders.known.Len(), grown/maxHeld)
	if grown > maxHeld*8<<10 || holders.known.Len() > maxHeld {
		t.Errorf("%d grants are remembered, in %d bytes", holders.known.Len(), grown)
	}
	runtime.KeepAlive(texts)
}

func BenchmarkHold(b *testing.B) {
	r, holders := harness(b)
	texts := manyGrants(b, r, 10_000)
	b.Run("known", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := holders.Hold(texts[i%1000], start); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		keys, _ := r.Keys()
		for i := 0; b.Loop(); i++ {
			if _, err := holders.verify(texts[i%len(texts)], keys); err != nil {
				b.Fatal(err)
			}
		}
	})
}
