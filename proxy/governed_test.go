package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/governor"
	"ghapp-proxy/policy"
)

// startGoverned starts a world whose proxy keeps GitHub's limits, with clients c0, c1 … and their secrets of the same name.
func startGoverned(t testing.TB, settings governor.Settings, many int, change func(*setup)) (*world, *governor.Governor) {
	t.Helper()
	g := governor.New(settings)
	var list []*policy.Client
	for n := range many {
		name := "c" + strconv.Itoa(n)
		list = append(list, &policy.Client{Name: name, Secret: policy.HashSecret(name)})
	}
	w := start(t, func(s *setup) {
		s.governor = g
		s.options.Patience = time.Minute
		s.options.Clients = clients(t, list...)
		if change != nil {
			change(s)
		}
	})
	return w, g
}

// send sends a request, and reads the answer.
func send(t testing.TB, client *http.Client, method, url, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Errorf("%s %s: %v", method, url, err)
		return reply{header: http.Header{}}
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// limited answers once as GitHub does where a limit is used up.
func limited(w *world, status int, fields map[string]string, message string) {
	w.github.Inject(githubtest.Fault{Count: 1, Match: githubtest.OnPath("/repos/acme/widgets"), Do: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, value := range fields {
				w.Header().Set(name, value)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"message":%q}`, message)
		})
	}})
}

// TestGovernedRetryAfter: after GitHub's Retry-After nothing of that installation leaves, for nobody; who asks is told as GitHub
// tells, and when. git and other installations do not wait.
func TestGovernedRetryAfter(t *testing.T) {
	for _, test := range []struct {
		name    string
		status  int
		fields  map[string]string
		message string
	}{
		{"a time", 403, map[string]string{"Retry-After": "60"}, "You have exceeded a secondary rate limit."},
		{"no time", 403, nil, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."},
		{"429", 429, nil, "too many"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _ := startGoverned(t, governor.Default, 2, nil)
			limited(w, test.status, test.fields, test.message)
			one, other := w.clientAs(t, "c0", "c0", false), w.clientAs(t, "c1", "c1", false)
			if got := send(t, one, "GET", widgets, ""); got.status != test.status || !strings.Contains(got.body, test.message) {
				t.Fatalf("GitHub's own: %d %s", got.status, got.body)
			}
			before := len(w.github.Requests())
			for _, r := range []struct{ method, url string }{{"GET", widgets}, {"POST", widgets + "/issues"}, {"GET", widgets + "/issues"}} {
				got := send(t, other, r.method, r.url, `{"title":"x"}`)
				after, _ := strconv.Atoi(got.header.Get("Retry-After"))
				if got.status != 429 || after < 30 || after > 60 || !strings.Contains(got.body, "secondary rate limit") ||
					!strings.Contains(got.body, "#about-secondary-rate-limits") || !strings.Contains(got.body, "ghapp-proxy: ") {
					t.Errorf("%s %s: %d, Retry-After %d, %s", r.method, r.url, got.status, after, got.body)
				}
			}
			for _, r := range w.github.Requests()[before:] {
				if r.Credential == githubtest.CredentialInstallation { // what is asked as the App counts elsewhere
					t.Errorf("%s %s left", r.Method, r.Path())
				}
			}
			if got := send(t, other, "GET", "https://api.github.com/repos/globex/engine", ""); got.status == 429 {
				t.Errorf("another installation: %d %s", got.status, got.body)
			}
			if got := send(t, other, "GET", "https://github.com/acme/widgets.git/info/refs?service=git-upload-pack", ""); got.status == 429 { // where there is no git, the fake has no answer
				t.Errorf("git: %d %s", got.status, got.body)
			}
		})
	}
}

// TestGovernedQuota: where nothing is left of the quota, nothing is sent, and the answer has GitHub's fields. What is left
// is told, since that costs nothing.
func TestGovernedQuota(t *testing.T) {
	w, _ := startGoverned(t, governor.Default, 2, nil)
	w.github.ExhaustRateLimit(111, time.Hour)
	one, other := w.clientAs(t, "c0", "c0", false), w.clientAs(t, "c1", "c1", false)
	theirs := send(t, one, "GET", widgets, "")
	if theirs.status != 403 {
		t.Fatalf("GitHub's own: %d %s", theirs.status, theirs.body)
	}
	before := len(w.github.Requests())
	ours := send(t, other, "GET", widgets, "")
	if ours.status != 429 || len(w.github.Requests()) != before || !strings.Contains(ours.body, "API rate limit exceeded") {
		t.Errorf("%d %s", ours.status, ours.body)
	}
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Used", "X-RateLimit-Resource"} {
		if ours.header.Get(name) == "" || ours.header.Get(name) != theirs.header.Get(name) {
			t.Errorf("%s: %q, GitHub's is %q", name, ours.header.Get(name), theirs.header.Get(name))
		}
	}
	reset := func(r reply) int64 { n, _ := strconv.ParseInt(r.header.Get("X-RateLimit-Reset"), 10, 64); return n }
	if late := reset(ours) - reset(theirs); late < 0 || late > 3 {
		t.Errorf("reset %d s after GitHub's", late)
	}
	if got := send(t, other, "GET", "https://api.github.com/rate_limit", ""); got.status != 200 {
		t.Errorf("/rate_limit: %d %s", got.status, got.body)
	}
	w.github.RestoreRateLimit(111)
}

// TestGovernedShare: a client with a quota_share is told when it has used that up; the others go on.
func TestGovernedShare(t *testing.T) {
	w, _ := startGoverned(t, governor.Default, 1, func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "c0", Secret: policy.HashSecret("c0"), Limits: policy.Limits{QuotaShare: 1}},
			&policy.Client{Name: "c1", Secret: policy.HashSecret("c1")})
	})
	one, other := w.clientAs(t, "c0", "c0", false), w.clientAs(t, "c1", "c1", false)
	for n := range 50 {
		if got := send(t, one, "GET", widgets, ""); got.status != 200 {
			t.Fatalf("request %d: %d %s", n, got.status, got.body)
		}
	}
	got := send(t, one, "GET", widgets, "")
	if got.status != 429 || got.header.Get("X-RateLimit-Limit") != "50" || got.header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := send(t, other, "GET", widgets, ""); got.status != 200 {
		t.Errorf("another client: %d %s", got.status, got.body)
	}
}
