package governor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// strict is a GitHub that counts in any sixty seconds, when a request arrives.
type strict struct {
	mu      sync.Mutex
	limits  Limits
	under   int
	arrived map[string][]time.Time // limit → of each unit
	tripped map[string]int
	most    map[string]int       // limit → within its span
	served  map[string]time.Time // client → when it was served last
	counts  map[Class]int
}

func newStrict() *strict {
	l := GitHub
	l.Concurrent = 100
	return &strict{limits: l, arrived: map[string][]time.Time{}, tripped: map[string]int{}, most: map[string]int{}, served: map[string]time.Time{}, counts: map[Class]int{}}
}

// count takes n of a limit, or trips it.
func (s *strict) count(limit string, n, most int, span time.Duration) {
	now := time.Now()
	list := s.arrived[limit]
	for len(list) > 0 && now.Sub(list[0]) >= span {
		list = list[1:]
	}
	for range n {
		list = append(list, now)
	}
	s.most[limit] = max(s.most[limit], len(list))
	if s.arrived[limit] = list; len(list) > most {
		s.tripped[limit]++
	}
}

// serve is one request, on its way and back.
func (s *strict) serve(class Class, client string) {
	time.Sleep(time.Duration(rand.Int64N(int64(300 * time.Millisecond))))
	s.mu.Lock()
	cost := costOf[class]
	if s.under++; s.under > s.limits.Concurrent {
		s.tripped["concurrent"]++
	}
	if cost.takes(Points) > 0 {
		s.count("points", cost.points, s.limits.Points, time.Minute)
	} else {
		s.count("graphql", cost.points, s.limits.GraphQLPoints, time.Minute)
	}
	if cost.takes(CreationsAMinute) > 0 {
		s.count("a minute", 1, s.limits.CreationsAMinute, time.Minute)
		s.count("an hour", 1, s.limits.CreationsAnHour, time.Hour)
	}
	s.counts[class]++
	s.mu.Unlock()
	time.Sleep(time.Duration(rand.Int64N(int64(400 * time.Millisecond))))
	s.mu.Lock()
	s.under--
	s.served[client] = time.Now()
	s.mu.Unlock()
	time.Sleep(50 * time.Millisecond)
}

// TestBurst: 200 clients have 20,000 requests at once, of all classes. No limit of GitHub's is tripped, what the limits allow is
// used, and no client waits for much longer than another.
func TestBurst(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Second} {
		t.Run(fmt.Sprintf("a pause of %s between writes", pause), func(t *testing.T) { testBurst(t, pause) })
	}
}

func testBurst(t *testing.T, pause time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		const clients, each = 200, 100
		gitHub := newStrict()
		settings := Default
		settings.Limits.WritePause = pause
		settings.ReadWait, settings.WriteWait = 10*time.Hour, 10*time.Hour
		bucket := New(settings).Bucket(false, nil)
		classes := []Class{Read, Read, Read, Read, Read, Query, Query, Write, Mutation, Search}
		start := time.Now()
		var wg sync.WaitGroup
		for n := range clients {
			name := fmt.Sprint(n)
			for i := range each {
				class := classes[i%len(classes)]
				if i%50 == 25 {
					class = Create
				}
				wg.Go(func() {
					ticket, err := bucket.Admit(t.Context(), Request{Class: class, Client: name})
					if err != nil {
						t.Error(err)
						return
					}
					gitHub.serve(class, name)
					ticket.Done(Answer{Status: 200})
				})
			}
		}
		wg.Wait()
		took := time.Since(start)
		if len(gitHub.tripped) > 0 {
			t.Errorf("tripped: %v", gitHub.tripped)
		}
		points := 0
		for class, n := range gitHub.counts {
			points += n * costOf[class].takes(Points)
		}
		// What the limits allow in a minute may leave at once.
		byPoints := time.Duration(points-GitHub.Points) * time.Minute / time.Duration(GitHub.Points)
		byWrites := time.Duration(gitHub.counts[Write]+gitHub.counts[Create]+gitHub.counts[Mutation]-writeBurst) * pause
		least := max(byPoints, byWrites)
		t.Logf("%d points took %s; by points it takes %s, by pauses %s; %v", points, took, byPoints, byWrites, gitHub.counts)
		if float64(took) > float64(least)/0.95 {
			t.Errorf("it took %s, the limits allow %s", took, least)
		}
		var ends []time.Duration
		for _, at := range gitHub.served {
			ends = append(ends, at.Sub(start))
		}
		slices.Sort(ends)
		if slowest, median := ends[len(ends)-1], ends[len(ends)/2]; float64(slowest) > 1.5*float64(median) {
			t.Errorf("the slowest client took %s, the median %s", slowest, median)
		}
		if bucket.under != 0 || bucket.queue != nil {
			t.Errorf("%d under way, queue %v", bucket.under, bucket.queue)
		}
	})
}

