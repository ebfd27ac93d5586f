package proxy_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// long is whether tests of the cache take as long as they want: GHAPP_PROXY_CACHE.
var long = os.Getenv("GHAPP_PROXY_CACHE") != ""

// changing are resources of which each has a version, and looks different to a token of fewer repositories.
type changing struct {
	mu       sync.Mutex
	versions map[string]int
}

func (c *changing) change(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.versions[path]++
}

func (c *changing) body(r *http.Request) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := r.URL.Path
	return fmt.Sprintf(`{"path":%q,"version":%d,"text":%q}`, path, c.versions[path], strings.Repeat(path, 200))
}

// TestDay: an hour of a token's takes half a second here. Clients with different limits ask two Apps' installations for what
// changes and what does not: each answer is, octet by octet, what GitHub says to the very request without a condition, and what has not
// changed costs no quota.
func TestDay(t *testing.T) {
	hours := 4
	if long {
		hours = 24
	}
	const life, seed = time.Second, 7
	w, kept := startCached(t, func(s *setup) {
		s.options.Clients = clients(t,
			&policy.Client{Name: "all", Secret: policy.HashSecret("ALL")},
			&policy.Client{Name: "agent", Secret: policy.HashSecret("AGENT"), Repositories: repositories(t, "acme/widgets"), Permissions: map[string]string{"contents": "read", "issues": "read"}},
			&policy.Client{Name: "docs", Secret: policy.HashSecret("DOCS"), Repositories: repositories(t, "acme/widgets", "globex/tools"), Permissions: map[string]string{"issues": "read", "metadata": "read"}},
		)
	})
	w.github.SetTokenLifetime(life)
	world := &changing{versions: make(map[string]int)}
	var paths []string
	for _, repo := range []string{"acme/widgets", "globex/tools"} {
		for i := range 6 {
			path := fmt.Sprintf("/repos/%s/issues/%d", repo, 900+i)
			w.github.Handle("api.github.com", "GET "+path, answering(world.body))
			paths = append(paths, path)
		}
		paths = append(paths, "/repos/"+repo, "/repos/"+repo+"/issues", "/repos/"+repo+"/labels")
	}
	direct := w.github.Transport()
	direct.DisableCompression = true
	t.Cleanup(direct.CloseIdleConnections)
	askers := map[string]*http.Client{"all": w.clientAs(t, "all", "ALL", true), "agent": w.clientAs(t, "agent", "AGENT", false), "docs": w.clientAs(t, "docs", "DOCS", true)}
	agents := map[string][]string{
		"all": {"User-Agent", "octokit", "Accept-Encoding", "gzip"}, "agent": {"User-Agent", "curl/8", "Accept", "*/*"}, "docs": {"User-Agent", "octokit", "Accept-Encoding", "gzip"},
	}
	seen := make(map[string]int) // client and path → version
	random := rand.New(rand.NewPCG(seed, seed))
	asked, unchanged, cost, differ := 0, 0, 0, 0
	for hour := range hours {
		for _, path := range paths {
			if strings.Contains(path, "/issues/90") && random.IntN(12) == 0 {
				world.change(path)
			}
		}
		for end := time.Now().Add(life / 2); time.Now().Before(end); {
			name := []string{"all", "agent", "docs"}[random.IntN(3)]
			path := paths[random.IntN(len(paths))]
			if name == "agent" && strings.Contains(path, "globex") {
				continue
			}
			got := ask(t, askers[name], "https://api.github.com"+path, agents[name]...)
			asked++
			left := w.last(t, path)
			world.mu.Lock()
			version := world.versions[path] + 1
			world.mu.Unlock()
			if key := name + path; seen[key] == version && got.status == 200 {
				unchanged++
				if left.Status == 200 {
					cost++
				}
			} else {
				seen[key] = version
			}
			if want := sayDirectly(t, direct, left); want.status == 401 {
				continue // the token has ended in between
			} else if got.status != want.status || got.body != want.body ||
				got.header.Get("Content-Type") != want.header.Get("Content-Type") || got.header.Get("Content-Encoding") != want.header.Get("Content-Encoding") {
				differ++
				t.Errorf("hour %d: %s %s: %d with %d octets, GitHub says %d with %d", hour, name, path, got.status, len(got.body), want.status, len(want.body))
			}
		}
	}
	saved := 100 * float64(unchanged-cost) / float64(unchanged)
	t.Logf("%d hours, %d requests, %d mints; of %d for what has not changed %d cost quota: %.1f %% did not; %d answers differ; %+v", hours, asked, w.github.Mints(), unchanged, cost, saved, differ, kept.Stats())
	if saved < 95 || unchanged < 5*hours || w.github.Mints() < hours {
		t.Errorf("%.1f %% of %d cost no quota, want 95 %%; %d mints", saved, unchanged, w.github.Mints())
	}
}

