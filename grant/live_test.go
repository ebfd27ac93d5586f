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
	hold := func(text string) func() error {
		return func() error { _, err := holders.Hold(text, start); return err }
	}
	measure(t, "a connection, with any of them", n, func() func() error { return hold(texts[rand.IntN(n)]) })
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d grants are remembered, in %d bytes each", holders.known.Len(), grown/maxHeld)
	if holders.known.Len() != maxHeld {
		t.Errorf("of %d grants %d are remembered", n, holders.known.Len())
	}
	if grown > maxHeld*8<<10 || holders.known.Len() > maxHeld {
		t.Errorf("%d grants are remembered, in %d bytes", holders.known.Len(), grown)
	}
	measure(t, "a connection, with one of a thousand", n, func() func() error { return hold(texts[rand.IntN(1000)]) })
	held, err := holders.Hold(texts[0], start)
	if err != nil {
		t.Fatal(err)
	}
	measure(t, "a request on it", n, func() func() error { return func() error { return holders.Good(held, start) } })
	runtime.KeepAlive(texts)
}

// measure logs how long something takes that is done n times: on the clock, which other processes run down as well, and
// of this thread's own time, where there is such a count.
func measure(t *testing.T, what string, n int, next func() func() error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock, own := make([]time.Duration, n), make([]time.Duration, n)
	for i := range n {
		do := next()
		began, used := time.Now(), threadTime()
		err := do()
		own[i], clock[i] = threadTime()-used, time.Since(began)
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(clock)
	slices.Sort(own)
	t.Logf("%s: p50 %v, p99 %v; of the thread's own time p50 %v, p99 %v", what, clock[n/2], clock[n*99/100], own[n/2], own[n*99/100])
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
