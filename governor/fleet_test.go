package governor

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fleetOf are buckets of several replicas, each with a Governor that began at another time, that tell each other what they use. stop ends
// that.
func fleetOf(t *testing.T, n int, s Settings) (buckets []*Bucket, stop func()) {
	t.Helper()
	var governors []*Governor
	for range n {
		time.Sleep(rand.N(time.Second))
		governors = append(governors, New(s))
		buckets = append(buckets, governors[len(governors)-1].Bucket(false, nil))
	}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	for i := range buckets {
		governors[i].SetReplicas(n)
		wg.Go(func() {
			time.Sleep(rand.N(time.Second / 2))
			for {
				select {
				case <-ended:
					return
				case <-time.After(time.Second / 2):
				}
				use, some := buckets[i].Untold()
				for other := range buckets {
					if some && other != i {
						buckets[other].Told(use)
					}
				}
			}
		})
	}
	return buckets, func() { close(ended); wg.Wait() }
}

// TestFleet: what replicas let leave together is what one may, however many ask at once, wherever.
func TestFleet(t *testing.T) {
	for _, clients := range []struct{ of, at int }{{3, 3}, {3, 2}, {3, 1}, {1, 1}} {
		t.Run(fmt.Sprintf("at %d of %d", clients.at, clients.of), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const requests = 6000
				gitHub := newStrict()
				settings := Default
				settings.Limits.WritePause = 0
				settings.ReadWait, settings.WriteWait = 10*time.Hour, 10*time.Hour
				buckets, stop := fleetOf(t, clients.of, settings)
				defer stop()
				start := time.Now()
				var wg sync.WaitGroup
				for i := range requests {
					class := []Class{Read, Read, Write}[i%3]
					wg.Go(func() {
						ticket, err := buckets[i%clients.at].Admit(t.Context(), Request{Class: class, Client: fmt.Sprint(i % 10)})
						if err != nil {
							t.Error(err)
							return
						}
						gitHub.serve(class, "a")
						ticket.Done(Answer{Status: 200})
					})
				}
				wg.Wait()
				took, points := time.Since(start), gitHub.counts[Read]+5*gitHub.counts[Write]
				least := time.Duration(points-GitHub.Points) * time.Minute / time.Duration(GitHub.Points)
				t.Logf("%d points took %s, the limits allow %s; at most %v", points, took.Round(time.Second), least.Round(time.Second), gitHub.most)
				if most := gitHub.most["points"]; most > GitHub.Points*105/100 {
					t.Errorf("%d points within a minute, want about %d", most, GitHub.Points)
				}
				if gitHub.tripped["concurrent"] > 0 {
					t.Error("too many requests at once")
				}
				if took > least*5/4 {
					t.Errorf("it took %s, the limits allow %s", took, least)
				}
			})
		})
	}
}

// TestFleetPause: what GitHub says to one replica holds for the others, and for all once they know.
func TestFleetPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.ReadWait = 0
		buckets, stop := fleetOf(t, 2, settings)
		defer stop()
		answered(t, buckets[0], Request{Class: Read}, Answer{Status: 403, Fields: http.Header{"Retry-After": {"60"}}})
		time.Sleep(2 * time.Second)
		if until := buckets[1].PausedUntil(); time.Until(until) < 55*time.Second || time.Until(until) > 60*time.Second {
			t.Errorf("the other one waits until %s, want 58 seconds", until)
		}
		if use, some := buckets[0].Untold(); some {
			t.Errorf("what was told once is told again: %v", use)
		}
		time.Sleep(59 * time.Second)
		answered(t, buckets[1], Request{Class: Read}, Answer{Status: 200})
	})
}

// TestFleetLies: what is told is believed up to a window.
func TestFleetLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.ReadWait = 0
		bucket := New(settings).Bucket(false, nil)
		use := Use{Paused: 1000 * time.Hour}
		for i := range use.Of {
			use.Of[i] = 1 << 60
		}
		bucket.Told(use)
		if _, err := bucket.Admit(t.Context(), Request{Class: Read}); err == nil {
			t.Error("what was told counts nothing")
		}
		time.Sleep(maxPause + time.Second)
		bucket.Told(Use{Of: [Full]int{Points: -1000}})
		answered(t, bucket, Request{Class: Create}, Answer{Status: 200})
		if s := bucket.Stats(); len(s.Used) == 0 || s.Used[len(s.Used)-1].Used != 5 {
			t.Errorf("used: %v, want 5 points last", s.Used)
		}
	})
}

// TestTold: what is told counts in a bucket that nobody has used yet, and not where limits are off; a pause that is told ends no longer
// one, and one that has ended is not told.
func TestTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Default
		settings.ReadWait = 0
		points := func(b *Bucket) int {
			for _, u := range b.Stats().Used {
				if u.Limit == Points.String() {
					return u.Used
				}
			}
			return 0
		}
		g := New(settings)
		b := g.Bucket(false, nil)
		b.Told(Use{Of: [Full]int{Points: 7}})
		if got := points(b); got != 7 {
			t.Errorf("%d points are used, want 7", got)
		}
		b.Told(Use{Paused: time.Minute})
		for _, d := range []time.Duration{time.Second, 0, -time.Hour, -1 << 63} {
			b.Told(Use{Paused: d})
			if left := time.Until(b.PausedUntil()); left != time.Minute {
				t.Errorf("after a pause of %s nothing leaves for %s, want a minute", d, left)
			}
		}
		off := settings
		off.On = false
		g.Set(off)
		b.Told(Use{Of: [Full]int{Points: 100}, Paused: time.Hour})
		g.Set(settings)
		if got, left := points(b), time.Until(b.PausedUntil()); got != 7 || left != time.Minute {
			t.Errorf("%d points, a pause of %s, want 7 and a minute: limits were off", got, left)
		}
		other := New(settings).Bucket(false, nil)
		answered(t, other, Request{Class: Read}, Answer{Status: 429, Fields: http.Header{"Retry-After": {"1"}}})
		time.Sleep(2 * time.Second)
		if use, some := other.Untold(); !some || use.Of[Points] != 1 || use.Paused != 0 {
			t.Errorf("told is %+v, want one point and no pause", use)
		}
	})
}

// TestFleetOfManyOrNone: of ever so many replicas each lets one request be under way; no Governor has no replicas, and no Bucket is told.
func TestFleetOfManyOrNone(t *testing.T) {
	settings := Default
	settings.ReadWait = 0
	g := New(settings)
	g.SetReplicas(10 * settings.Limits.Concurrent)
	b := g.Bucket(false, nil)
	ticket, err := b.Admit(t.Context(), Request{Class: Read})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Admit(t.Context(), Request{Class: Read}); err == nil {
		t.Error("two are under way")
	}
	ticket.Done(Answer{Status: 200})
	var none *Governor
	none.SetReplicas(3)
	none.Bucket(false, nil).Told(Use{Of: [Full]int{Points: 1}, Paused: time.Hour})
	if use, some := none.Bucket(false, nil).Untold(); some {
		t.Errorf("no bucket tells %+v", use)
	}
}
