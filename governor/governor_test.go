package governor

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answered admits a request and has it answered.
func answered(t *testing.T, b *Bucket, r Request, a Answer) {
	t.Helper()
	ticket, err := b.Admit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	ticket.Done(a)
}

// TestOrder: of one client, who came first is first.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.Concurrent = 1
		bucket := New(settings).Bucket(false, nil)
		first, err := bucket.Admit(t.Context(), Request{Class: Read})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []int
		for n := range 20 {
			go func() {
				ticket, err := bucket.Admit(t.Context(), Request{Class: Read})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, n)
				mu.Unlock()
				time.Sleep(time.Second)
				ticket.Done(Answer{Status: 200})
			}()
			synctest.Wait()
		}
		first.Done(Answer{Status: 200})
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if !slices.IsSorted(order) || len(order) != 20 {
			t.Errorf("served in the order %v", order)
		}
	})
}

// TestNobodyPasses: a write that waits for five points is not passed by reads, which need one.
func TestNobodyPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.ReadWait, settings.WriteWait = time.Hour, time.Hour
		bucket := New(settings).Bucket(false, nil)
		for range 898 {
			answered(t, bucket, Request{Class: Read, Client: "a"}, Answer{Status: 200})
		}
		written := make(chan time.Time, 1)
		go func() {
			ticket, err := bucket.Admit(t.Context(), Request{Class: Write, Client: "a"})
			if err != nil {
				t.Error(err)
			}
			ticket.Done(Answer{Status: 200})
			written <- time.Now()
		}()
		synctest.Wait()
		answered(t, bucket, Request{Class: Read, Client: "a"}, Answer{Status: 200})
		select {
		case <-written:
		case <-time.After(time.Millisecond):
			t.Error("a read came before a write that waits")
		}
		if s := bucket.g.Stats(); s.Waited["points"] != 2 || len(s.Waited) != 1 {
			t.Errorf("they waited for %v", s.Waited)
		}
	})
}

// TestLeavers: of those who leave while they wait nothing stays, and nobody waits for them.
func TestLeavers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.Concurrent = 1
		bucket := New(settings).Bucket(false, nil)
		ticket, err := bucket.Admit(t.Context(), Request{Class: Read})
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for n := range 300 {
			wg.Go(func() {
				of := ctx
				if n == 150 {
					of = t.Context()
				}
				ticket, err := bucket.Admit(of, Request{Class: Class(n % int(classes)), Client: strconv.Itoa(n % 7)})
				if (err == nil) != (n == 150) || err != nil && err != context.Canceled {
					t.Errorf("request %d: %v", n, err)
				}
				ticket.Done(Answer{Status: 200})
			})
			synctest.Wait()
		}
		if s := bucket.Stats(); s.Waiting != 300 || s.Why != "concurrent" || s.Under != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		leave()
		synctest.Wait()
		if bucket.queue.waiting != 1 {
			t.Errorf("%d wait", bucket.queue.waiting)
		}
		if s := bucket.g.Stats(); s.Waited["concurrent"] != 300 || len(s.Waited) != 1 || len(s.Refused) != 0 || s.Waiting != 299*time.Second {
			t.Errorf("%+v", s)
		}
		ticket.Done(Answer{Status: 200})
		wg.Wait()
		if bucket.queue != nil || bucket.under != 0 || bucket.quotas != [primaries]int{} {
			t.Errorf("%d are under way", bucket.under)
		}
		for l := Mints; l <= GraphQLPoints; l++ {
			if bucket.window(l).under != 0 {
				t.Errorf("%d of %s are under way", bucket.window(l).under, l)
			}
		}
	})
}

