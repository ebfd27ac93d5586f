package admin_test

import (
	"strings"
	"testing"
	"time"

	"ghapp-proxy/admin"
)

func TestReady(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	const key = "GitHub answered 401"
	for _, test := range []struct {
		name   string
		change func(*admin.State)
		want   int // also with ?strict where wantStrict is 0
		strict int
		says   []string
	}{
		{"all is well", func(*admin.State) {}, 200, 0, []string{"[+]configuration: in force", "[+]credentials: of ci-bot", "[+]github.com: answered "}},
		{"a reload that failed", func(s *admin.State) { s.Reload.Problem = "config.toml:3: app.x:\n\tno key" }, 200, 503, []string{"[!]configuration: the one before is in force: config.toml:3: app.x: no key\n"}},
		{"a restart is needed", func(s *admin.State) { s.Reload.Restart = []string{"listen"} }, 200, 503, []string{"[!]configuration: a restart is needed for listen"}},
		{"no key is accepted", func(s *admin.State) { s.Apps[0].Problem, s.Apps[0].Remedy = key, "check the key" }, 503, 0, []string{"[-]credentials: no App has any; ci-bot: " + key + " (check the key)"}},
		{"one of two", func(s *admin.State) { s.Apps = append(s.Apps, admin.App{Name: "other", Problem: key}) }, 200, 503, []string{"[!]credentials: other: " + key}},
		{"not asked yet", func(s *admin.State) { s.Apps[0].Checked = time.Time{} }, 503, 0, []string{"[-]credentials: no App has any; ci-bot: GitHub has not been asked yet"}},
		{"never reached", func(s *admin.State) { s.GitHubs[0] = admin.GitHub{Host: "ghe.example.com"} }, 503, 0, []string{"[-]ghe.example.com: has not been asked yet"}},
		{"unreachable", func(s *admin.State) {
			s.GitHubs[0] = admin.GitHub{Host: "github.com", Missed: ago(0), Problem: "no route"}
		}, 503, 0, []string{"[-]github.com: never answered: no route"}},
		{"just lost", func(s *admin.State) {
			s.GitHubs[0].Reached, s.GitHubs[0].Missed, s.GitHubs[0].Problem = ago(time.Minute), ago(time.Second), "no route"
		}, 200, 503, []string{"[!]github.com: last answered 1m0s ago: no route"}},
		{"lost for long", func(s *admin.State) {
			s.GitHubs[0].Reached, s.GitHubs[0].Missed, s.GitHubs[0].Problem = ago(3*time.Minute), ago(time.Second), "no route"
		}, 503, 0, []string{"[-]github.com: last answered 3m0s ago: no route"}},
		{"idle", func(s *admin.State) { s.GitHubs[0].Reached = ago(time.Hour) }, 200, 0, []string{"[+]github.com: answered 1h0m0s ago"}},
		{"shared", func(s *admin.State) { s.Shared = &admin.Shared{Since: ago(time.Minute)} }, 200, 0, []string{"[+]shared: there for 1m0s"}},
		{"shared, and away", func(s *admin.State) {
			s.Shared = &admin.Shared{Away: true, Since: ago(time.Minute), Problem: "connection refused"}
		}, 200, 503, []string{"[!]shared: the store is away for 1m0s, and this replica goes on by itself: connection refused"}},
		{"ending", func(s *admin.State) { s.Draining = true }, 503, 0, []string{"[-]shutdown: the proxy is ending", "[+]credentials"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			state := healthy()
			test.change(&state)
			address := serve(t, "tcp", "127.0.0.1:0", admin.Options{State: func() admin.State { return state }})
			resp, body := ask(t, "tcp", address, "GET /readyz HTTP/1.1\nHost: localhost\nConnection: close\n\n")
			if resp.StatusCode != test.want {
				t.Errorf("%d, want %d:\n%s", resp.StatusCode, test.want, body)
			}
			for _, text := range test.says {
				if !strings.Contains(body, text) {
					t.Errorf("no %q in\n%s", text, body)
				}
			}
			if test.strict == 0 {
				test.strict = test.want
			}
			if resp, body := ask(t, "tcp", address, "GET /readyz?strict HTTP/1.1\nHost: localhost\nConnection: close\n\n"); resp.StatusCode != test.strict {
				t.Errorf("strict: %d, want %d:\n%s", resp.StatusCode, test.strict, body)
			}
			if resp, _ := ask(t, "tcp", address, "GET /healthz HTTP/1.1\nHost: localhost\nConnection: close\n\n"); resp.StatusCode != 200 {
				t.Errorf("/healthz: %d", resp.StatusCode)
			}
		})
	}
}
