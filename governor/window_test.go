package governor

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestWindow: what a window says is what a list of all that was used says.
func TestWindow(t *testing.T) {
	const limit, span = 20, 120 * time.Second // of slots of a second
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 50 {
		var w window
		w.bound(limit, span, span/60)
		type use struct {
			n   int
			end time.Duration // 0 while it is under way
		}
		var uses []use
		now := time.Duration(round) * 7 * time.Second
		for range 400 {
			now += time.Duration(random.IntN(4000)) * time.Millisecond * time.Duration(1+random.IntN(1+round%9*5))
			used, under := 0, 0
			for _, u := range uses {
				if u.end == 0 {
					under += u.n
				} else if now.Truncate(time.Second)-u.end.Truncate(time.Second) <= span {
					used += u.n
				}
			}
			used += under
			n := 1 + random.IntN(5)
			if got := w.has(n, now); got != (used+n <= limit) {
				t.Fatalf("round %d, at %s: has(%d) = %v, %d are used", round, now, n, got, used)
			}
			if w.used() != used || w.under != under {
				t.Fatalf("round %d, at %s: %d are used, %d under way, want %d and %d", round, now, w.used(), w.under, used, under)
			}
			at := w.freeAt(n, now)
			if used+n <= limit && at != now || used+n > limit && at <= now {
				t.Fatalf("round %d: at %s there are %d more at %s, %d are used", round, now, n, at, used)
			}
			if under == 0 && used+n > limit {
				later := w // nothing else is used
				later.counts = append([]int32(nil), w.counts...)
				if later.has(n, at-1) {
					t.Fatalf("round %d: at %s there are %d more before %s", round, now, n, at)
				}
				if !later.has(n, at) {
					t.Fatalf("round %d: at %s there are not %d more at %s", round, now, n, at)
				}
			}
			if used+n <= limit {
				w.take(n)
				uses = append(uses, use{n: n})
			}
			if i := random.IntN(len(uses) + 1); i < len(uses) && uses[i].end == 0 && now > 0 {
				w.end(uses[i].n, now)
				uses[i].end = now
			}
		}
	}
}

// TestWindowEdges: what is more than all may leave alone; what is under way is taken to end now; no limit is none.
func TestWindowEdges(t *testing.T) {
	var w window
	w.bound(3, 120*time.Second, time.Second)
	if !w.has(5, 0) || !w.has(3, 0) {
		t.Error("what is more than all never leaves")
	}
	w.take(1)
	if w.has(5, 0) || w.has(3, 0) || !w.has(2, 0) || !w.has(0, 0) {
		t.Error("it leaves beside another")
	}
	w.take(2)
	for n, want := range map[int]time.Duration{1: 121, 3: 121, 4: 242, 6: 242, 7: 363} {
		if at := w.freeAt(n, 0); at != want*time.Second {
			t.Errorf("%d more are free at %s, want %s", n, at, want*time.Second)
		}
	}
	w.end(1, 10*time.Second)
	for n, want := range map[int]time.Duration{1: 131, 2: 131} { // the rest ends now
		if at := w.freeAt(n, 10*time.Second); at != want*time.Second {
			t.Errorf("with one answered, %d more are free at %s, want %s", n, at, want*time.Second)
		}
	}
	w.bound(4, 120*time.Second, time.Second)
	if w.used() != 3 || !w.has(1, 11*time.Second) || w.has(2, 11*time.Second) {
		t.Errorf("with another limit %d are used", w.used())
	}
	w.bound(4, 240*time.Second, time.Second)
	if w.used() != 2 {
		t.Errorf("with another span %d are used, want those under way", w.used())
	}
	var all window
	all.bound(3, 120*time.Second, time.Second)
	all.take(3)
	all.end(3, 10500*time.Millisecond)
	if at := all.freeAt(1, 10500*time.Millisecond); at != 131*time.Second {
		t.Errorf("of what was used in one slot some is free at %s", at)
	}
	var none window
	none.take(5)
	none.end(5, time.Second)
	if !none.has(1000, 0) || none.freeAt(1000, 7) != 7 || none.counts != nil {
		t.Error("no limit limits")
	}
	w.end(0, time.Hour)
	if w.newest > int64(time.Hour/w.slot) {
		t.Error("nothing counts")
	}
}
