package proxy_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/githubtest"

	"github.com/google/go-cmp/cmp"
)

// withReserve starts a world in which both Apps are installed on acme: ci-bot
// as 111, release-bot under the id that is returned.
func withReserve(t testing.TB) (*world, int64) {
	t.Helper()
	const reserve = 7111
	w := start(t, func(s *setup) {
		s.apps[1].Installations["acme"] = reserve
	})
	if _, err := w.github.Install(githubtest.Installation{ID: reserve, App: githubtest.ReleaseBotID, Account: "acme"}); err != nil {
		t.Fatal(err)
	}
	return w, reserve
}

// TestQuotaFailsOver: the answer that says that the quota is used up reaches the
// client; the next request is another App's.
func TestQuotaFailsOver(t *testing.T) {
	const url, path = "https://api.github.com/repos/acme/widgets", "/repos/acme/widgets"
	const query = `{"query":"{ repository(owner: \"acme\", name: \"widgets\") { name } }"}`
	w, reserve := withReserve(t)
	client := w.client(t, true)
	rest := func(wantStatus int, want int64) {
		t.Helper()
		status, text := get(t, client, url)
		if got := w.last(t, path).Installation; status != wantStatus || got != want {
			t.Errorf("GET %s: %d by installation %d, want %d by %d: %s", path, status, got, wantStatus, want, text)
		}
	}
	rest(200, 111)
	w.github.ExhaustRateLimit(111, time.Hour)
	rest(403, 111)
	rest(200, reserve)
	rest(200, reserve)

	// GraphQL is counted apart, and says it with 200.
	for _, want := range []int64{111, reserve} {
		status, text := post(t, client, "https://api.github.com/graphql", query)
		got := w.last(t, "/graphql").Installation
		if limited := strings.Contains(text, "RATE_LIMITED"); status != 200 || got != want || limited != (want == 111) {
			t.Errorf("GraphQL: %d by installation %d, want %d: %s", status, got, want, text)
		}
	}

	w.github.ExhaustRateLimit(reserve, time.Hour)
	rest(403, reserve)
	rest(403, 111) // the first App's words, where nobody can help
	if n := strings.Count(w.log.String(), "another App serves until a rate limit resets"); n != 2 {
		t.Errorf("the log says %d times that another App serves, want once for each resource", n)
	}
}

// TestSecondaryLimitPasses: GitHub's own 403 and 429, with and without
// Retry-After, are what the client gets, octet by octet.
func TestSecondaryLimitPasses(t *testing.T) {
	const url = "https://api.github.com/repos/acme/widgets"
	w := start(t, nil)
	direct := w.github.Transport()
	t.Cleanup(direct.CloseIdleConnections)
	for _, status := range []int{403, 429} {
		for _, after := range []time.Duration{0, 30 * time.Second} {
			remove := w.github.Inject(githubtest.Fault{Match: githubtest.OnPath("/repos/"), Do: githubtest.SecondaryRateLimit(status, after)})
			var answers []answer
			for _, client := range []*http.Client{{Transport: direct}, w.client(t, true)} {
				answers = append(answers, read(t, client, url))
			}
			remove()
			if diff := cmp.Diff(answers[0], answers[1]); diff != "" || answers[1].Status != status {
				t.Errorf("%d after %v: (-GitHub's +through the proxy)\n%s", status, after, diff)
			}
			if got := answers[1].Header.Get("Retry-After"); (got == "30") != (after > 0) {
				t.Errorf("%d after %v: Retry-After %q", status, after, got)
			}
		}
	}
}

// answer is what a client reads.
type answer struct {
	Status int
	Header http.Header // save for what differs between two answers
	Body   string
}

func read(t testing.TB, client *http.Client, url string) answer {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Date", "X-Github-Request-Id"} {
		resp.Header.Del(name)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// TestOwnLimitIsToldInSeconds: where GitHub limits the proxy's own calls, the
// client learns for how long.
func TestOwnLimitIsToldInSeconds(t *testing.T) {
	for name, match := range map[string]githubtest.Matcher{
		"acme":    githubtest.OnMint(),
		"initech": githubtest.OnPath("/repos/initech/paper/installation"), // is discovered
	} {
		w := start(t, func(s *setup) { s.apps = s.apps[:1] })
		w.github.Inject(githubtest.Fault{Match: match, Do: githubtest.SecondaryRateLimit(403, 30*time.Second)})
		url := "https://api.github.com/repos/" + map[string]string{"acme": "acme/widgets", "initech": "initech/paper"}[name]
		for range 2 { // GitHub's answer, and what is remembered of it
			got := read(t, w.client(t, true), url)
			seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
			if got.Status != 503 || err != nil || seconds < 25 || seconds > 30 || !strings.Contains(got.Body, "secondary rate limit") {
				t.Errorf("%s: %d, Retry-After %q, %s, want 503 and some 30 seconds", name, got.Status, got.Header.Get("Retry-After"), got.Body)
			}
		}
		if n := len(w.github.Requests()); n != 1 {
			t.Errorf("%s: GitHub was asked %d times, want once", name, n)
		}
	}
}

// TestResources: which of GitHub's limits a request counts against.
func TestResources(t *testing.T) {
	w, reserve := withReserve(t)
	client := w.client(t, true)
	get(t, client, "https://api.github.com/repos/acme/widgets")
	w.github.ExhaustRateLimit(111, time.Hour)
	search := func(kind string) string { return "https://api.github.com/search/" + kind + "?q=repo:acme/widgets" }
	for _, test := range []struct {
		url      string
		first    int64 // asked while nothing is known of the resource
		then     int64
		resource auth.Resource
	}{
		{"https://api.github.com/repos/acme/widgets/issues", 111, reserve, auth.ResourceCore},
		{search("issues"), 111, reserve, auth.ResourceSearch},
		{"https://raw.githubusercontent.com/acme/widgets/main/README.md", 111, 111, auth.ResourceNone},
		{"https://github.com/acme/widgets.git/info/refs?service=git-upload-pack", 111, 111, auth.ResourceNone},
	} {
		_, path, _ := strings.Cut(strings.TrimPrefix(test.url, "https://"), "/")
		path, _, _ = strings.Cut("/"+path, "?")
		for _, want := range []int64{test.first, test.then} {
			get(t, client, test.url)
			if got := w.last(t, path).Installation; got != want {
				t.Errorf("resource %d: %s went with installation %d, want %d", test.resource, path, got, want)
			}
		}
	}
}
