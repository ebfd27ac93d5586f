package governor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
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

// manyChanges and fewChanges are what the nth of a client's hundred requests is.
func manyChanges(n int) Class {
	if n%50 == 25 {
		return Create
	}
	return []Class{Read, Read, Read, Read, Read, Query, Query, Write, Mutation, Search}[n%10]
}

func fewChanges(n int) Class {
	switch n {
	case 7, 27, 47, 67:
		return Write
	case 57:
		return Create
	case 77:
		return CreateMutation
	case 37, 87:
		return Search
	}
	if n%4 == 0 {
		return Query
	}
	return Read
}

// TestBurst: 200 clients have 20,000 requests at once, of all classes. No limit of GitHub's is tripped, what the limits allow is
// used, and no client waits for much longer than another.
func TestBurst(t *testing.T) {
	for _, test := range []struct {
		name  string
		pause time.Duration
		class func(n int) Class
		tail  time.Duration // for which the last changes come one by one
	}{
		{"no pause between changes", 0, manyChanges, 0},
		{"a pause", time.Second, manyChanges, 0},
		{"points and the pause take as long", time.Second, fewChanges, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) { testBurst(t, test.pause, test.class, test.tail) })
	}
}

func testBurst(t *testing.T, pause time.Duration, classOf func(int) Class, tail time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		const clients, each = 200, 100
		gitHub := newStrict()
		settings := Default
		settings.Limits.WritePause = pause
		settings.ReadWait, settings.WriteWait = 10*time.Hour, 10*time.Hour
		bucket := New(settings).Bucket(false, nil)
		start := time.Now()
		var wg sync.WaitGroup
		for n := range clients {
			name := fmt.Sprint(n)
			for i := range each {
				class := classOf((i + n) % each)
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
		changes := gitHub.counts[Write] + gitHub.counts[Create] + gitHub.counts[Mutation] + gitHub.counts[CreateMutation]
		byWrites := time.Duration(changes-writeBurst) * pause
		least := max(byPoints, byWrites)
		t.Logf("%d points took %s; by points it takes %s, by pauses %s; %v", points, took, byPoints, byWrites, gitHub.counts)
		if float64(took-tail) > float64(least)/0.95 {
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