// answered admits a request and has it answered.
func answered(t *testing.T, b *Bucket, r Request, a Answer) {
	t.Helper()
	ticket, err := b.Admit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	ticket.Done(a)
}

// TestHours: content is made as fast as the limits allow, for hours, and the reads beside it do not wait for that.
func TestHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gitHub := newStrict()
		settings := Default
		settings.WriteWait = 10 * time.Hour
		bucket := New(settings).Bucket(false, nil)
		var wg sync.WaitGroup
		start := time.Now()
		for n := range 2000 {
			wg.Go(func() {
				ticket, err := bucket.Admit(t.Context(), Request{Class: Create + Class(n%2*2), Client: fmt.Sprint(n % 10)})
				if err != nil {
					t.Error(err)
					return
				}
				gitHub.serve(Create, "")
				ticket.Done(Answer{Status: 201})
			})
		}
		for range 1000 {
			ticket, err := bucket.Admit(t.Context(), Request{Class: Read, Client: "reader"})
			if err != nil {
				t.Fatal(err)
			}
			if ticket.Waited > 2*time.Minute {
				t.Fatalf("a read waited for %s", ticket.Waited)
			}
			ticket.Done(Answer{Status: 200})
			time.Sleep(time.Second)
		}
		wg.Wait()
		delete(gitHub.tripped, "points") // it takes each for one of the REST API
		if len(gitHub.tripped) > 0 {
			t.Errorf("tripped: %v", gitHub.tripped)
		}
		if took := time.Since(start); took > 3*time.Hour+20*time.Minute {
			t.Errorf("2,000 creations took %s", took)
		}
	})
}

// TestWeights: who weighs more gets as much more, and who asks now and then is served soon.
func TestWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.ReadWait = time.Hour
		bucket := New(settings).Bucket(false, nil)
		ctx, cancel := context.WithCancel(t.Context())
		had, start := map[string]int{}, time.Now()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for name, weight := range map[string]int{"one": 1, "three": 3} {
			for range 2000 {
				wg.Go(func() {
					for {
						ticket, err := bucket.Admit(ctx, Request{Class: Read, Client: name, Weight: weight})
						if err != nil {
							return
						}
						mu.Lock()
						if in := time.Since(start); in > 30*time.Second && in < 150*time.Second { // before, nobody had to wait
							had[name]++
						}
						mu.Unlock()
						ticket.Done(Answer{Status: 200})
					}
				})
			}
		}
		time.Sleep(150 * time.Second)
		began := time.Now()
		answered(t, bucket, Request{Class: Read, Client: "new"}, Answer{Status: 200})
		if took := time.Since(began); took > 61*time.Second {
			t.Errorf("who came last waited for %s", took)
		}
		cancel()
		wg.Wait()
		if share := float64(had["three"]) / float64(had["one"]); share < 2.9 || share > 3.1 {
			t.Errorf("three times the weight got %.1f times as much: %v", share, had)
		}
		if bucket.queue != nil || bucket.under != 0 {
			t.Error("something is left of those who have gone")
		}
	})
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
	})
}

