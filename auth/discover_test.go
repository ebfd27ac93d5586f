package auth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

func TestMappedBeatsDiscovered(t *testing.T) {
	fake := &api{answers: map[string]reply{"GET /users/acme/installation": installed(9, "acme", "all")}}
	first, second := newApp("first", 1), newApp("second", 2)
	second.Installations = map[string]github.InstallationID{"acme": 22}
	s := newSource(t, fake, auth.FallbackRefuse, first, second)
	for _, o := range []string{"acme", "ACME", "Acme/Widgets"} {
		if got := whose(t, s, o, false); got != "22 of second" {
			t.Errorf("%s is answered by %s, want 22 of second", o, got)
		}
	}
	wantCalls(t, fake, "POST /app/installations/22/access_tokens")
}

func TestOrderOfApps(t *testing.T) {
	fake := &api{}
	first, second := newApp("first", 1), newApp("second", 2)
	first.Installations = map[string]github.InstallationID{"acme": 1}
	second.Installations = map[string]github.InstallationID{"acme": 2}
	if got := whose(t, newSource(t, fake, 0, first, second), "acme", true); got != "1 of first" {
		t.Errorf("acme is answered by %s, want 1 of first", got)
	}
	if got := whose(t, newSource(t, fake, 0, second, first), "acme", true); got != "2 of second" {
		t.Errorf("acme is answered by %s, want 2 of second", got)
	}
}

// twoApps returns a Source for the Apps first and second on one host, each
// with a GitHub of its own.
func twoApps(t testing.TB) (s *auth.Source, first, second *api) {
	first, second = &api{}, &api{}
	var apps []*auth.App
	for i, name := range []string{"first", "second"} {
		app := newApp(name, int64(i+1))
		app.API = &url.URL{Scheme: "https", Host: name + ".example.com"}
		apps = append(apps, app)
	}
	return newSource(t, byHost{"first.example.com": first, "second.example.com": second}, auth.FallbackRefuse, apps...), first, second
}

type byHost map[string]http.RoundTripper

func (h byHost) RoundTrip(r *http.Request) (*http.Response, error) { return h[r.URL.Host].RoundTrip(r) }

func TestSecondAppDiscovers(t *testing.T) {
	s, first, second := twoApps(t)
	second.set("GET /users/acme/installation", installed(2, "acme", "all"))
	if got := whose(t, s, "acme", true); got != "2 of second" {
		t.Errorf("acme is answered by %s, want 2 of second", got)
	}
	wantCalls(t, first, "GET /users/acme/installation")
	wantCalls(t, second, "GET /users/acme/installation", "POST /app/installations/2/access_tokens")

	first.set("GET /users/globex/installation", installed(1, "globex", "all"))
	second.set("GET /users/globex/installation", installed(2, "globex", "all"))
	if got := whose(t, s, "globex", true); got != "1 of first" {
		t.Errorf("globex is answered by %s, want 1 of first", got)
	}
	wantCalls(t, second)
}

// TestErrorsDoNotSkip: which App answers must not depend on an outage.
func TestErrorsDoNotSkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, first, second := twoApps(t)
		first.set("GET /users/acme/installation", reply{status: 500})
		second.set("GET /users/acme/installation", installed(2, "acme", "all"))
		if got := whose(t, s, "acme", true); got != "error" {
			t.Errorf("acme is answered by %s, want an error", got)
		}
		first.set("GET /users/acme/installation", installed(1, "acme", "all"))
		if got := whose(t, s, "acme", true); got != "1 of first" {
			t.Errorf("acme is answered by %s, want 1 of first: a 500 is not remembered", got)
		}
	})
}

// TestSelectedRepositories has two Apps share an account.
func TestSelectedRepositories(t *testing.T) {
	s, first, second := twoApps(t)
	for path, id := range map[string]int64{"/repos/acme/widgets": 1, "/users/acme": 1} {
		first.set("GET "+path+"/installation", installed(id, "acme", "selected"))
	}
	for path, id := range map[string]int64{"/repos/acme/rockets": 2, "/users/acme": 2} {
		second.set("GET "+path+"/installation", installed(id, "acme", "selected"))
	}
	for range 2 { // cold and warm
		for o, want := range map[string]string{
			"acme/widgets": "1 of first", "acme/rockets": "2 of second", "acme/other": "refused", "acme": "1 of first",
		} {
			if got := whose(t, s, o, true); got != want {
				t.Errorf("%s is answered by %s, want %s", o, got, want)
			}
		}
	}
}

