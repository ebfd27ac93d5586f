package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"ghapp-proxy/admin"
	"ghapp-proxy/policy"
)

// TestScrapeEqualsLoad: what clients were answered, counted by themselves, is what a
// scrape says.
func TestScrapeEqualsLoad(t *testing.T) {
	metrics := admin.NewMetrics(nil, "")
	var events eventLog
	w := start(t, func(s *setup) {
		one := &policy.Client{Name: "one", Secret: policy.HashSecret("ONE"), Deny: operations(t, "issues/create")}
		two := &policy.Client{Name: "two", Secret: policy.HashSecret("TWO"), Repositories: repositories(t, "acme/widgets")}
		s.options.Clients = clients(t, one, two)
		s.options.Events = append(s.options.Events, metrics.Count, events.add)
		s.upstream.Egress = egress(t, false, "", "")
	})
	sent := map[string]float64{} // series → how many
	var bytes float64
	var mu sync.Mutex
	var load sync.WaitGroup
	total := 0
	for i, r := range []struct {
		client, method, url, body string
		route                     string
		times                     int
	}{
		{"one", "GET", "https://api.github.com/repos/acme/widgets", "", "rest_read", 20},
		{"two", "GET", "https://api.github.com/repos/acme/widgets", "", "rest_read", 10},
		{"two", "GET", "https://api.github.com/repos/globex/gears", "", "rest_read", 7},                       // refused
		{"one", "POST", "https://api.github.com/repos/acme/widgets/issues", `{"title":"x"}`, "rest_write", 5}, // refused
		{"one", "POST", "https://api.github.com/graphql", `{"query":"{repository(owner:\"acme\",name:\"widgets\"){isPrivate}}"}`, "graphql_query", 9},
		{"one", "GET", "https://github.com/acme/widgets/info/refs?service=git-upload-pack", "", "git_fetch", 6},
		{"one", "GET", "https://api.github.com/zen", "", "rest_read", 4},
	} {
		client := w.clientAs(t, r.client, strings.ToUpper(r.client), i%2 == 0)
		total += r.times
		for range r.times {
			load.Go(func() {
				req, err := http.NewRequest(r.method, r.url, strings.NewReader(r.body))
				if err != nil {
					t.Error(err)
					return
				}
				if r.body != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				n, err := io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				sent[fmt.Sprintf("client=%q route=%q status=\"%dxx\"", r.client, r.route, resp.StatusCode/100)]++
				bytes += float64(n)
			})
		}
	}
	load.Wait()
	events.wait(t, total)
	got, received := scraped(t, metrics)
	for series, n := range sent {
		if got[series] != n {
			t.Errorf("%s: the scrape says %v, the clients %v", series, got[series], n)
		}
	}
	for series, n := range got {
		if sent[series] != n {
			t.Errorf("%s: the scrape says %v, the clients %v", series, n, sent[series])
		}
	}
	if received != bytes {
		t.Errorf("the scrape says %v bytes, the clients %v", received, bytes)
	}
}

// scraped are the requests and bytes of a scrape.
func scraped(t *testing.T, m http.Handler) (requests map[string]float64, bytes float64) {
	t.Helper()
	rec := httptest.NewRecorder()
	m.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	requests = make(map[string]float64)
	for line := range strings.Lines(rec.Body.String()) {
		var client, credential, route, status string
		var n float64
		if _, err := fmt.Sscanf(strings.NewReplacer(",", " ", "{", " ", "}", " ").Replace(line), "ghapp_proxy_requests_total client=%q credential=%q route=%q status=%q %g", &client, &credential, &route, &status, &n); err == nil {
			requests[fmt.Sprintf("client=%q route=%q status=%q", client, route, status)] += n
		}
		if _, err := fmt.Sscanf(line, "ghapp_proxy_response_bytes_total{client=%q} %g", &client, &n); err == nil {
			bytes += n
		}
	}
	return requests, bytes
}