// TestKept: while changes wait for the pause between them, others leave them what they take in a minute.
func TestKept(t *testing.T) {
	for changes, want := range map[int]int{0: 600, 20: 500, 30: 450, 200: 450} {
		synctest.Test(t, func(t *testing.T) {
			settings := Default
			settings.Limits.Points, settings.Limits.Concurrent = 900, 10000
			bucket := New(settings).Bucket(false, nil)
			for range 150 {
				answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
			}
			for range writeBurst {
				answered(t, bucket, Request{Class: Write}, Answer{Status: 200})
			}
			ctx, leave := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var read atomic.Int32
			for range changes {
				wg.Go(func() { _, _ = bucket.Admit(ctx, Request{Class: Write, Client: "a"}) })
			}
			synctest.Wait()
			for range 1000 {
				wg.Go(func() {
					if _, err := bucket.Admit(ctx, Request{Class: Read, Client: "b"}); err == nil {
						read.Add(1)
					}
				})
			}
			synctest.Wait()
			if got := int(read.Load()); got != want {
				t.Errorf("%d reads left while %d changes waited, want %d", got, changes, want)
			}
			if _, err := bucket.Admit(ctx, Request{Class: Query, Client: "c"}); err != nil {
				t.Errorf("what takes nothing of it: %v", err)
			}
			leave()
			wg.Wait()
		})
	}
}

// TestSpans: what is used up of a limit within its span, and when there is more. A minute takes six seconds here.
func TestSpans(t *testing.T) {
	const minute = 6 * time.Second
	for limit, test := range map[Limit]struct {
		class Class
		most  int // requests
		span  time.Duration
		text  string
	}{
		Mints:            {Mint, 5, 60 * minute, "5 tokens an hour"},
		CreationsAMinute: {Create, 3, minute, "3 creations of content a minute"},
		CreationsAnHour:  {CreateMutation, 7, 60 * minute, "7 creations of content an hour"},
		Points:           {Write, 4, minute, "20 points a minute"},
		GraphQLPoints:    {Mutation, 6, minute, "30 points a minute of GraphQL"},
	} {
		synctest.Test(t, func(t *testing.T) {
			settings := Settings{On: true, Limits: GitHub, Minute: minute}
			settings.Limits.WritePause = 0
			l := &settings.Limits
			switch limit {
			case Mints:
				l.MintsAnHour = test.most
			case CreationsAMinute:
				l.CreationsAMinute = test.most
			case CreationsAnHour:
				l.CreationsAnHour = test.most
			case Points:
				l.Points = 5 * test.most
			case GraphQLPoints:
				l.GraphQLPoints = 5 * test.most
			}
			bucket := New(settings).Bucket(false, nil)
			for range test.most {
				answered(t, bucket, Request{Class: test.class}, Answer{Status: 304})
			}
			_, err := bucket.Admit(t.Context(), Request{Class: test.class})
			refused, ok := errors.AsType[*Refusal](err)
			if !ok || refused.Limit != limit || refused.Error() != test.text || time.Until(refused.RetryAt) != test.span+test.span/slots {
				t.Fatalf("%s: told %+v", limit, refused)
			}
			if used := bucket.Stats().Used; !slices.ContainsFunc(used, func(u Used) bool { return u.Limit == limit.String() && u.Used == u.Most }) {
				t.Errorf("%s: used is %v", limit, used)
			}
			bucket.g.Set(settings) // a reload forgets nothing
			time.Sleep(time.Until(refused.RetryAt) - 1)
			if _, err := bucket.Admit(t.Context(), Request{Class: test.class}); err == nil {
				t.Errorf("%s: there is more before it was said", limit)
			}
			time.Sleep(time.Nanosecond)
			answered(t, bucket, Request{Class: test.class}, Answer{Status: 200})
		})
	}
}