// TestRetryAfter: after GitHub's Retry-After nothing leaves before; what cannot wait as long is told when.
func TestRetryAfter(t *testing.T) {
	after := func(s string) Answer {
		return Answer{Status: http.StatusForbidden, Fields: http.Header{"Retry-After": {s}}}
	}
	for _, test := range []struct {
		name   string
		answer Answer
		want   time.Duration
	}{
		{"some seconds", after("20"), 20 * time.Second},
		{"longer than anybody waits", after("90"), 90 * time.Second},
		{"longer than is believed", after("999999"), time.Hour},
		{"no number", after("soon"), 0},
		{"a 403 for another reason", Answer{Status: 403}, 0},
		{"a secondary limit and no time", Answer{Status: 403, Secondary: true}, time.Minute},
		{"a 429 and no time", Answer{Status: 429}, time.Minute},
		{"a 429 for the primary limit", Answer{Status: 429, Fields: http.Header{"X-Ratelimit-Remaining": {"0"}}}, 0},
		{"a 503", Answer{Status: 503, Fields: http.Header{"Retry-After": {"20"}}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := New(Default).Bucket(false, nil)
				answered(t, bucket, Request{Class: Read}, test.answer)
				start := time.Now()
				if until := bucket.PausedUntil(); test.want > 0 && until.Sub(start) != test.want || until.IsZero() != (test.want == 0) {
					t.Errorf("paused until %v", until.Sub(start))
				}
				for _, class := range []Class{Read, Write, Query, Ask} {
					_, err := bucket.Admit(t.Context(), Request{Class: class})
					var refused *Refusal
					switch took := time.Since(start); {
					case test.want <= DefaultWait:
						if err != nil || took < test.want || took > test.want+time.Second {
							t.Errorf("%v after %s", err, took)
						}
					case !errors.As(err, &refused) || refused.Limit != RetryAfter || took > 0:
						t.Errorf("%v after %s", err, took)
					case refused.RetryAt.Sub(start) != test.want:
						t.Errorf("told to come in %s", refused.RetryAt.Sub(start))
					}
				}
			})
		})
	}
}

// TestPauseTurnsAway: who waits when GitHub says to wait for longer than that is told at once.
func TestPauseTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.Limits.Concurrent = 1
		bucket := New(settings).Bucket(false, nil)
		ticket, err := bucket.Admit(t.Context(), Request{Class: Read})
		if err != nil {
			t.Fatal(err)
		}
		told := make(chan error, 20)
		for n := range 20 {
			go func() {
				_, err := bucket.Admit(t.Context(), Request{Class: Read, Client: strconv.Itoa(n % 3)})
				told <- err
			}()
		}
		time.Sleep(time.Second)
		ticket.Done(Answer{Status: 429, Fields: http.Header{"Retry-After": {"120"}}})
		synctest.Wait()
		if len(told) != 20 || bucket.queue != nil {
			t.Fatalf("%d were told", len(told))
		}
		for range 20 {
			if refused, ok := errors.AsType[*Refusal](<-told); !ok || time.Until(refused.RetryAt) != 2*time.Minute || refused.Waited != time.Second {
				t.Errorf("told %+v", refused)
			}
		}
	})
}

// said is what GitHub has said.
type said struct{ left atomic.Pointer[Left] }

func (s *said) Left(c Class) (Left, bool) {
	left := s.left.Load()
	if c == Ask || left == nil {
		return Left{}, false
	}
	return *left, true
}

