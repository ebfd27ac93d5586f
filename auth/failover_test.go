package auth_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// left is the head of GitHub's answer when so much of a limit of 5000 is left.
func left(resource string, remaining int, reset time.Duration) http.Header {
	return http.Header{
		"X-Ratelimit-Resource":  {resource},
		"X-Ratelimit-Limit":     {"5000"},
		"X-Ratelimit-Remaining": {strconv.Itoa(remaining)},
		"X-Ratelimit-Reset":     {strconv.FormatInt(time.Now().Add(reset).Unix(), 10)},
	}
}

// exhaust serves a want once and tells that this used the limit up.
func exhaust(t *testing.T, s *auth.Source, want auth.Want, resource string, reset time.Duration) {
	t.Helper()
	cred, err := s.Token(t.Context(), "github.com", want)
	if err != nil || cred.Anonymous() {
		t.Fatalf("Token(%+v) = %v, %v, want a token", want, cred, err)
	}
	s.ObserveQuota(cred, left(resource, 0, reset))
}

// reserves returns a Source for the Apps a, b and c, each with a GitHub of its
// own. In the order a, b, c they cover acme by number 1, 2, 3: mapped or found.
func reserves(t testing.TB, mapped bool, fallback auth.Fallback, log *slog.Logger) (*auth.Source, map[string]*api) {
	githubs, hosts := map[string]*api{}, byHost{}
	var apps []*auth.App
	for i, name := range []string{"a", "b", "c"} {
		app, fake := newApp(name, int64(i+1)), &api{answers: map[string]reply{}}
		app.API = &url.URL{Scheme: "https", Host: name + ".example.com"}
		if mapped {
			app.Installations = map[string]github.InstallationID{"acme": github.InstallationID(i + 1)}
		}
		for _, path := range []string{"/users/acme", "/repos/acme/widgets", "/repositories/9"} {
			fake.set("GET "+path+"/installation", installed(int64(i+1), "acme", "all"))
		}
		fake.set("GET /app/installations?per_page=100&page=1", reply{status: 200, body: fmt.Sprintf(`[{"id":%d,"account":{"id":7,"login":"acme"}}]`, i+1)})
		githubs[name], hosts[app.API.Host] = fake, fake
		apps = append(apps, app)
	}
	s := auth.New(apps, auth.Options{Transport: hosts, Fallback: fallback, Log: log})
	t.Cleanup(s.Close)
	return s, githubs
}

// TestQuotaChoosesApp: the first App with quota left serves, and each again
// after its reset.
func TestQuotaChoosesApp(t *testing.T) {
	for _, mapped := range []bool{true, false} {
		for name, want := range map[string]auth.Want{
			"an account":           {Owner: owner("acme")},
			"a repository":         {Owner: owner("acme/widgets")},
			"two repositories":     {Owner: owner("acme/widgets"), Others: []github.Account{owner("acme/rockets")}},
			"a repository by id":   {Owner: github.Account{RepositoryID: 9}},
			"an account by its id": {Owner: github.Account{AccountID: 7}},
		} {
			synctest.Test(t, func(t *testing.T) {
				s, _ := reserves(t, mapped, auth.FallbackRefuse, nil)
				check := func(when, who string) {
					t.Helper()
					for range 3 {
						if got := answeredBy(t, s, want); got != who {
							t.Errorf("mapped %t, %s: %s it is answered by %s, want %s", mapped, name, when, got, who)
						}
					}
				}
				check("at first", "1 of a")
				exhaust(t, s, want, "core", 10*time.Minute)
				check("without a", "2 of b")
				exhaust(t, s, want, "core", 30*time.Minute)
				check("without a and b", "3 of c")
				exhaust(t, s, want, "core", 30*time.Minute)
				check("without any", "1 of a")
				time.Sleep(11 * time.Minute)
				check("with a again", "1 of a")
				exhaust(t, s, want, "core", 5*time.Minute)
				check("still without b and c", "1 of a")
				time.Sleep(20 * time.Minute)
				check("with all again", "1 of a")
			})
		}
	}
}