func TestAllRepositories(t *testing.T) {
	fake := &api{answers: map[string]reply{"GET /repos/acme/widgets/installation": installed(1, "Acme", "all")}}
	s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
	for _, o := range []string{"acme/widgets", "acme/rockets", "ACME", "acme/not-yet-there"} {
		if got := whose(t, s, o, false); got != "1 of ci-bot" {
			t.Errorf("%s is answered by %s, want 1 of ci-bot", o, got)
		}
	}
	wantCalls(t, fake, "GET /repos/acme/widgets/installation", "POST /app/installations/1/access_tokens")
}

// TestUnknownRepository: one that is about to be created belongs to the account.
func TestUnknownRepository(t *testing.T) {
	fake := &api{answers: map[string]reply{"GET /users/acme/installation": installed(1, "acme", "all")}}
	s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
	if got := whose(t, s, "acme/new", false); got != "1 of ci-bot" {
		t.Errorf("acme/new is answered by %s, want 1 of ci-bot", got)
	}
}

func TestRenamedRepository(t *testing.T) {
	const api3 = "https://api.github.com"
	tests := []struct {
		location string
		want     string
	}{
		{api3 + "/repositories/9001/installation", "7 of ci-bot"},
		{api3 + "/repositories/9001", "error"},
		{api3 + "/repositories/9001/installation?x=1", "error"},
		{api3 + "/repositories/9001/installation/../../x", "error"},
		{api3 + "/repositories/x/installation", "error"},
		{api3 + "/users/evil/installation", "error"},
		{api3 + ".evil.example/repositories/9001/installation", "error"},
		{"https://evil.example/repositories/9001/installation", "error"},
		{"http://api.github.com/repositories/9001/installation", "error"},
		{"/repositories/9001/installation", "error"},
		{"", "error"},
	}
	for _, test := range tests {
		fake := &api{answers: map[string]reply{
			"GET /repos/acme/old/installation":        {status: 301, body: `{"message":"Moved Permanently"}`, location: test.location},
			"GET /repositories/9001/installation":     installed(7, "globex", "all"),
			"GET /repositories/9001/installation?x=1": installed(7, "globex", "all"),
		}}
		s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
		if got := whose(t, s, "acme/old", true); got != test.want {
			t.Errorf("Location %q: answered by %s, want %s", test.location, got, test.want)
		}
		calls := fake.take()
		if test.want == "error" && len(calls) != 1 {
			t.Errorf("Location %q was followed: %q", test.location, calls)
		}
	}
}

// TestTransferTeachesNothing: acme/old moved to globex, which says nothing
// about the rest of acme.
func TestTransferTeachesNothing(t *testing.T) {
	fake := &api{answers: map[string]reply{
		"GET /repos/acme/old/installation":    {status: 301, location: "https://api.github.com/repositories/9/installation"},
		"GET /repositories/9/installation":    installed(7, "globex", "all"),
		"GET /repositories/10/installation":   {status: 301, location: "https://api.github.com/repositories/10/installation"},
		"GET /repos/acme/circle/installation": {status: 301, location: "https://api.github.com/repositories/10/installation"},
	}}
	s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
	for o, want := range map[string]string{"acme/old": "7 of ci-bot", "acme/other": "refused", "acme": "refused", "acme/circle": "error"} {
		if got := whose(t, s, o, true); got != want {
			t.Errorf("%s is answered by %s, want %s", o, got, want)
		}
	}
}

func TestAnswersAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const look = "GET /users/acme/installation"
		fake := &api{}
		s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
		ask := func(want string, calls int) {
			t.Helper()
			if got := whose(t, s, "acme", true); got != want {
				t.Errorf("acme is answered by %s, want %s", got, want)
			}
			if got := fake.take(); len(got) != calls {
				t.Errorf("GitHub was asked %q, want %d calls", got, calls)
			}
		}
		ask("refused", 1)
		fake.set(look, installed(1, "acme", "all"))
		time.Sleep(time.Minute - time.Second)
		ask("refused", 0)
		time.Sleep(2 * time.Second)
		ask("1 of ci-bot", 2) // and a mint
		fake.set(look, reply{})
		time.Sleep(40 * time.Minute)
		ask("1 of ci-bot", 0)
		time.Sleep(time.Hour - time.Second)
		ask("1 of ci-bot", 1) // the mint: what was used is remembered for an hour
		time.Sleep(time.Hour + time.Second)
		ask("refused", 1)
	})
}

