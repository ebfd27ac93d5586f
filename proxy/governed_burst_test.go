package proxy_test

import (
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/cache"
	"ghapp-proxy/githubtest"
	"ghapp-proxy/governor"
)

// burstMinute is how long a minute of the limits is in a burst of 20,000 requests: GHAPP_PROXY_BURST. At 6s the burst takes 110 seconds, and wants
// a fifth of a processor for itself.
var burstMinute, _ = time.ParseDuration(os.Getenv("GHAPP_PROXY_BURST"))

// wanted is a request of a burst.
type wanted struct {
	method, url, body string
	points, changes   int // that it takes of the REST API's limit, and that it makes
}

var burst = struct{ read, list, search, query, change, create, mutate wanted }{
	read:   wanted{"GET", widgets, "", 1, 0},
	list:   wanted{"GET", widgets + "/issues", "", 1, 0},
	search: wanted{"GET", "https://api.github.com/search/issues?q=repo:acme/widgets", "", 1, 0},
	query:  wanted{"POST", "https://api.github.com/graphql", `{"query":"{repository(owner:\"acme\",name:\"widgets\"){id}}"}`, 0, 0},
	change: wanted{"PATCH", widgets + "/issues/1", `{"title":"changed"}`, 5, 1},
	create: wanted{"POST", widgets + "/issues", `{"title":"new"}`, 5, 1},
	mutate: wanted{"POST", "https://api.github.com/graphql", `{"query":"mutation{createIssue(input:{repositoryId:\"` + idOf("R", 9001) + `\",title:\"x\"}){clientMutationId}}"}`, 0, 1},
}

// ofBurst is the nth request of a client's hundred.
func ofBurst(n int) wanted {
	switch n {
	case 7:
		return burst.change
	case 57:
		return burst.create
	case 77:
		return burst.mutate
	case 37, 87:
		return burst.search
	}
	switch {
	case n%4 == 0:
		return burst.query
	case n%2 == 0:
		return burst.list
	}
	return burst.read
}

// TestGovernedBurst: 200 clients ask for much more at once than GitHub's limits allow. None is tripped, and all are answered. With
// GHAPP_PROXY_BURST, of 20,000 requests, what the limits allow is used, and no client waits for much longer than another.
func TestGovernedBurst(t *testing.T) {
	const many = 200
	settings := governor.Default // which are GitHub's limits
	limits := githubtest.GitHubLimits()
	limits.Minute, limits.Takes = 2*time.Second, 5*time.Millisecond
	each, step, kept := 10, 7, cache.New(8<<20) // of a client's hundred
	if burstMinute > 0 {
		each, step, kept, limits.Minute = 100, 1, nil, burstMinute // who asks the same at once would share answers
	} else {
		settings.Limits.Points, settings.Limits.CreationsAMinute = 300, 20
		limits.Points, limits.CreationsAMinute = 300, 20
	}
	settings.Minute, settings.ReadWait, settings.WriteWait = limits.Minute, 10*time.Minute, 10*time.Minute
	settings.Limits.WritePause = limits.Minute / 60
	w, g := startGoverned(t, settings, many, func(s *setup) { s.options.Cache = kept })
	w.github.LimitSecondary(limits)
	w.github.SetRateLimit(111, 1_000_000) // or it takes hours
	var wg sync.WaitGroup
	var mu sync.Mutex
	points, changes, start := 0, 0, time.Now()
	ends := make([]time.Duration, many)
	for n := range many {
		name := "c" + strconv.Itoa(n)
		client := w.clientAs(t, name, name, true)
		ask := func(i int) {
			r := ofBurst((i*step + n) % 100)
			got := send(t, client, r.method, r.url, r.body)
			if got.status >= 300 {
				t.Errorf("%s %s: %d %s", r.method, r.url, got.status, got.body)
			}
			mu.Lock()
			defer mu.Unlock()
			points, changes, ends[n] = points+r.points, changes+r.changes, time.Since(start)
		}
		wg.Go(func() {
			ask(0) // the others take its connection
			for i := 1; i < each; i++ {
				wg.Go(func() { ask(i) })
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if tripped := w.github.Tripped(); len(tripped) > 0 {
		t.Errorf("tripped: %v", tripped)
	}
	stats := g.Stats()
	if len(stats.Waited) == 0 || len(stats.Refused) > 0 {
		t.Errorf("it was no burst: %+v", stats)
	}
	if burstMinute == 0 {
		return
	}
	slices.Sort(ends)
	least := max(time.Duration(points-limits.Points)*limits.Minute/time.Duration(limits.Points), time.Duration(changes-30)*settings.Limits.WritePause)
	used, slowest := float64(least)/float64(took-limits.Minute), float64(ends[many-1])/float64(ends[many/2]) // the last changes come one by one, for a minute
	t.Logf("%d requests, %d points, %d changes took %s; the limits allow %s: %.1f %%; the slowest client took %.2f times the median; %+v",
		many*each, points, changes, took, least, 100*used, slowest, stats)
	if used < .95 || slowest > 1.5 {
		t.Errorf("%.1f %% of what the limits allow, the slowest client %.2f times the median", 100*used, slowest)
	}
}