// TestQuotaOfEachResource: what is used up is the limit of that resource alone.
func TestQuotaOfEachResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := reserves(t, true, auth.FallbackRefuse, nil)
		exhaust(t, s, auth.Want{Owner: owner("acme")}, "graphql", time.Hour)
		for resource, want := range map[auth.Resource]string{
			auth.ResourceCore: "1 of a", auth.ResourceSearch: "1 of a", auth.ResourceCodeSearch: "1 of a",
			auth.ResourceNone: "1 of a", auth.ResourceGraphQL: "2 of b",
		} {
			if got := answeredBy(t, s, auth.Want{Owner: owner("acme"), Resource: resource}); got != want {
				t.Errorf("resource %d is answered by %s, want %s", resource, got, want)
			}
		}
	})
}

// TestQuotaLeavesTheAppThatWasNamed: who asks for one App gets its answer.
func TestQuotaLeavesTheAppThatWasNamed(t *testing.T) {
	narrow, err := github.NewNarrowing(nil, nil, map[string]string{"contents": "read"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]auth.Want{
		"a name":          {Owner: owner("acme"), App: "a"},
		"a narrowing":     {Owner: owner("acme"), Narrow: narrow},
		"an installation": {Installation: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, githubs := reserves(t, true, auth.FallbackRefuse, nil)
			exhaust(t, s, want, "core", time.Hour)
			if got := answeredBy(t, s, want); got != "1 of a" {
				t.Errorf("%s: answered by %s, want 1 of a", name, got)
			}
			wantCalls(t, githubs["b"])
		})
	}
}

// TestFailover: an App that GitHub refuses for a reason of its own is passed
// over. An outage is not hidden.
func TestFailover(t *testing.T) {
	refusal := func(status int, message string) reply {
		return reply{status: status, body: fmt.Sprintf(`{"message":%q}`, message)}
	}
	for _, test := range []struct {
		name   string
		answer reply
		over   bool
	}{
		{"suspended", refusal(403, "This installation has been suspended"), true},
		{"gone", refusal(404, "Not Found"), true},
		{"an unknown App", refusal(404, "Integration not found"), true},
		{"a wrong key", refusal(401, "A JSON web token could not be decoded"), true},
		{"the App's rate limit", refusal(403, "API rate limit exceeded"), true},
		{"too many requests", refusal(429, "slow down"), true},
		{"not granted", refusal(422, "no"), false},
		{"an outage", reply{status: 502}, false},
		{"no network", reply{err: syscall.ECONNREFUSED}, false},
		{"nonsense", reply{status: 201, body: "<html>"}, false},
	} {
		for _, mapped := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				s, githubs := reserves(t, mapped, auth.FallbackRefuse, nil)
				githubs["a"].mint = func(int, string) reply { return test.answer }
				for range 3 {
					got := whose(t, s, "acme", true)
					if want := map[bool]string{true: "2 of b", false: "error"}[test.over]; got != want {
						t.Errorf("%s, mapped %t: answered by %s, want %s", test.name, mapped, got, want)
					}
				}
				githubs["a"].mint = nil
				time.Sleep(time.Minute + time.Second)
				if got := whose(t, s, "acme", true); got != "1 of a" {
					t.Errorf("%s, mapped %t: mended, it is answered by %s, want 1 of a", test.name, mapped, got)
				}
			})
		}
	}
}

// TestFailoverOfLookUps is the same for the question where an App is installed.
func TestFailoverOfLookUps(t *testing.T) {
	for status, want := range map[int]string{401: "2 of b", 403: "2 of b", 429: "2 of b", 422: "error", 500: "error"} {
		for _, want := range []struct {
			owner github.Account
			by    string
		}{{owner("acme/widgets"), want}, {github.Account{RepositoryID: 9}, want}, {owner("octocat"), "error"}} {
			synctest.Test(t, func(t *testing.T) {
				s, githubs := reserves(t, false, auth.FallbackAnonymous, nil)
				githubs["a"].judge = func(*http.Request) (reply, bool) { return reply{status: status}, true }
				got := answeredBy(t, s, auth.Want{Owner: want.owner, Read: true})
				if strings.HasPrefix(got, "App a could not") {
					got = "error" // rather than a fallback: a may cover octocat
				}
				if got != want.by {
					t.Errorf("%d: %v is answered by %s, want %s", status, want.owner, got, want.by)
				}
			})
		}
	}
}

// TestAllFail: the first App's answer reaches the client.
func TestAllFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, githubs := reserves(t, true, auth.FallbackAnonymous, nil)
		for name, fake := range githubs {
			fake.mint = func(int, string) reply { return reply{status: 403, body: `{"message":"no ` + name + `"}`} }
		}
		_, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
		wantError(t, err, `App a could not mint a token for installation 1: GitHub answered 403 "no a"`, "")
	})
}