// TestQuota: where nothing is left of a primary limit, nothing leaves before its reset, and no more than is left is under
// way at once.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := Left{Resource: "core", Limit: 5000, Remaining: 2, Reset: time.Now().Add(time.Hour)}
		known := &said{}
		says := func(change func(*Left)) {
			change(&left)
			next := left
			known.left.Store(&next)
		}
		says(func(*Left) {})
		bucket := New(Default).Bucket(false, known)
		one, err1 := bucket.Admit(t.Context(), Request{Class: Read})
		_, err2 := bucket.Admit(t.Context(), Request{Class: Read})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		third := make(chan error)
		go func() {
			_, err := bucket.Admit(t.Context(), Request{Class: Read})
			third <- err
		}()
		time.Sleep(time.Second)
		says(func(l *Left) { l.Remaining = 0 })
		one.Done(Answer{Status: 200})
		refused, ok := errors.AsType[*Refusal](<-third)
		if !ok || refused.Limit != Quota || refused.Left != left || time.Until(refused.RetryAt).Round(time.Second) != time.Hour-time.Second {
			t.Errorf("told %+v", refused)
		}
		if _, err := bucket.Admit(t.Context(), Request{Class: Ask}); err != nil {
			t.Errorf("what takes of no primary limit: %v", err)
		}
		says(func(l *Left) { l.Reset = time.Now().Add(20 * time.Second) })
		start := time.Now()
		time.AfterFunc(19*time.Second, func() { says(func(l *Left) { l.Remaining = 5000 }) })
		if _, err := bucket.Admit(t.Context(), Request{Class: Read}); err != nil || time.Since(start) != 20*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// TestShare: a client uses up no more of a primary limit than its share. What GitHub does not count is not counted.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := &Left{Resource: "core", Limit: 1000, Remaining: 900, Reset: time.Now().Add(time.Hour)}
		known := &said{}
		bucket := New(Default).Bucket(false, known)
		r := Request{Class: Read, Client: "a", Share: 1}
		answered(t, bucket, r, Answer{Status: 200}) // before anything is known
		known.left.Store(left)
		for range 20 {
			answered(t, bucket, r, Answer{Status: 304})
		}
		for range 9 {
			answered(t, bucket, r, Answer{Status: 200})
		}
		_, err := bucket.Admit(t.Context(), r)
		refused, ok := errors.AsType[*Refusal](err)
		if !ok || refused.Limit != Share || refused.Left.Limit != 10 || refused.Left.Remaining != 0 || !refused.RetryAt.Equal(left.Reset) {
			t.Fatalf("told %+v", refused)
		}
		answered(t, bucket, Request{Class: Read, Client: "b", Share: 1}, Answer{Status: 200})
		answered(t, bucket, Request{Class: Query, Client: "a", Share: 1}, Answer{Status: 200}) // of another limit
		known.left.Store(&Left{Resource: "core", Limit: 1000, Remaining: 900, Reset: left.Reset.Add(time.Hour)})
		answered(t, bucket, r, Answer{Status: 200})
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
				if (err == nil) != (n == 150) {
					t.Errorf("request %d: %v", n, err)
				}
				ticket.Done(Answer{Status: 200})
			})
			synctest.Wait()
		}
		if s := bucket.Stats(); s.Waiting != 300 || s.Why != "concurrent" || s.Under != 1 {
			t.Errorf("%+v", s)
		}
		leave()
		synctest.Wait()
		if bucket.queue.waiting != 1 {
			t.Errorf("%d wait", bucket.queue.waiting)
		}
		ticket.Done(Answer{Status: 200})
		wg.Wait()
		if bucket.queue != nil || bucket.under != 0 || bucket.quotas != [primaries]int{} {
			t.Errorf("%d are under way", bucket.under)
		}
		for l := range Full {
			if bucket.windows[l].under != 0 {
				t.Errorf("%d of %s are under way", bucket.windows[l].under, l)
			}
		}
	})
}

// TestPatience: who has waited for as long as it may is told when to come, which is true.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.WriteWait = 10 * time.Second
		g := New(settings)
		bucket := g.Bucket(false, nil)
		for range 450 {
			answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
		}
		time.Sleep(40 * time.Second)
		for range 450 {
			answered(t, bucket, Request{Class: Read}, Answer{Status: 200})
		}
		start := time.Now()
		_, err := bucket.Admit(t.Context(), Request{Class: Write})
		refused, ok := errors.AsType[*Refusal](err)
		if !ok || refused.Limit != Points || time.Since(start) != 0 || refused.RetryAt.Sub(start).Round(time.Second) > 21*time.Second {
			t.Fatalf("told %+v", refused)
		}
		time.Sleep(time.Until(refused.RetryAt))
		if _, err := bucket.Admit(t.Context(), Request{Class: Write}); err != nil {
			t.Errorf("when it was told: %v", err)
		}
		if s := g.Stats(); s.Refused["points"] != 1 || s.Waited["points"] != 0 {
			t.Errorf("%+v", s)
		}
	})
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
			_, err := bucket.Admit(t.Context(), Request{Class: Read})
			second <- err
		}()
		synctest.Wait()
		g.Set(Settings{})
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
		if err != nil || (*Governor)(nil).Bucket(false, nil) != nil {
			t.Error("no bucket limits")
		}
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
