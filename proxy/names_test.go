package proxy_test

import (
	"io"
	"strings"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// A client that may not see a repository is not told by the proxy what it is
// called either.
func TestDenialDoesNotNameAnID(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Networks: loopback, Repositories: []rules.Glob{"acme/docs"}})
	})
	const widgets = "https://api.github.com/repositories/9001" // private
	for _, url := range []string{widgets, widgets + "/issues"} {
		resp := with(t, w.client(t, false), "", "GET", url, "")
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 403 || strings.Contains(strings.ReplaceAll(string(text), "acme/docs", ""), "acme") {
			t.Errorf("GET %s: %s %s, want a refusal that does not name it", url, resp.Status, text)
		}
	}
}