// TestReserveIsDown: an outage of the App in reserve changes nothing.
func TestReserveIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, githubs := reserves(t, true, auth.FallbackRefuse, nil)
		githubs["b"].mint = func(int, string) reply { return reply{status: 502} }
		exhaust(t, s, auth.Want{Owner: owner("acme")}, "core", time.Hour)
		if got := whose(t, s, "acme", true); got != "1 of a" {
			t.Errorf("answered by %s, want 1 of a, whose limit GitHub explains", got)
		}
	})
}

// TestMappingIsNotExtended: what one App maps, another does not discover.
func TestMappingIsNotExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := firstAndSecond()
		second.NoDiscovery, first.NoDiscovery = false, false
		fake := &api{answers: map[string]reply{
			"GET /users/globex/installation": installed(12, "globex", "all"), "GET /repositories/9/installation": installed(12, "globex", "all"),
		}}
		s := newSource(t, fake, auth.FallbackRefuse, first, second)
		for _, o := range []github.Account{owner("globex"), {RepositoryID: 9}} {
			exhaust(t, s, auth.Want{Owner: o}, "core", time.Hour)
			if got := answeredBy(t, s, auth.Want{Owner: o}); got != "22 of second" {
				t.Errorf("%v is answered by %s, want 22 of second, which maps it", o, got)
			}
		}
	})
}

// TestDefaultsInReserve: defaults stand in for defaults, for nobody else.
func TestDefaultsInReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, third := newApp("first", 1), newApp("second", 2), newApp("third", 3)
		first.DefaultInstallation, third.DefaultInstallation = 10, 30
		first.Installations = map[string]github.InstallationID{"acme": 11}
		s := newSource(t, &api{}, auth.FallbackDefault, first, second, third)
		for _, test := range []struct {
			want   auth.Want
			before string
			after  string
		}{
			{auth.Want{}, "10 of first", "30 of third"},
			{auth.Want{Owner: owner("octocat")}, "10 of first, the fallback", "30 of third, the fallback"},
			{auth.Want{Owner: github.Account{TeamID: 1}}, "10 of first", "30 of third"},
			{auth.Want{Owner: owner("acme")}, "11 of first", "11 of first"},
		} {
			if got := answeredBy(t, s, test.want); got != test.before {
				t.Errorf("%+v is answered by %s, want %s", test.want, got, test.before)
			}
			exhaust(t, s, test.want, "core", time.Minute)
			if got := answeredBy(t, s, test.want); got != test.after {
				t.Errorf("exhausted, %+v is answered by %s, want %s", test.want, got, test.after)
			}
			time.Sleep(2 * time.Minute)
		}
	})
}

// TestNoDefaultInReserve: a default does not stand in for an owner's own
// installation, and an App without one is not asked for it.
func TestNoDefaultInReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newApp("first", 1), newApp("second", 2)
		first.Installations = map[string]github.InstallationID{"acme": 1}
		second.DefaultInstallation = 20
		fake := &api{answers: map[string]reply{"GET /repositories/9/installation": installed(1, "acme", "all")}}
		s := newSource(t, fake, auth.FallbackDefault, first, second)
		want := auth.Want{Owner: github.Account{RepositoryID: 9}}
		exhaust(t, s, want, "core", time.Minute)
		fake.set("GET /repositories/9/installation", reply{}) // not covered by second
		if got := answeredBy(t, s, want); got != "1 of first" {
			t.Errorf("repository 9 is answered by %s, want 1 of first", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		first, second := newApp("first", 1), newApp("second", 2)
		first.DefaultInstallation = 10
		fake := &api{}
		s := newSource(t, fake, auth.FallbackDefault, first, second)
		want := auth.Want{Owner: github.Account{TeamID: 1}}
		exhaust(t, s, want, "core", time.Minute)
		if got := answeredBy(t, s, want); got != "10 of first" {
			t.Errorf("team 1 is answered by %s, want 10 of first", got)
		}
		wantCalls(t, fake, "POST /app/installations/10/access_tokens")
	})
}