// TestWakes: who waits is woken for whatever comes first, in whatever order they came.
func TestWakes(t *testing.T) {
	for _, first := range []Class{Read, Mutation} {
		synctest.Test(t, func(t *testing.T) {
			settings := Default
			settings.ReadWait, settings.WriteWait = time.Hour, time.Hour
			bucket := New(settings).Bucket(false, nil)
			for range writeBurst {
				answered(t, bucket, Request{Class: Mutation}, Answer{Status: 200})
			}
			for range 900 {
				answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
			}
			var wg sync.WaitGroup
			for _, class := range []Class{first, Read + Mutation - first} {
				wg.Go(func() {
					ticket, err := bucket.Admit(t.Context(), Request{Class: class})
					if want := map[Class]time.Duration{Read: time.Minute + time.Minute/slots, Mutation: time.Second}[class]; err != nil || ticket.Waited != want {
						t.Errorf("%s waited for %s: %v", class, ticket.Waited, err)
					}
					ticket.Done(Answer{Status: 200})
				})
				synctest.Wait()
			}
			answered(t, bucket, Request{Class: Query}, Answer{Status: 200}) // waits for nothing
			if s := bucket.g.Stats(); s.Waited["points"] != 1 || s.Waited["write_pause"] != 1 || len(s.Waited) != 2 {
				t.Errorf("they waited for %v", s.Waited)
			}
			wg.Wait()
		})
	}
}

// TestStats: how a bucket is.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.GraphQLPoints = 0
		settings.ReadWait = time.Hour
		g := New(settings)
		bucket := g.Bucket(false, nil)
		ticket, err := bucket.Admit(t.Context(), Request{Class: Query})
		if s := bucket.Stats(); err != nil || s.Under != 1 || len(s.Used) != 0 {
			t.Errorf("%v, %+v", err, s)
		}
		ticket.Done(Answer{Status: 200})
		if s := bucket.Stats(); s.Under != 0 || s.Why != "" || len(s.Used) != 0 || !s.Paused.IsZero() {
			t.Errorf("%+v", s)
		}
		answered(t, bucket, Request{Class: Write}, Answer{Status: 429, Fields: http.Header{"Retry-After": {"70"}}})
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			ticket, err := bucket.Admit(t.Context(), Request{Class: Read})
			if err != nil || ticket.Waited != 70*time.Second {
				t.Errorf("%v after %s", err, ticket.Waited)
			}
		}()
		synctest.Wait()
		s := bucket.Stats()
		if s.Waiting != 1 || s.Why != "retry_after" || time.Until(s.Paused) != 70*time.Second || len(s.Used) != 1 || s.Used[0] != (Used{"points", 5, 900}) {
			t.Errorf("%+v", s)
		}
		<-gone
		if s := bucket.Stats(); s.Under != 1 || s.Waiting != 0 || !s.Paused.IsZero() || len(s.Used) != 1 || s.Used[0] != (Used{"points", 1, 900}) {
			t.Errorf("%+v", s)
		}
		settings.On = false
		g.Set(settings)
		if s := bucket.Stats(); s.Under != 0 || len(s.Used) != 0 {
			t.Errorf("off: %+v", s)
		}
		if r := (&Refusal{Most: "x", Waited: 90 * time.Second}); r.Error() != "x: after 1m30s" {
			t.Error(r.Error())
		}
	})
}

// TestClassString: what explain says that a request costs.
func TestClassString(t *testing.T) {
	for class, want := range map[Class]string{Read: "read, 1 point", Create: "creation of content, 5 points", Query: "GraphQL query, 1 point", Ask: "question about limits, 1 point"} {
		if got := class.String(); got != want {
			t.Errorf("%d is %q, want %q", class, got, want)
		}
	}
}

