package proxy

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/policy"
)

// sums is a Counter.
type sums struct {
	all  map[string]int64
	away bool
}

func (s *sums) Count(_ context.Context, add map[string]int64) (map[string]int64, error) {
	if s.away {
		return nil, errors.New("away")
	}
	now := make(map[string]int64)
	for key, n := range add {
		s.all[key] += n
		now[key] = s.all[key]
	}
	return now, nil
}

// TestSharedLimits: what a client does at several replicas counts together, as long as they can tell each other.
func TestSharedLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perMinute, minutes = 600, 3
		counter := &sums{all: make(map[string]int64)}
		var replicas []map[string]caller
		for range 3 {
			u := newUsage("agent")
			u.bound(policy.Limits{RequestsPerMinute: perMinute, LookupsPerMinute: 60})
			replicas = append(replicas, map[string]caller{"agent": {usage: u}, "": {usage: newUsage("")}})
		}
		passed := func(d time.Duration) (n int) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				for _, r := range replicas {
					for range 100 { // far more than it may
						if r["agent"].usage.keepPace(r["agent"].usage.bounds()) == nil {
							n++
						}
					}
					shareLimits(t.Context(), counter, r, time.Now())
				}
			}
			return n
		}
		if n := passed(minutes * time.Minute); n < perMinute*minutes*8/10 || n > perMinute*(minutes+1) {
			t.Errorf("%d requests passed in %d minutes, want about %d", n, minutes, perMinute*minutes)
		}
		counter.away = true
		if n := passed(time.Minute); n < perMinute*2 || n > 4*perMinute {
			t.Errorf("%d requests passed in a minute of which nobody knows, want what each allows: %d", n, 3*perMinute)
		}
		counter.away = false
		counter.all = make(map[string]int64) // it was emptied
		passed(time.Minute)
		if n := passed(minutes * time.Minute); n < perMinute*minutes*6/10 || n > perMinute*(minutes+1) {
			t.Errorf("%d requests passed in %d minutes after that, want about %d", n, minutes, perMinute*minutes)
		}
		if len(counter.all) != 1 {
			t.Errorf("what is counted: %v, want requests of agent only", counter.all)
		}
		time.Sleep(2 * shareFor) // what was used long ago is over
		counter.all["limit|pace|agent"] += 1000 * perMinute
		u := replicas[0]["agent"].usage
		for range 3 {
			if refused := u.keepPace(u.bounds()); refused != nil {
				t.Errorf("after a while: %v", refused)
			}
			shareLimits(t.Context(), counter, replicas[0], time.Now())
			time.Sleep(time.Second)
		}
		counter.all["limit|pace|agent"] += 1000 * perMinute // whoever can write the store
		shareLimits(t.Context(), counter, replicas[0], time.Now())
		if u.keepPace(u.bounds()) == nil {
			t.Error("nothing is taken of what others have used")
		}
		time.Sleep(61 * time.Second)
		if refused := u.keepPace(u.bounds()); refused != nil {
			t.Errorf("a minute after a lie: %v", refused)
		}
	})
}
