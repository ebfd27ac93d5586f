package auth

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/governor"
)

// Resource is one of the limits that GitHub counts apart for an installation:
// docs.github.com "REST API endpoints for rate limits". The zero value is that
// of most of the REST API.
type Resource uint8

// The resources that decide which App serves a request.
const (
	ResourceCore Resource = iota
	ResourceSearch
	ResourceCodeSearch
	ResourceGraphQL
	ResourceNone // git and files: none of the API's limits

	resources = iota // how many there are
)

// resourceNames are the values of X-Ratelimit-Resource. What is missing here,
// such as scim, limits so little that it is not worth another App.
var resourceNames = map[string]Resource{
	"core": ResourceCore, "search": ResourceSearch, "code_search": ResourceCodeSearch, "graphql": ResourceGraphQL,
}

// resourceTexts are the same the other way.
var resourceTexts = [resources]string{ResourceCore: "core", ResourceSearch: "search", ResourceCodeSearch: "code_search", ResourceGraphQL: "graphql"}

const (
	// reserveShare is the part of a limit, one in so many, that counts as used up
	// before it is: requests are under way whose answers have not told yet.
	reserveShare = 100
	// maxReset bounds how far ahead a reset is believed. GitHub's are an hour
	// ahead at most.
	maxReset = 24 * time.Hour
	// maxQuotas bounds the installations of an App whose quotas are kept.
	maxQuotas = 30000
)

// quota is what GitHub said about an installation's limits, and what holds its requests back.
type quota struct {
	windows [resources]window
	bucket  *governor.Bucket // nil for none
	clock   *clock           // the instance's
}

// window is one limit, until its reset. It is safe for concurrent use: every
// answer writes it.
type window struct {
	state      atomic.Uint64 // reset in Unix seconds << 32 | remaining; 0 if nothing is known
	limit      atomic.Uint32
	passedOver atomic.Bool // another App serves instead; for the log
}

// observe takes the head of an answer in, if it is about one of the limits, and reports whether other
// replicas should know. It allocates nothing.
func (q *quota) observe(h http.Header, now time.Time) (worthTelling bool) {
	resource, ok := resourceNames[h.Get("X-Ratelimit-Resource")]
	if !ok {
		return false // GitHub Enterprise Server has no limits unless they are turned on
	}
	limit, remaining, reset := number(h, "X-Ratelimit-Limit"), number(h, "X-Ratelimit-Remaining"), number(h, "X-Ratelimit-Reset")
	if limit <= 0 || remaining < 0 || reset <= now.Add(-minSkew).Unix() || reset > now.Add(maxReset).Unix() {
		return false
	}
	return q.windows[resource].observe(uint32(limit), uint32(remaining), uint32(reset))
}

// number reads a field of GitHub's answer, -1 if it is none that fits.
func number(h http.Header, field string) int64 {
	n, err := strconv.ParseUint(h.Get(field), 10, 32)
	if err != nil {
		return -1
	}
	return int64(n)
}

// observe takes an answer in. Answers of one window may arrive in any order:
// the least remaining counts. It reports whether a part less of it is left.
func (w *window) observe(limit, remaining, reset uint32) (changed bool) {
	for {
		old := w.state.Load()
		if uint32(old>>32) == reset {
			remaining = min(remaining, uint32(old))
		}
		if w.state.CompareAndSwap(old, uint64(reset)<<32|uint64(remaining)) {
			w.limit.Store(limit)
			before := parts - 1 // of a window of which nothing was known
			if uint32(old>>32) == reset {
				before = part(uint32(old), limit)
			}
			return part(remaining, limit) < before
		}
	}
}

// parts are in how many steps other replicas are told of a limit.
const parts = 16

// part is how much is left of a limit, in such steps; -1 where it is exhausted.
func part(remaining, limit uint32) int {
	if remaining <= limit/reserveShare {
		return -1
	}
	return int(uint64(remaining) * parts / uint64(limit))
}