// TestOwnersInUse: an owner in use is never looked up again, and of as many owners as
// there are tokens none is forgotten.
func TestOwnersInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const owners = 15000
		fake := &api{answers: make(map[string]reply, owners)}
		for i := range owners {
			fake.answers[fmt.Sprintf("GET /repos/o%d/r/installation", i)] = installed(int64(i+1), fmt.Sprintf("o%d", i), "all")
		}
		s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
		for visit := range 2 {
			lookUps := 0
			for i := range owners {
				if _, err := s.ForOwner(t.Context(), "github.com", owner(fmt.Sprintf("o%d/r", i)), true); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(20 * time.Minute)
			for _, call := range fake.take() {
				if strings.HasPrefix(call, "GET ") {
					lookUps++
				}
			}
			t.Logf("visit %d of %d owners: %d look-ups", visit+1, owners, lookUps)
			if want := map[bool]int{true: owners}[visit == 0]; lookUps != want {
				t.Errorf("visit %d: %d look-ups, want %d", visit+1, lookUps, want)
			}
		}
	})
}

// TestSuspect: what GitHub said some time ago is asked for anew where it refuses
// something.
func TestSuspect(t *testing.T) {
	for _, selection := range []string{"all", "selected"} {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{answers: map[string]reply{"GET /repos/acme/x/installation": installed(1, "acme", selection)}}
			s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
			ask := func() auth.Credential {
				t.Helper()
				cred, err := s.ForOwner(t.Context(), "github.com", owner("acme/x"), true)
				if err != nil {
					t.Fatal(err)
				}
				return cred
			}
			cred := ask()
			for range 10 {
				s.Suspect(cred, owner("acme/x"))
				ask()
			}
			if n := len(fake.take()); n != 2 {
				t.Errorf("%s: %d calls, want a look-up and a mint: what GitHub said was new", selection, n)
			}
			time.Sleep(10 * time.Minute)
			for range 10 {
				s.Suspect(cred, owner("acme/x"))
				ask()
			}
			wantCalls(t, fake, "GET /repos/acme/x/installation")
		})
	}
}

// TestSurvey: what was asked for in advance needs no look-up.
func TestSurvey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{answers: map[string]reply{"GET /app/installations?per_page=100&page=1": {status: 200, body: `[
			{"id":1,"account":{"id":10,"login":"Acme"},"repository_selection":"all"},
			{"id":2,"account":{"id":20,"login":"globex"},"repository_selection":"selected"},
			{"id":0,"account":{"id":30,"login":"odd"},"repository_selection":"all"}]`},
			"GET /repos/globex/tools/installation": installed(2, "globex", "selected"),
		}}
		quiet := newApp("quiet", 2)
		quiet.NoDiscovery = true
		s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1), quiet)
		s.Survey()
		synctest.Wait()
		wantCalls(t, fake, "GET /app/installations?per_page=100&page=1")
		for _, test := range []struct {
			owner, want string
			calls       []string
		}{
			{"acme/widgets", "1 of ci-bot", []string{"POST /app/installations/1/access_tokens"}},
			{"globex/tools", "2 of ci-bot", []string{"GET /repos/globex/tools/installation", "POST /app/installations/2/access_tokens"}},
			{"odd/x", "refused", []string{"GET /repos/odd/x/installation", "GET /users/odd/installation"}},
		} {
			if got := whose(t, s, test.owner, false); got != test.want {
				t.Errorf("%s is answered by %s, want %s", test.owner, got, test.want)
			}
			wantCalls(t, fake, test.calls...)
		}
	})
}

