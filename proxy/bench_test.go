package proxy_test

import (
	"io"
	"net/http"
	"testing"

	"ghapp-proxy/admin"
	"ghapp-proxy/event"
	"ghapp-proxy/policy"
)

// BenchmarkRequest is one small GET on a kept-alive connection, from the
// client to a fake upstream and back: the proxy's share is the difference to
// "direct". Client and upstream run in the same process and are counted.
func BenchmarkRequest(b *testing.B) { benchmarkRequest(b) }

// BenchmarkRequestCounted is the same with metrics.
func BenchmarkRequestCounted(b *testing.B) {
	benchmarkRequest(b, admin.NewMetrics(nil, "").Count)
}

func benchmarkRequest(b *testing.B, events ...func(*event.Event)) {
	const secret = "SECRET"
	w := start(b, func(s *setup) {
		s.options.Audit, s.options.Events = nil, events
		s.options.Anonymous = true
		s.options.Clients = clients(b, &policy.Client{
			Name: "agent", Secret: policy.HashSecret(secret), Repositories: repositories(b, "acme/widgets"),
			Permissions: map[string]string{"contents": "write", "issues": "write"}, Deny: operations(b, "admin"), Push: refs(b, "refs/heads/agent/**"),
			Limits: policy.Limits{MaxBody: 1 << 20, RequestsPerMinute: 1e9},
		})
	})
	answer := make([]byte, 1<<10)
	w.github.Handle(codeload, "/acme/widgets/tar.gz/x", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(answer) }))
	w.github.Handle("api.github.com", "/repos/acme/widgets", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(answer) }))
	direct := w.github.Client()
	for name, run := range map[string]struct {
		client *http.Client
		url    string
	}{
		"direct":                 {direct, "https://" + codeload + "/acme/widgets/tar.gz/x"},
		"h1":                     {&http.Client{Transport: w.transport(b, false)}, "https://" + codeload + "/acme/widgets/tar.gz/x"},
		"h2":                     {&http.Client{Transport: w.transport(b, true)}, "https://api.github.com/repos/acme/widgets"},
		"h1 of a limited client": {&http.Client{Transport: w.transportAs(b, "agent", secret, false)}, "https://" + codeload + "/acme/widgets/tar.gz/x"},
		"h2 of a limited client": {&http.Client{Transport: w.transportAs(b, "agent", secret, true)}, "https://api.github.com/repos/acme/widgets"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				resp, err := run.client.Get(run.url)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
					b.Fatal(resp.Status, err)
				}
				resp.Body.Close()
			}
		})
	}
}