// TestFull: no client fills the line.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.Concurrent = 1
		bucket := New(settings).Bucket(false, nil)
		first, err := bucket.Admit(t.Context(), Request{Class: Read})
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		var mu sync.Mutex
		for range maxWaitingEach + 10 {
			go func() {
				ticket, err := bucket.Admit(t.Context(), Request{Class: Read, Client: "a"})
				if r, ok := errors.AsType[*Refusal](err); ok && r.Limit == Full {
					mu.Lock()
					refused++
					mu.Unlock()
				}
				ticket.Done(Answer{Status: 200})
			}()
		}
		synctest.Wait()
		if refused != 10 {
			t.Errorf("%d were refused", refused)
		}
		time.AfterFunc(time.Second, func() { first.Done(Answer{Status: 200}) })
		answered(t, bucket, Request{Class: Read, Client: "b"}, Answer{Status: 200})
		if s := bucket.g.Stats(); s.Refused["full"] != 10 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		if _, err := bucket.Admit(t.Context(), Request{Class: Read}); err != nil {
			t.Fatal(err)
		}
		gone, leave := context.WithCancel(t.Context())
		go func() { _, _ = bucket.Admit(gone, Request{Class: Read, Client: "b"}) }()
		synctest.Wait()
		leave()
		bucket.mu.Lock()
		bucket.queue.waiting += maxWaiting - 1 // of others
		bucket.mu.Unlock()
		_, err = bucket.Admit(t.Context(), Request{Class: Read, Client: "b"})
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Limit != Full || r.Left != (Left{}) || time.Until(r.RetryAt) != time.Minute/slots {
			t.Errorf("where too many wait: %v", err)
		}
		bucket.mu.Lock()
		bucket.queue.waiting -= maxWaiting - 1
		bucket.mu.Unlock()
	})
}

// TestWritePause: many that change something come one a second, a few at once.
func TestWritePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := New(Default).Bucket(false, nil)
		start := time.Now()
		for range writeBurst {
			answered(t, bucket, Request{Class: Write}, Answer{Status: 200})
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the first took %s", took)
		}
		for range 10 {
			answered(t, bucket, Request{Class: Write}, Answer{Status: 200})
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("the next ten took %s", took)
		}
		answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
		answered(t, bucket, Request{Class: Mint}, Answer{Status: 201})
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("what changes nothing for a client waited until %s", took)
		}
		time.Sleep(time.Hour)
		start = time.Now()
		for range writeBurst + 5 {
			answered(t, bucket, Request{Class: Write}, Answer{Status: 200})
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("after an hour the first and five more took %s", took)
		}
	})
}

// TestSet: other settings hold for who comes, and for who waits.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.Concurrent = 1
		g := New(settings)
		bucket, server := g.Bucket(false, nil), g.Bucket(true, nil)
		for range 1000 { // which has no limits
			if _, err := server.Admit(t.Context(), Request{Class: Read}); err != nil {
				t.Fatal(err)
			}
		}
		first, _ := bucket.Admit(t.Context(), Request{Class: Read})
		second := make(chan error, 1)
		go func() {
			ticket, err := bucket.Admit(t.Context(), Request{Class: Read})
			ticket.Done(Answer{Status: 200})
			second <- err
		}()
		synctest.Wait()
		off := settings
		off.On = false
		g.Set(off)
		synctest.Wait()
		if len(second) != 1 {
			t.Error("who waits was not told")
		}
		if len(g.held) != 0 {
			t.Errorf("somebody waits for %d buckets still", len(g.held))
		}
		if _, err := bucket.Admit(t.Context(), Request{Class: Read}); err != nil {
			t.Error(err)
		}
		first.Done(Answer{Status: 200})
		var none *Bucket
		ticket, err := none.Admit(t.Context(), Request{})
		ticket.Done(Answer{})
		if err != nil || (*Governor)(nil).Bucket(false, nil) != nil || !none.PausedUntil().IsZero() || none.Stats().Under != 0 {
			t.Error("no bucket limits")
		}
		g.Set(settings)
		third, err := bucket.Admit(t.Context(), Request{Class: Read})
		if err != nil || bucket.Stats().Under != 1 {
			t.Errorf("%v; what was let leave while it was off counts: %+v", err, bucket.Stats())
		}
		third.Done(Answer{Status: 200})
	})
}

func BenchmarkAdmit(b *testing.B) {
	settings := Default
	settings.Limits.Points = 1 << 30
	known := &said{}
	known.left.Store(&Left{Limit: 5000, Remaining: 4000, Reset: time.Now().Add(time.Hour)})
	bucket := New(settings).Bucket(false, known)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ticket, err := bucket.Admit(b.Context(), Request{Class: Read, Client: "a"})
			if err != nil {
				b.Fatal(err)
			}
			ticket.Done(Answer{Status: 200})
		}
	})
}