// TestUnknownApp: that GitHub does not know the App is no answer about an owner.
func TestUnknownApp(t *testing.T) {
	fake := &api{answers: map[string]reply{
		"GET /users/acme/installation": {status: 404, body: `{"message":"Integration not found"}`},
	}}
	s := newSource(t, fake, auth.FallbackAnonymous, newApp("ci-bot", 1))
	for range 2 {
		if got := whose(t, s, "acme", true); got != "error" {
			t.Errorf("acme is answered by %s, want an error", got)
		}
	}
}

func TestNoDiscovery(t *testing.T) {
	fake := &api{}
	app := newApp("ci-bot", 1)
	app.NoDiscovery = true
	s := newSource(t, fake, auth.FallbackAnonymous, app)
	for _, o := range []string{"acme", "acme/widgets", "enterprises/corp", ""} {
		if got := whose(t, s, o, true); got != "anonymous" {
			t.Errorf("%q is answered by %s, want anonymous", o, got)
		}
	}
	wantCalls(t, fake)

	other := newApp("other", 2)
	fake.set("GET /users/acme/installation", installed(5, "acme", "all"))
	if got := whose(t, newSource(t, fake, 0, app, other), "acme", true); got != "5 of other" {
		t.Errorf("acme is answered by %s, want 5 of other", got)
	}
}

func TestEnterprise(t *testing.T) {
	fake := &api{answers: map[string]reply{
		"GET /enterprises/Corp/installation": {status: 200, body: `{"id":4,"account":{"slug":"corp"},"repository_selection":"selected"}`},
	}}
	app := newApp("ci-bot", 1)
	app.Enterprises = map[string]github.InstallationID{"mapped": 3}
	s := newSource(t, fake, auth.FallbackRefuse, app)
	for o, want := range map[string]string{
		"enterprises/MAPPED": "3 of ci-bot",
		"enterprises/Corp":   "4 of ci-bot",
		"mapped":             "refused", // a user of the same name is somebody else
		"corp":               "refused",
	} {
		if got := whose(t, s, o, true); got != want {
			t.Errorf("%s is answered by %s, want %s", o, got, want)
		}
	}
}

// TestImplausibleNames: GitHub is not asked about what cannot exist, and no
// name of one kind passes for one of another.
func TestImplausibleNames(t *testing.T) {
	fake := &api{}
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 1, "enterprises": 2}
	app.Enterprises = map[string]github.InstallationID{"corp": 3}
	s := newSource(t, fake, auth.FallbackRefuse, app)
	for _, o := range []github.Account{
		{Login: "enterprises/corp"}, {Login: "enterprise:corp"}, {Login: "*"}, {Login: ".."}, {Login: "."},
		{Login: "a b"}, {Login: "acme\n"}, {Login: "acme?x=1"}, {Login: "acme#"}, {Login: "a%2Fb"}, {Login: "é"},
		{Login: strings.Repeat("x", 101)}, {Login: "octo.cat"}, {Login: "-acme"}, {Login: "acme", Repo: ".."}, {Login: "acme", Repo: "a/b"},
		{Login: "globex", Repo: strings.Repeat("x", 1<<20)}, {Login: "../..", Enterprise: true},
	} {
		_, err := s.ForOwner(t.Context(), "github.com", o, true)
		missing := (*auth.NotInstalledError)(nil)
		if !errors.As(err, &missing) {
			t.Errorf("ForOwner(%.50q) = %v, want a *NotInstalledError", o, err)
			continue
		}
		if text := err.Error() + missing.Remedy(); len(text) > 1000 || strings.Contains(text, "\n") {
			t.Errorf("ForOwner(%.50q): an error of %d bytes: %.50q", o, len(text), text)
		}
	}
	wantCalls(t, fake)
}

func TestPlausibleNames(t *testing.T) {
	for _, o := range []string{"acme", "A-1", "under_score", "acme/.github", "acme/a.b-c_d", "acme/..x", strings.Repeat("x", 100)} {
		fake := &api{}
		s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
		whose(t, s, o, true)
		if len(fake.take()) == 0 {
			t.Errorf("GitHub was not asked about %s", o)
		}
	}
}

