package proxy

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// nothingLeft checks that a queue is as new.
func nothingLeft(t *testing.T, q *queue[*slot]) {
	t.Helper()
	if q.running.Load() != 0 || q.waiting.Load() != 0 || len(q.lines) != 0 || q.turns.Len() != 0 {
		t.Errorf("left are %d under way, %d that wait, %d lines and %d turns", q.running.Load(), q.waiting.Load(), len(q.lines), q.turns.Len())
	}
}

// Connections take turns, and the requests of each come in their order.
func TestQueueIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue[*slot]
		var mu sync.Mutex
		var order []string
		conns := map[string]*slot{"a": {}, "b": {}, "c": {}}
		if !q.begin(t.Context(), conns["a"], 1, time.Second) {
			t.Fatal("the first does not begin")
		}
		var all sync.WaitGroup
		for _, name := range []string{"a1", "a2", "a3", "b1", "b2", "c1"} {
			all.Go(func() {
				if !q.begin(t.Context(), conns[name[:1]], 1, time.Second) {
					t.Errorf("%s waited in vain", name)
					return
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				q.end(1)
			})
			synctest.Wait()
		}
		q.end(1)
		all.Wait()
		if got := strings.Join(order, " "); got != "a1 b1 c1 a2 b2 a3" {
			t.Errorf("the order is %s, want each connection in turn", got)
		}
		nothingLeft(t, &q)
	})
}

// Who waits in vain, leaves, or is one too many, counts no longer.
func TestQueueIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue[*slot]
		conn := new(slot)
		q.begin(t.Context(), conn, 1, time.Second)
		begin := time.Now()
		if q.begin(t.Context(), conn, 1, time.Second) || time.Since(begin) != time.Second {
			t.Errorf("one too many waited %v, want a second and nothing for it", time.Since(begin))
		}
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range maxQueued {
			all.Go(func() {
				if q.begin(ctx, new(slot), 1, time.Hour) {
					t.Error("who has left begins")
				}
			})
		}
		synctest.Wait()
		begin = time.Now()
		if q.begin(t.Context(), conn, 1, time.Second) || time.Since(begin) != 0 {
			t.Errorf("with %d that wait another waited %v, want none", maxQueued, time.Since(begin))
		}
		cancel()
		all.Wait()
		q.end(1)
		nothingLeft(t, &q)
		if !q.begin(t.Context(), conn, 1, 0) {
			t.Error("nobody is under way, and nobody may begin")
		}
	})
}

// However they come, wait and leave, never more are under way than may be, and
// nobody waits while there is room.
func TestQueueUnderLoad(t *testing.T) {
	var q queue[*slot]
	const most = 3
	var all sync.WaitGroup
	for range 8 {
		conn := new(slot)
		for range 8 {
			all.Go(func() {
				for range 200 {
					if !q.begin(t.Context(), conn, most, rand.N(100*time.Microsecond)) {
						continue
					}
					if n := q.running.Load(); n > most {
						t.Errorf("%d are under way, want %d at most", n, most)
					}
					q.end(most)
				}
			})
		}
	}
	all.Wait()
	nothingLeft(t, &q)
}

func BenchmarkQueue(b *testing.B) {
	var q queue[*slot]
	conn := new(slot)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if q.begin(b.Context(), conn, 100, time.Second) {
				q.end(100)
			}
		}
	})
}