// resourceOf are the limits that a class of requests takes from.
var resourceOf = [...]Resource{
	governor.Read: ResourceCore, governor.Write: ResourceCore, governor.Create: ResourceCore,
	governor.Search: ResourceSearch, governor.CodeSearch: ResourceCodeSearch,
	governor.Query: ResourceGraphQL, governor.Mutation: ResourceGraphQL, governor.CreateMutation: ResourceGraphQL,
	governor.Mint: ResourceNone, governor.Ask: ResourceNone,
}

// Left implements governor.Known.
func (q *quota) Left(c governor.Class) (governor.Left, bool) {
	resource := resourceOf[c]
	if resource == ResourceNone {
		return governor.Left{}, false
	}
	w := &q.windows[resource]
	state := w.state.Load()
	reset := time.Unix(int64(state>>32), 0).Add(minSkew - q.clock.skew()) // by our clock, when it has surely come
	if state == 0 || !time.Now().Before(reset) {
		return governor.Left{}, false
	}
	return governor.Left{Resource: resourceTexts[resource], Limit: int(w.limit.Load()), Remaining: int(uint32(state)), Reset: reset}, true
}

// exhausted reports whether GitHub will refuse the next requests; now, GitHub's time,
// may be minSkew ahead.
func (w *window) exhausted(now time.Time) bool {
	state := w.state.Load()
	if state == 0 || uint32(state) > w.limit.Load()/reserveShare {
		return false
	}
	return now.Add(-minSkew).Unix() < int64(state>>32)
}

// reset is when GitHub starts to count anew, zero if that is not known.
func (w *window) reset() time.Time {
	state := w.state.Load()
	if state == 0 {
		return time.Time{}
	}
	return time.Unix(int64(state>>32), 0)
}

// opens is when GitHub takes the next request.
func (q *quota) opens(r Resource) time.Time {
	if paused := q.bucket.PausedUntil(); !paused.IsZero() {
		return paused
	}
	return q.windows[r].reset()
}

// quotas are those of an App's installations. It is safe for concurrent use.
type quotas struct {
	governor *governor.Governor // nil for none
	clock    *clock             // the instance's
	own      quota              // of what is asked with the App's JWT

	mu  sync.Mutex
	all map[github.InstallationID]*quota
}

func newQuotas(g *governor.Governor, clock *clock) *quotas {
	q := &quotas{governor: g, clock: clock}
	q.own.bucket = g.Bucket(clock.instance.IsServer(), nil)
	return q
}

// of returns the installation's quota, the same one every time. Where there are too
// many, all are forgotten: the next answers tell again.
func (q *quotas) of(id github.InstallationID) *quota {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil || len(q.all) >= maxQuotas {
		q.all = make(map[github.InstallationID]*quota)
	}
	if q.all[id] == nil {
		made := &quota{clock: q.clock}
		made.bucket = q.governor.Bucket(q.clock.instance.IsServer(), made)
		q.all[id] = made
	}
	return q.all[id]
}

// snapshot is what is left of limits that have not been reset. now is GitHub's time.
func (q *quotas) snapshot(now time.Time) map[github.InstallationID][]QuotaStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make(map[github.InstallationID][]QuotaStats)
	for id, quota := range q.all {
		for resource := range quota.windows {
			w := &quota.windows[resource]
			if reset := w.reset(); reset.After(now) {
				all[id] = append(all[id], QuotaStats{resourceTexts[resource], int(w.limit.Load()), int(uint32(w.state.Load())), reset})
			}
		}
	}
	return all
}

// held says how the bucket of an installation is.
func (q *quotas) held(id github.InstallationID) governor.BucketStats {
	q.mu.Lock()
	known := q.all[id]
	q.mu.Unlock()
	if known == nil {
		return governor.BucketStats{}
	}
	return known.bucket.Stats()
}

// QuotaStats are one of GitHub's limits, until its reset.
type QuotaStats struct {
	Resource         string // as X-Ratelimit-Resource has it
	Limit, Remaining int
	Reset            time.Time
}