// sayDirectly sends a request that arrived again, without a proxy and without its condition.
func sayDirectly(t *testing.T, direct http.RoundTripper, left *githubtest.Request) reply {
	t.Helper()
	req, err := http.NewRequest("GET", "https://"+left.Host+left.Target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = left.Header.Clone()
	req.Header.Del("If-None-Match")
	resp, err := direct.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// TestProbes: a client whose token does not see a private repository asks for what others were given of it, with their ETags and
// without: it gets nothing, and GitHub has never said 304 to it.
func TestProbes(t *testing.T) {
	probes := 3000
	if long {
		probes = 100_000
	}
	w, kept := startCached(t, func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "owner", Secret: policy.HashSecret("OWNER")}, &policy.Client{Name: "prober", Secret: policy.HashSecret("PROBER")})
		s.options.Rules.Rules = []rules.Rule{{Clients: []string{"prober"}, Auth: rules.Installation, Narrow: narrowed(t, []string{"rockets"}, nil)}}
	})
	owner, prober := w.clientAs(t, "owner", "OWNER", true), w.clientAs(t, "prober", "PROBER", true)
	paths := []string{"/repos/acme/widgets", "/repos/acme/widgets/issues", "/repos/acme/widgets/labels", "/repos/acme/widgets/branches"}
	var tags []string
	for _, path := range paths {
		for range 2 {
			tags = append(tags, ask(t, owner, "https://api.github.com"+path).header.Get("Etag"))
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i := range probes {
		var fields []string
		switch random.IntN(4) {
		case 0:
			fields = []string{"If-None-Match", tags[random.IntN(len(tags))]}
		case 1:
			fields = []string{"If-None-Match", strings.Join(tags, ", ")}
		case 2:
			fields = []string{"If-None-Match", `W/"` + strings.Repeat(fmt.Sprintf("%08x", random.Uint32()), 8) + `"`}
		}
		path := paths[random.IntN(len(paths))]
		if r := ask(t, prober, "https://api.github.com"+path, fields...); r.status != 404 || strings.Contains(r.body, "widgets") || r.header.Get("Etag") != "" {
			t.Fatalf("%s %v: %d %s", path, fields, r.status, r.body)
		}
		if i%1000 == 999 {
			answered304(t, w, "rockets", 0)
			w.github.RestoreRateLimit(111)
		}
	}
	for _, path := range paths {
		if r := ask(t, owner, "https://api.github.com"+path); r.how() != revalidate {
			t.Errorf("the owner's %s is not kept any more: %s", path, r.how())
		}
	}
	s := kept.Stats()
	t.Logf("%d probes: %+v", probes, s)
	if s.Hits != uint64(2*len(paths)) {
		t.Errorf("%d hits, want those of the owner: %d", s.Hits, 2*len(paths))
	}
}

// answered304 counts what GitHub answered with 304 to tokens for just one repository, and forgets what arrived.
func answered304(t *testing.T, w *world, repository string, want int) {
	t.Helper()
	n := 0
	for _, r := range w.github.Requests() {
		if r.Scope != nil && len(r.Scope.Repositories) == 1 && strings.HasSuffix(r.Scope.Repositories[0], repository) && r.Status == 304 {
			n++
		}
	}
	if n != want {
		t.Errorf("GitHub answered %d probes with 304, want %d", n, want)
	}
	w.github.Reset()
}
