package admin_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/answer"
	"ghapp-proxy/event"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// busy is the state of a proxy with everything.
func busy() admin.State {
	now := time.Now()
	state := healthy()
	outcomes := map[string]uint64{"ok": 3, "refused": 1}
	state.Apps[0] = admin.App{
		Name: "ci-bot", Host: "github.com", Checked: now, Mints: outcomes, LookUps: outcomes, Retries: map[string]uint64{"unreachable": 1}, Heals: map[string]uint64{"token": 2}, Tokens: 2,
		Installations: []admin.Installation{
			{ID: 111, Account: "acme", Tokens: 2, Minted: now.Add(-time.Minute), Expires: now.Add(time.Hour), Quotas: []admin.Quota{{Resource: "core", Limit: 5000, Remaining: 4000, Reset: now.Add(time.Hour)}}, Waiting: 3, Why: "points", Used: []admin.Used{{Limit: "points", Used: 900, Most: 1000}}},
			{ID: 112, Account: "idle"},
		},
		Wrong: []admin.Fault{{Problem: "app.ci-bot.installations.x = 1 is an installation on y, not on x", Remedy: "set it"}},
	}
	state.Authorities = []admin.Authority{{Name: "api.github.com github.com", Expires: now.Add(365 * 24 * time.Hour)}}
	state.Clients = []admin.Client{{Name: "agent", May: "repositories acme/widgets", Connections: 3, Requests: 2, Waiting: 1}, {}}
	state.Requests, state.Tunnels, state.RecordsLost = 3, 2, 1
	state.Governor = admin.Governor{Waited: map[string]uint64{"points": 3}, Refused: map[string]uint64{"share": 1}, Waiting: time.Minute}
	state.Cache = admin.Cache{Size: 64 << 20, Used: 3 << 20, Answers: 5, Quiet: true, Hits: 11, Validated: 12, Shared: 13, Misses: 14, Evicted: 15, Recalled: 16, BytesSaved: 17 << 10, QuotaSaved: 18}
	state.Grants.Revoked = 4
	state.Shared = &admin.Shared{Since: now, Downs: 1, Values: 4, Leases: 3, Alone: 2, Slow: 1, Lost: 5, Dropped: 6}
	return state
}