func TestHostileLookUpAnswers(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", "{}", "<html>", `{"id":0}`, `{"id":-1}`, `{"id":"1"}`, `{"id":1.5}`, `{"id":99999999999999999999}`,
		`{"id":1,"x":"` + strings.Repeat("x", 8<<20) + `"}`,
	} {
		fake := &api{answers: map[string]reply{
			"GET /users/acme/installation":      {status: 200, body: body},
			"GET /app/installations?per_page=2": {status: 200, body: "[" + body + "]"},
		}}
		s := newSource(t, fake, auth.FallbackAnonymous, newApp("ci-bot", 1))
		if got := whose(t, s, "acme", true); got != "error" {
			t.Errorf("%.30s: acme is answered by %s, want an error", body, got)
		}
		if got := whose(t, s, "", true); got != "error" && body != "" { // [] is an answer
			t.Errorf("%.30s: nobody is answered by %s, want an error", body, got)
		}
	}
}

func TestOneLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{
			answers: map[string]reply{"GET /users/acme/installation": installed(1, "acme", "all")},
			before:  func(*http.Request) { time.Sleep(time.Second) },
		}
		s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { mustToken(t, s, "acme") })
		}
		wg.Wait()
		wantCalls(t, fake, "GET /users/acme/installation", "POST /app/installations/1/access_tokens")
	})
}

// TestSeveralInstances: the same App id and owner on another instance are others.
func TestSeveralInstances(t *testing.T) {
	fake := &api{}
	var apps []*auth.App
	for i, instance := range []github.Instance{"github.com", "ghe.example.com"} {
		app := newApp("bot", 1)
		app.Instance, app.API = instance, &url.URL{Scheme: "https", Host: string(instance), Path: "/api/v3"}
		app.Installations = map[string]github.InstallationID{"acme": 1}
		app.DefaultInstallation = github.InstallationID(i)
		apps = append(apps, app)
	}
	s := newSource(t, fake, 0, apps...)
	var tokens []string
	for _, app := range apps {
		cred, err := s.ForOwner(t.Context(), app.Instance, owner("acme"), true)
		if err != nil || cred.App != app {
			t.Fatalf("ForOwner(%s) = %v, %v", app.Instance, cred, err)
		}
		tokens = append(tokens, fmt.Sprint(cred.Bearer()))
	}
	if tokens[0] == tokens[1] {
		t.Error("two hosts got the same token")
	}
}

// TestDoubt: a repository is taken out of an installation, and is another App's.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, first, second := twoApps(t)
		const look = "GET /repos/acme/widgets/installation"
		first.set(look, installed(1, "acme", "selected"))
		cred, err := s.ForOwner(t.Context(), "github.com", owner("acme/widgets"), true)
		if err != nil || cred.Installation != 1 {
			t.Fatalf("ForOwner = %v, %v", cred, err)
		}
		first.set(look, reply{})
		second.set(look, installed(2, "acme", "selected"))
		s.Doubt(cred, owner("acme/rockets")) // of which nothing is known
		if got := whose(t, s, "acme/widgets", true); got != "1 of first" {
			t.Errorf("before GitHub misses it, it is answered by %s, want 1 of first", got)
		}
		s.Doubt(cred, owner("acme/widgets"))
		if got := whose(t, s, "acme/widgets", true); got != "2 of second" {
			t.Errorf("then it is answered by %s, want 2 of second", got)
		}
		second.take()
		for range 3 { // a file that is not there, say
			cred, _ = s.ForOwner(t.Context(), "github.com", owner("acme/widgets"), true)
			s.Doubt(cred, owner("acme/widgets"))
		}
		wantCalls(t, second, look) // once in a minute
		time.Sleep(time.Minute + time.Second)
		s.Doubt(cred, owner("acme/widgets"))
		whose(t, s, "acme/widgets", true)
		wantCalls(t, second, look)
	})
}

// TestDoubtOfAll: an installation for all of an account is not doubted.
func TestDoubtOfAll(t *testing.T) {
	fake := &api{answers: map[string]reply{"GET /repos/acme/widgets/installation": installed(1, "acme", "all")}}
	s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1))
	cred, err := s.ForOwner(t.Context(), "github.com", owner("acme/widgets"), true)
	if err != nil {
		t.Fatal(err)
	}
	fake.take()
	s.Doubt(cred, owner("acme/widgets"))
	s.Doubt(auth.Credential{}, owner("acme/widgets"))
	whose(t, s, "acme/widgets", true)
	wantCalls(t, fake)
}
