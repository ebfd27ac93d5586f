package auth_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

// TestReinstalled: an installation that was discovered is gone when a token is
// needed, and there is another one.
func TestReinstalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const look = "GET /users/acme/installation"
		fake := &api{
			answers: map[string]reply{look: installed(1, "acme", "all")},
			mint:    func(n int, _ string) reply { return minted(fmt.Sprintf("ghs_%d", n), 5*time.Minute) },
		}
		s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
		mustToken(t, s, "acme") // good for 4 minutes; the answer is remembered for 10
		fake.take()

		gone := reply{status: 404, body: `{"message":"Not Found"}`}
		fake.set("POST /app/installations/1/access_tokens", gone)
		fake.set(look, installed(2, "acme", "all"))
		time.Sleep(5 * time.Minute)
		if got := whose(t, s, "acme", true); got != "2 of ci-bot" {
			t.Errorf("acme is answered by %s, want 2 of ci-bot", got)
		}
		wantCalls(t, fake, "POST /app/installations/1/access_tokens", look, "POST /app/installations/2/access_tokens")
	})
}

// TestGoneForGood: GitHub names an installation for which it mints nothing.
func TestGoneForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const look, mint = "GET /users/acme/installation", "POST /app/installations/1/access_tokens"
		gone := reply{status: 404, body: `{"message":"Not Found"}`}
		fake := &api{answers: map[string]reply{look: installed(1, "acme", "all"), mint: gone}}
		s := newSource(t, fake, auth.FallbackAnonymous, newApp("ci-bot", 1))
		if got := whose(t, s, "acme", true); got != "error" {
			t.Errorf("acme is answered by %s, want an error", got)
		}
		wantCalls(t, fake, look, mint, look)
		for range 100 {
			whose(t, s, "acme", true)
		}
		wantCalls(t, fake) // nor is it asked the same for everybody who comes

		time.Sleep(11 * time.Second)
		fake.set(look, gone)
		if got := whose(t, s, "acme", true); got != "anonymous" {
			t.Errorf("uninstalled, acme is answered by %s, want anonymous", got)
		}

		app := newApp("ci-bot", 1)
		app.Installations = map[string]github.InstallationID{"acme": 1}
		fake.take()
		if got := whose(t, newSource(t, fake, auth.FallbackAnonymous, app), "acme", true); got != "error" {
			t.Errorf("mapped to nothing, acme is answered by %s, want an error", got)
		}
		wantCalls(t, fake, mint)
	})
}

// TestWrongMapping: the error names what to correct.
func TestWrongMapping(t *testing.T) {
	type ids = map[string]github.InstallationID
	type test struct {
		name string
		app  func(*auth.App)
		want auth.Want
		keys string
	}
	tests := []test{
		{"an owner", func(a *auth.App) { a.Installations = ids{"acme": 9, "globex": 8} }, auth.Want{Owner: owner("acme")}, "app.ci-bot.installations.acme = 9 in the configuration"},
		{"two owners", func(a *auth.App) { a.Installations = ids{"b": 9, "a": 9} }, auth.Want{Owner: owner("b")}, "app.ci-bot.installations.a, app.ci-bot.installations.b = 9 in the configuration"},
		{"an App with a dot", func(a *auth.App) { a.Name, a.Installations = "ci.bot", ids{"acme": 9} }, auth.Want{Owner: owner("acme")}, `app."ci.bot".installations.acme = 9 in the configuration`},
		{"an enterprise", func(a *auth.App) { a.Enterprises = ids{"corp": 9} }, auth.Want{Owner: owner("enterprises/corp")}, "app.ci-bot.enterprises.corp = 9 in the configuration"},
		{"the default", func(a *auth.App) { a.DefaultInstallation = 9 }, auth.Want{}, "app.ci-bot.default_installation = 9 in the configuration"},
		{"a rule", func(*auth.App) {}, auth.Want{Installation: 9}, "the installation id 9 in the rules"},
	}
	many := ids{}
	for c := 'a'; c <= 'l'; c++ {
		many[string(c)] = 9
	}
	tests = append(tests, test{"twelve owners", func(a *auth.App) { a.Installations = many }, auth.Want{Owner: owner("a")},
		"app.ci-bot.installations." + strings.Join(strings.Split("abcdefghij", ""), ", app.ci-bot.installations.") + " and 2 more = 9 in the configuration"})
	for _, test := range tests {
		app := newApp("ci-bot", 1)
		test.app(app)
		s := newSource(t, &api{mint: func(int, string) reply { return reply{status: 404, body: `{"message":"Not Found"}`} }}, auth.FallbackRefuse, app)
		_, err := s.Token(t.Context(), "github.com", test.want)
		t.Run(test.name, func(t *testing.T) {
			wantError(t, err, "App "+app.Name+` could not mint a token for installation 9: GitHub answered 404 "Not Found"`,
				"check "+test.keys+": it does not exist, or is another App's")
		})
	}
}

// TestMappingBeatsDiscovery: what is wrong in the configuration is not looked
// up behind the back of who wrote it.
func TestMappingBeatsDiscovery(t *testing.T) {
	server, app := seeded(t)
	app.Installations = map[string]github.InstallationID{"acme": 999}
	s := reach(t, server, app)
	for range 3 {
		if got := whose(t, s, "acme/widgets", true); got != "error" {
			t.Errorf("acme/widgets is answered by %s, want an error", got)
		}
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("GitHub was asked %d times, want one mint", n)
	}
}

// TestReinstalledAtGitHub uninstalls and installs the App anew.
func TestReinstalledAtGitHub(t *testing.T) {
	server, app := seeded(t)
	app.Installations = nil
	server.SetTokenLifetime(time.Nanosecond) // each request mints
	s := reach(t, server, app)
	if got := whose(t, s, "acme/widgets", true); got != "111 of ci-bot" {
		t.Fatalf("acme/widgets is answered by %s, want 111 of ci-bot", got)
	}
	id, err := server.Reinstall(githubtest.AcmeInstallation)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := whose(t, s, "acme/widgets", true), fmt.Sprintf("%d of ci-bot", id); got != want {
		t.Errorf("reinstalled, acme/widgets is answered by %s, want %s", got, want)
	}
}

// TestMappingIsCheckedOnce: where an installation is does not change, so that
// GitHub is not asked again, however long the proxy runs.
func TestMappingIsCheckedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const look = "GET /app/installations/9"
		app := newApp("ci-bot", 1)
		app.Installations = map[string]github.InstallationID{"acme": 9}
		fake := &api{answers: map[string]reply{look: installed(9, "globex", "all")}}
		s := newSource(t, fake, auth.FallbackRefuse, app)
		cred, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
		if err != nil {
			t.Fatal(err)
		}
		fake.take()
		for range 3 {
			wrong := s.CheckMapping(t.Context(), cred, owner("acme"))
			if wrong == nil || wrong.Account.Login != "globex" {
				t.Errorf("the check says %v, want globex's", wrong)
			}
			time.Sleep(time.Hour)
		}
		wantCalls(t, fake, look)
	})
}