// scrape asks for /metrics, and parses what is answered.
func scrape(t testing.TB, address string) map[string]*dto.MetricFamily {
	t.Helper()
	resp, body := ask(t, "tcp", address, "GET /metrics HTTP/1.1\nHost: localhost\nConnection: close\n\n")
	if resp.StatusCode != 200 {
		t.Fatalf("%d: %s", resp.StatusCode, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// series counts those of the proxy.
func series(families map[string]*dto.MetricFamily) (n int) {
	for name, family := range families {
		if strings.HasPrefix(name, "ghapp_proxy_") {
			n += len(family.Metric)
		}
	}
	return n
}

// sum adds up the samples of a family whose labels have these values.
func sum(families map[string]*dto.MetricFamily, name string, labels ...string) (total float64) {
	family := families["ghapp_proxy_"+name]
	if family == nil {
		return 0
	}
	for _, m := range family.Metric {
		has := make(map[string]string)
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		matches := true
		for i := 0; i < len(labels); i += 2 {
			matches = matches && has[labels[i]] == labels[i+1]
		}
		if !matches {
			continue
		}
		total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return total
}

// TestMetricsLint: names, units and help texts are as Prometheus' conventions have them.
func TestMetricsLint(t *testing.T) {
	m := admin.NewMetrics(busy, "v1.2.3")
	countAll(m)
	address := serve(t, "tcp", "127.0.0.1:0", admin.Options{Metrics: m, State: busy})
	var families []*dto.MetricFamily
	for name, family := range scrape(t, address) {
		if strings.HasPrefix(name, "ghapp_proxy_") {
			families = append(families, family)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if len(families) < 35 {
		t.Errorf("%d families were linted, want all", len(families))
	}
}

// countAll counts Events of all kinds.
func countAll(m *admin.Metrics) {
	refused := &answer.Refusal{Status: 403, Code: answer.RequestDenied, Title: "no"}
	for _, e := range []event.Event{
		{Kind: event.Request, Client: "agent", Method: "GET", Operation: "repos/get", Decision: event.Forwarded, Credential: "installation", Status: 200, GitHubStatus: 200, Received: 10, Duration: time.Second, GitHub: time.Second / 2, Own: time.Millisecond},
		{Kind: event.Request, Client: "agent", Method: "POST", Operation: "issues/create", Decision: event.Refused, DecidedBy: "client.agent.deny[1]", Credential: "installation", Status: 403, Err: refused, Own: time.Millisecond},
		{Kind: event.Tunnel, Decision: event.Forwarded, Transparent: true, Status: 200, Sent: 5, Received: 7},
		{Kind: event.Connect, Decision: event.Failed, Status: 502, Err: errors.New("no")},
	} {
		m.Count(&e)
	}
}

// TestCount: what Events come to.
func TestCount(t *testing.T) {
	m := admin.NewMetrics(busy, "v1.2.3")
	countAll(m)
	got := scrape(t, serve(t, "tcp", "127.0.0.1:0", admin.Options{Metrics: m, State: busy}))
	for _, test := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"requests_total", []string{"client", "agent", "route", "rest_read", "credential", "installation", "status", "2xx"}, 1},
		{"requests_total", []string{"client", "agent", "route", "rest_write", "credential", "none", "status", "4xx"}, 1},
		{"requests_total", []string{"client", "(none)", "route", "tunnel", "status", "5xx"}, 1},
		{"requests_total", nil, 4},
		{"refusals_total", []string{"by", "client.agent.deny[1]", "decision", "refused", "kind", "http_request_denied"}, 1},
		{"refusals_total", []string{"by", "", "decision", "failed", "kind", ""}, 1},
		{"github_responses_total", []string{"code", "200"}, 1},
		{"response_bytes_total", []string{"client", "agent"}, 10},
		{"tunnels_total", []string{"client", "(none)"}, 1},
		{"transparent_total", []string{"client", "(none)"}, 1},
		{"transparent_total", nil, 1},
		{"tunnel_bytes_total", []string{"client", "(none)", "direction", "sent"}, 5},
		{"tunnel_bytes_total", []string{"client", "(none)", "direction", "received"}, 7},
		{"own_duration_seconds", []string{"route", "rest_read"}, 1},
		{"github_duration_seconds", nil, 1},
		{"queue_duration_seconds", nil, 2},
		{"mints_total", []string{"app", "ci-bot", "result", "refused"}, 1},
		{"heals_total", []string{"cause", "token"}, 2},
		{"quota_remaining", []string{"account", "acme", "resource", "core"}, 4000},
		{"quota_limit", []string{"installation", "111", "resource", "core"}, 5000},
		{"cache_answers_total", []string{"result", "hit"}, 11},
		{"cache_answers_total", []string{"result", "validated"}, 12},
		{"cache_answers_total", []string{"result", "shared"}, 13},
		{"cache_answers_total", []string{"result", "miss"}, 14},
		{"cache_evictions_total", nil, 15},
		{"cache_recalled_total", nil, 16},
		{"cache_bytes_saved_total", nil, 17 << 10},
		{"cache_quota_saved_total", nil, 18},
		{"cache_entries", nil, 5},
		{"cache_used_bytes", nil, 3 << 20},
		{"cache_size_bytes", nil, 64 << 20},
		{"cache_quiet", nil, 1},
		{"governor_waits_total", []string{"limit", "points"}, 3},
		{"governor_refusals_total", []string{"limit", "share"}, 1},
		{"governor_wait_seconds_total", nil, 60},
		{"governor_waiting", []string{"installation", "111"}, 3},
		{"governor_used", []string{"account", "acme", "limit", "points"}, 900},
		{"governor_limit", []string{"account", "acme", "limit", "points"}, 1000},
		{"mapping_errors", nil, 1},
		{"audit_records_lost_total", nil, 1},
		{"tunnels_open", nil, 2},
		{"client_queue_length", []string{"client", "agent"}, 1},
		{"config_last_reload_successful", nil, 1},
		{"build_info", []string{"version", "v1.2.3"}, 1},
	} {
		if n := sum(got, test.name, test.labels...); n != test.want {
			t.Errorf("%s %q is %v, want %v", test.name, test.labels, n, test.want)
		}
	}
	if n := len(got["ghapp_proxy_token_age_seconds"].Metric); n != 1 {
		t.Errorf("%d ages of tokens, want that of the installation that has one", n)
	}
}

// TestSeriesAreBounded: nothing that a client or GitHub sends makes another series.
func TestSeriesAreBounded(t *testing.T) {
	m := admin.NewMetrics(busy, "v1.2.3")
	routes := []string{"", "graphql", "git-upload-pack", "git-receive-pack", "info/refs", "lfs", "archive", "raw", "uploads", "web", "elsewhere", "repos/get"}
	hostile := func(i int, text string) *event.Event {
		return &event.Event{
			Kind: event.Request, Client: "agent", Method: text, Host: text, Path: "/" + text, Subject: text, Address: text, App: text, Installation: int64(i), GraphQL: text,
			Operation: routes[i%len(routes)], Credential: []string{"installation", text}[i%2], Decision: []event.Decision{event.Forwarded, event.Refused, event.Failed, event.Answered}[i%4],
			Err: errors.New(text), Status: 100 + i%1000, GitHubStatus: i, Fields: []string{text}, Destination: text, GitHubRequestID: text,
		}
	}
	address := serve(t, "tcp", "127.0.0.1:0", admin.Options{Metrics: m, State: busy})
	for i := range 12000 { // all kinds that there are
		m.Count(hostile(i, "x"))
	}
	before := series(scrape(t, address))
	for i := range 10000 {
		m.Count(hostile(rand.IntN(12000), fmt.Sprintf("evil-%d-\xff\n\"{}", i)))
	}
	if after := series(scrape(t, address)); after != before {
		t.Errorf("%d series, %d before", after, before)
	}
	if before > 2000 {
		t.Errorf("%d series for one client", before)
	}
}

// TestInstallationsAreBounded: of many, those are told of that are nearest their end.
func TestInstallationsAreBounded(t *testing.T) {
	state := busy()
	for i := range 30000 {
		state.Apps[0].Installations = append(state.Apps[0].Installations, admin.Installation{
			ID: int64(1000 + i), Minted: time.Now(), Quotas: []admin.Quota{{Resource: "core", Limit: 30000, Remaining: 30000 - i, Reset: time.Now().Add(time.Hour)}},
		})
	}
	m := admin.NewMetrics(func() admin.State { return state }, "")
	got := scrape(t, serve(t, "tcp", "127.0.0.1:0", admin.Options{Metrics: m}))
	if n := len(got["ghapp_proxy_quota_remaining"].Metric); n != 100 {
		t.Errorf("%d quotas, want 100", n)
	}
	if least := sum(got, "quota_remaining", "installation", "30999"); least != 1 {
		t.Errorf("that of which the least is left is not among them")
	}
}

// BenchmarkCount: what metrics cost a request.
func BenchmarkCount(b *testing.B) {
	m := admin.NewMetrics(nil, "")
	e := event.Event{Kind: event.Request, Client: "agent", Method: "GET", Operation: "repos/get", Decision: event.Forwarded, Credential: "installation", Status: 200, GitHubStatus: 200, Received: 10, Duration: time.Second, GitHub: time.Second / 2, Own: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		m.Count(&e)
	}
}
