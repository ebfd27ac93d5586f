package admin_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/admin"

	dto "github.com/prometheus/client_model/go"
)

const (
	// requirePromtoolEnv fails what is skipped where promtool is not installed.
	requirePromtoolEnv = "GHAPP_PROXY_REQUIRE_PROMTOOL"
	alertsFile         = "../deploy/prometheus/alerts.yaml"
	dashboardFile      = "../deploy/grafana/dashboard.json"
	operationFile      = "../docs/operation.md"
)

var update = flag.Bool("update", false, "write the table of docs/operation.md")

// families are all metrics that there are.
func families(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	m := admin.NewMetrics(busy, "v1.2.3")
	countAll(m)
	return scrape(t, serve(t, "tcp", "127.0.0.1:0", admin.Options{Metrics: m}))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var metricName = regexp.MustCompile(`\bghapp_proxy_[a-z_]+\b`)

// TestMetricsThatAreNamed: the alerts, the dashboard and the documentation name metrics
// that there are.
func TestMetricsThatAreNamed(t *testing.T) {
	known := families(t)
	for _, path := range []string{alertsFile, dashboardFile, operationFile} {
		names := metricName.FindAllString(read(t, path), -1)
		if len(names) < 9 {
			t.Errorf("%s names %d metrics", path, len(names))
		}
		for _, name := range names {
			family := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base, ok := strings.CutSuffix(name, suffix); ok && known[base].GetType() == dto.MetricType_HISTOGRAM {
					family = base
				}
			}
			if known[family] == nil {
				t.Errorf("%s: there is no metric %s", path, name)
			}
		}
	}
}

// TestAlertsAreDocumented: docs/operation.md says what to do about each.
func TestAlertsAreDocumented(t *testing.T) {
	documented := read(t, operationFile)
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, alertsFile), -1)
	for _, alert := range alerts {
		if !strings.Contains(documented, "\n| "+alert[1]+" | ") {
			t.Errorf("%s does not say what to do about %s", operationFile, alert[1])
		}
	}
	if n := strings.Count(documented, "\n| GhappProxy"); n != len(alerts) || n == 0 {
		t.Errorf("%d alerts are documented, and there are %d", n, len(alerts))
	}
}

// expressions are those of the dashboard, with values in place of Grafana's variables.
func expressions(t *testing.T) (list []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, dashboardFile)), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			if target.Expr == "" {
				t.Errorf("panel %q has an empty expression", panel.Title)
			}
			list = append(list, strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$instance", ".*", "$client", ".*").Replace(target.Expr))
		}
	}
	return list
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv(requirePromtoolEnv) != "" {
			t.Fatalf("promtool is not installed, and $%s is set", requirePromtoolEnv)
		}
		t.Skip("promtool is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestPromtool: Prometheus takes the alerts, and they fire when they should; it
// understands what the dashboard asks, and the metrics.
func TestPromtool(t *testing.T) {
	promtool(t, "check", "rules", alertsFile)
	promtool(t, "test", "rules", "testdata/alerts_test.yaml")
	rules := "groups:\n- name: dashboard\n  rules:\n"
	list := expressions(t)
	for i, expr := range list {
		text, err := json.Marshal(expr) // which is YAML
		if err != nil {
			t.Fatal(err)
		}
		rules += fmt.Sprintf("  - record: panel:%d\n    expr: %s\n", i, text)
	}
	if len(list) < 20 {
		t.Errorf("the dashboard has %d expressions", len(list))
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// TestMetricsTable: docs/operation.md has all metrics, as the registry describes them.
// -update writes it.
func TestMetricsTable(t *testing.T) {
	const begin, end = "<!-- metrics -->\n", "<!-- /metrics -->"
	var rows []string
	for name, family := range families(t) {
		if !strings.HasPrefix(name, "ghapp_proxy_") {
			continue
		}
		var labels []string
		for _, label := range family.Metric[0].Label {
			labels = append(labels, label.GetName())
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, strings.ToLower(family.GetType().String()), cmp.Or(strings.Join(labels, ", "), "–"), family.GetHelp()))
	}
	slices.Sort(rows)
	table := "\n| metric | type | labels | what |\n|---|---|---|---|\n" + strings.Join(rows, "") + "\n"
	text := read(t, operationFile)
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", operationFile)
	}
	want := before + begin + table + end + after
	if *update {
		if err := os.WriteFile(operationFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != want {
		t.Errorf("the table of %s is not that of the registry: go test -run TestMetricsTable ./admin -update", operationFile)
	}
}