// TestLearnedByReserve: an id that was learned while another App served goes
// back to the first one with its owner.
func TestLearnedByReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := reserves(t, true, auth.FallbackRefuse, nil)
		exhaust(t, s, auth.Want{Owner: owner("acme")}, "core", time.Minute)
		cred, err := s.ForOwner(t.Context(), "github.com", owner("acme/widgets"), true)
		if err != nil || cred.App.Name != "b" {
			t.Fatalf("ForOwner = %v, %v, want b's", cred, err)
		}
		id := auth.Want{Owner: github.Account{RepositoryID: 5}}
		s.Learn(cred, id.Owner, owner("Acme/widgets"))
		if got := answeredBy(t, s, id); got != "2 of b" {
			t.Errorf("without a the id is answered by %s, want 2 of b", got)
		}
		time.Sleep(2 * time.Minute)
		if got := answeredBy(t, s, id); got != "1 of a" {
			t.Errorf("with a again the id is answered by %s, want 1 of a", got)
		}
	})
}

// TestFailoverIsLogged: once when it begins, and once when it ends.
func TestFailoverIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelInfo}))
		s, githubs := reserves(t, true, auth.FallbackRefuse, log)
		ask := func() {
			for range 5 {
				whose(t, s, "acme", true)
			}
		}
		exhaust(t, s, auth.Want{Owner: owner("acme")}, "core", time.Minute)
		ask()
		time.Sleep(2 * time.Minute)
		ask()
		time.Sleep(2 * time.Hour)
		githubs["a"].mint = func(int, string) reply { return reply{status: 401} }
		ask()
		for line, want := range map[string]int{
			"another App serves until a rate limit resets":      1,
			"another App serves instead of one that GitHub ref": 1,
			"an App serves again":                               1,
		} {
			if n := strings.Count(text.String(), line); n != want {
				t.Errorf("%q stands %d times in the log, want %d:\n%s", line, n, want, &text)
			}
		}
	})
}

func TestPlanNamesReserves(t *testing.T) {
	s, _ := reserves(t, true, auth.FallbackRefuse, nil)
	for _, test := range []struct {
		want auth.Want
		how  string
	}{
		{auth.Want{Owner: owner("acme")}, "mapped in the configuration, by app.a.installations.acme; in reserve: b, c"},
		{auth.Want{Owner: owner("acme"), App: "a"}, "mapped in the configuration, by app.a.installations.acme"},
		{auth.Want{Owner: owner("octocat")}, "would be discovered (asking a, b, c); else refused; in reserve: the others that cover it"},
		{auth.Want{Owner: owner("octocat"), App: "b"}, "would be discovered (asking b); else refused"},
	} {
		if got := s.Plan("github.com", test.want); got.How != test.how {
			t.Errorf("Plan(%+v) = %q, want %q", test.want, got.How, test.how)
		}
	}
}

// TestFailoverWithinScope: an App whose installation is outside the scope is no
// stand-in, and does not keep the next from being one.
func TestFailoverWithinScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, githubs := reserves(t, true, auth.FallbackRefuse, nil)
		for i, name := range []string{"a", "b", "c"} {
			permissions := `{"contents":"read"}`
			if name == "b" {
				permissions = `{}`
			}
			githubs[name].set(fmt.Sprintf("GET /app/installations/%d", i+1), reply{status: 200, body: `{"account":{"login":"acme"},"permissions":` + permissions + `}`})
		}
		want := auth.Want{Owner: owner("acme"), Within: &auth.Scope{ReadOnly: true}}
		exhaust(t, s, want, "core", time.Hour)
		if got := answeredBy(t, s, want); got != "3 of c" {
			t.Errorf("answered by %s, want 3 of c", got)
		}
	})
}

// TestDiscoveredStandInTeachesNothing: an id that was learned while another App served is
// the first App's again after that.
func TestDiscoveredStandInTeachesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := reserves(t, false, auth.FallbackRefuse, nil)
		want := auth.Want{Owner: owner("acme/widgets")}
		exhaust(t, s, want, "core", time.Minute)
		cred, err := s.Token(t.Context(), "github.com", want)
		if err != nil || cred.App.Name != "b" {
			t.Fatalf("Token = %v, %v, want b's", cred, err)
		}
		id := github.Account{RepositoryID: 9}
		s.Learn(cred, id, owner("acme/widgets"))
		time.Sleep(2 * time.Minute)
		if got := answeredBy(t, s, auth.Want{Owner: id}); got != "1 of a" {
			t.Errorf("answered by %s, want 1 of a", got)
		}
	})
}
