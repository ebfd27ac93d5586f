package auth

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/github"
)

// limits is the head of GitHub's answer about a limit that resets after d.
func limits(resource string, limit, remaining int, d time.Duration) http.Header {
	return http.Header{
		"X-Ratelimit-Resource":  {resource},
		"X-Ratelimit-Limit":     {strconv.Itoa(limit)},
		"X-Ratelimit-Remaining": {strconv.Itoa(remaining)},
		"X-Ratelimit-Reset":     {strconv.FormatInt(time.Now().Add(d).Unix(), 10)},
	}
}

func quotaSource() (*Source, Credential) {
	s := New([]*App{{Name: "a", Instance: "github.com", Installations: map[string]github.InstallationID{"acme": 1}}}, Options{})
	inst := s.apps["github.com"][0].ids[1]
	return s, Credential{App: inst.App, Installation: 1, inst: inst, header: newTokenHeader(nil, "ghs_x")}
}

func TestObserveQuota(t *testing.T) {
	const hour = time.Hour
	with := func(h http.Header, name, value string) http.Header { h[name] = []string{value}; return h }
	without := func(h http.Header, name string) http.Header { delete(h, name); return h }
	core := func() http.Header { return limits("core", 5000, 0, hour) }
	for _, test := range []struct {
		name string
		head func() http.Header
		want bool // core is exhausted
	}{
		{"nothing is left", core, true},
		{"one in a hundred is left", func() http.Header { return limits("core", 5000, 50, hour) }, true},
		{"more is left", func() http.Header { return limits("core", 5000, 51, hour) }, false},
		{"another resource", func() http.Header { return limits("search", 30, 0, time.Minute) }, false},
		{"an unknown resource", func() http.Header { return limits("scim", 30, 0, time.Minute) }, false},
		{"no resource", func() http.Header { return without(core(), "X-Ratelimit-Resource") }, false},
		{"no limit", func() http.Header { return without(core(), "X-Ratelimit-Limit") }, false},
		{"no remaining", func() http.Header { return without(core(), "X-Ratelimit-Remaining") }, false},
		{"no reset", func() http.Header { return without(core(), "X-Ratelimit-Reset") }, false},
		{"limit 0", func() http.Header { return with(core(), "X-Ratelimit-Limit", "0") }, false},
		{"a negative limit", func() http.Header { return with(core(), "X-Ratelimit-Limit", "-1") }, false},
		{"a negative remaining", func() http.Header { return with(core(), "X-Ratelimit-Remaining", "-1") }, false},
		{"words", func() http.Header { return with(core(), "X-Ratelimit-Remaining", "none") }, false},
		{"a reset for ever", func() http.Header { return with(core(), "X-Ratelimit-Reset", "4294967295") }, false},
		{"a reset beyond numbers", func() http.Header { return with(core(), "X-Ratelimit-Reset", "99999999999999999999") }, false},
		{"a reset long ago", func() http.Header { return limits("core", 5000, 0, -hour) }, false},
		{"no head", func() http.Header { return nil }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, cred := quotaSource()
			s.ObserveQuota(cred, test.head())
			if got := cred.exhausted(nil, ResourceCore); got != test.want {
				t.Errorf("%s: exhausted = %t, want %t", test.name, got, test.want)
			}
			if cred.exhausted(nil, ResourceNone) {
				t.Errorf("%s: git is limited", test.name)
			}
		})
	}
}

// TestQuotaResets: it is over two seconds after the reset, for the clocks' sake.
func TestQuotaResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cred := quotaSource()
		s.ObserveQuota(cred, limits("graphql", 5000, 3, time.Minute))
		for _, step := range []struct {
			wait time.Duration
			want bool
		}{{0, true}, {61 * time.Second, true}, {time.Second, false}} {
			time.Sleep(step.wait)
			if got := cred.exhausted(nil, ResourceGraphQL); got != step.want {
				t.Errorf("after %v exhausted = %t, want %t", step.wait, got, step.want)
			}
		}
		s.ObserveQuota(cred, limits("graphql", 5000, 0, time.Minute))
		s.ObserveQuota(cred, limits("graphql", 5000, 4999, time.Hour)) // GitHub changed its mind
		if cred.exhausted(nil, ResourceGraphQL) {
			t.Error("a new window is taken for the old one")
		}
	})
}

// TestQuotaOutOfOrder: answers that were overtaken do not give anything back.
func TestQuotaOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cred := quotaSource()
		var wg sync.WaitGroup
		for remaining := range 1000 {
			wg.Go(func() { s.ObserveQuota(cred, limits("core", 5000, 4000+remaining, time.Hour)) })
		}
		wg.Wait()
		if got := uint32(cred.inst.quota.windows[ResourceCore].state.Load()); got != 4000 {
			t.Errorf("%d remain, want the least of all, 4000", got)
		}
	})
}

// TestQuotaOfOthers: what is no installation's says nothing.
func TestQuotaOfOthers(t *testing.T) {
	s, cred := quotaSource()
	for _, other := range []Credential{{}, {App: cred.App, header: cred.header}} {
		s.ObserveQuota(other, limits("core", 5000, 0, time.Hour))
	}
	if cred.exhausted(nil, ResourceCore) {
		t.Error("an answer to a JWT, or to nobody, counted for an installation")
	}
}

func TestObserveQuotaAllocatesNothing(t *testing.T) {
	s, cred := quotaSource()
	h := limits("core", 5000, 4000, time.Hour)
	if n := testing.AllocsPerRun(100, func() { s.ObserveQuota(cred, h) }); n != 0 {
		t.Errorf("ObserveQuota allocates %v times, want 0", n)
	}
}

func BenchmarkObserveQuota(b *testing.B) {
	s, cred := quotaSource()
	h := limits("core", 5000, 4000, time.Hour)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.ObserveQuota(cred, h)
		}
	})
}

func TestQuotasAreBounded(t *testing.T) {
	q := newQuotas(nil, new(clock))
	first := q.of(1)
	if q.of(1) != first {
		t.Error("an installation has two quotas")
	}
	for id := range github.InstallationID(3 * maxQuotas) {
		q.of(id)
	}
	if n := len(q.all); n > maxQuotas {
		t.Errorf("%d quotas are kept, want %d at most", n, maxQuotas)
	}
}
