package auth_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// answeredBy says whose token a want gets, as whose does.
func answeredBy(t testing.TB, s *auth.Source, want auth.Want) string {
	t.Helper()
	cred, err := s.Token(context.Background(), "github.com", want)
	switch {
	case err != nil:
		return err.Error()
	case cred.Anonymous():
		return "anonymous"
	case cred.Fallback:
		return fmt.Sprintf("%d of %s, the fallback", cred.Installation, cred.App.Name)
	}
	return fmt.Sprintf("%d of %s", cred.Installation, cred.App.Name)
}

// firstAndSecond returns two Apps; the second maps globex to 22.
func firstAndSecond() (first, second *auth.App) {
	first, second = newApp("first", 1), newApp("second", 2)
	second.Installations = map[string]github.InstallationID{"globex": 22}
	return first, second
}

func TestRepositoryID(t *testing.T) {
	first, second := firstAndSecond()
	fake := &api{answers: map[string]reply{
		"GET /repositories/1/installation": installed(11, "acme", "all"),
		"GET /repositories/2/installation": installed(12, "GLOBEX", "selected"), // of first, but the configuration says second
	}}
	s := newSource(t, fake, auth.FallbackRefuse, first, second)
	for id, want := range map[int64]string{1: "11 of first", 2: "22 of second", 3: "no installation on github.com covers repository 3 (tried: first, second)"} {
		for range 2 {
			if got := answeredBy(t, s, auth.Want{Owner: github.Account{RepositoryID: id}}); got != want {
				t.Errorf("repository %d is answered by %s, want %s", id, got, want)
			}
		}
	}
	lookUps := 0
	for _, call := range fake.take() {
		if strings.HasPrefix(call, "GET") {
			lookUps++
		}
	}
	if lookUps != 4 { // one each, and the unknown one of both Apps
		t.Errorf("%d look-ups, want 4", lookUps)
	}
}

func TestAccountID(t *testing.T) {
	page := func(first int) string {
		var list []string
		for i := first; i < first+100; i++ {
			list = append(list, fmt.Sprintf(`{"id":%d,"account":{"id":%d,"login":"a%d"}}`, i, 1000+i, i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	fake := &api{answers: map[string]reply{
		"GET /app/installations?per_page=100&page=1": {status: 200, body: page(1)},
		"GET /app/installations?per_page=100&page=2": {status: 200, body: page(101)},
		"GET /app/installations?per_page=100&page=3": {status: 200, body: `[{"id":201,"account":{"id":7,"login":"globex"}}]`},
	}}
	first, second := firstAndSecond()
	first.NoDiscovery, second.NoDiscovery = false, true
	s := newSource(t, fake, auth.FallbackRefuse, first, second)
	for id, want := range map[int64]string{1150: "150 of first", 7: "22 of second", 8: "no installation on github.com covers account 8 (tried: first, second)"} {
		if got := answeredBy(t, s, auth.Want{Owner: github.Account{AccountID: id}}); got != want {
			t.Errorf("account %d is answered by %s, want %s", id, got, want)
		}
	}
}

// An account that is behind the installations that are looked at is not silently
// nobody's.
func TestAccountIDBeyondTheWalk(t *testing.T) {
	fake := &api{answers: map[string]reply{}}
	for page := range 50 {
		var list []string
		for i := page*100 + 1; i <= page*100+100; i++ {
			list = append(list, fmt.Sprintf(`{"id":%d,"account":{"id":%d,"login":"a%d"}}`, i, 10_000+i, i))
		}
		fake.answers[fmt.Sprintf("GET /app/installations?per_page=100&page=%d", page+1)] = reply{status: 200, body: "[" + strings.Join(list, ",") + "]"}
	}
	first, second := firstAndSecond()
	second.NoDiscovery = true
	s := newSource(t, fake, auth.FallbackRefuse, first, second)
	const unknown = "App first could not tell whose account that number is: it has more than 5000 installations, and of these it is none"
	for id, want := range map[int64]string{15_000: "5000 of first", 7: unknown} {
		if got := answeredBy(t, s, auth.Want{Owner: github.Account{AccountID: id}}); got != want {
			t.Errorf("account %d is answered by %s, want %s", id, got, want)
		}
	}
}

// What GitHub says of an id comes before what an answer's Link says of it.
func TestLearnOverridesNoAnswer(t *testing.T) {
	first, second := firstAndSecond()
	fake := &api{answers: map[string]reply{}}
	s := newSource(t, fake, auth.FallbackRefuse, first, second)
	cred, err := s.ForOwner(t.Context(), "github.com", github.Account{Login: "globex"}, true)
	if err != nil {
		t.Fatal(err)
	}
	const nobody = "no installation on github.com covers repository 5 (tried: first, second)"
	id := github.Account{RepositoryID: 5}
	for range 2 {
		if got := answeredBy(t, s, auth.Want{Owner: id}); got != nobody {
			t.Errorf("repository 5 is answered by %s, want %s", got, nobody)
		}
		s.Learn(cred, id, github.Account{Login: "globex", Repo: "tools"})
	}
	// Nor does it come before a 404 that the id itself was answered with.
	id.RepositoryID = 6
	s.Learn(cred, id, github.Account{Login: "globex", Repo: "tools"})
	s.Doubt(cred, id)
	if got := answeredBy(t, s, auth.Want{Owner: id}); got != strings.Replace(nobody, "5", "6", 1) {
		t.Errorf("repository 6 is answered by %s", got)
	}
}

func TestLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := firstAndSecond()
		fake := &api{}
		s := newSource(t, fake, auth.FallbackRefuse, first, second)
		cred, err := s.ForOwner(t.Context(), "github.com", github.Account{Login: "globex"}, true)
		if err != nil {
			t.Fatal(err)
		}
		ids := []github.Account{{RepositoryID: 5}, {AccountID: 6}, {TeamID: 7}}
		for _, id := range ids {
			s.Learn(cred, id, github.Account{Login: "globex"})
		}
		s.Learn(cred, github.Account{Login: "evil"}, github.Account{Login: "evil"}) // a name is not learned
		s.Learn(auth.Credential{}, github.Account{RepositoryID: 8}, github.Account{Login: "globex"})
		fake.take()
		for _, id := range ids {
			if got := answeredBy(t, s, auth.Want{Owner: id}); got != "22 of second" {
				t.Errorf("%v is answered by %s, want 22 of second", id, got)
			}
		}
		wantCalls(t, fake) // nothing was asked
		for _, id := range []github.Account{{Login: "evil"}, {RepositoryID: 8}} {
			if got := answeredBy(t, s, auth.Want{Owner: id}); !strings.HasPrefix(got, "no installation") {
				t.Errorf("%v is answered by %s", id, got)
			}
		}
		s.Forget("github.com", ids[0])
		if got := answeredBy(t, s, auth.Want{Owner: ids[0]}); !strings.HasPrefix(got, "no installation") {
			t.Errorf("the forgotten repository is answered by %s", got)
		}
		time.Sleep(11 * time.Minute)
		if got := answeredBy(t, s, auth.Want{Owner: ids[2]}); !strings.HasPrefix(got, "no installation") {
			t.Errorf("after eleven minutes the team is still answered by %s", got)
		}
	})
}

func TestFallbackTeachesNothing(t *testing.T) {
	app := newApp("ci-bot", 1)
	app.DefaultInstallation = 9
	s := newSource(t, &api{}, auth.FallbackDefault, app)
	cred, err := s.ForOwner(t.Context(), "github.com", github.Account{Login: "octocat"}, true)
	if err != nil || !cred.Fallback {
		t.Fatalf("%v, %v, want the fallback", cred, err)
	}
	s.Learn(cred, github.Account{RepositoryID: 5}, github.Account{Login: "octocat", Repo: "x"})
	if got := answeredBy(t, s, auth.Want{Owner: github.Account{RepositoryID: 5}}); got != "9 of ci-bot, the fallback" {
		t.Errorf("repository 5 is answered by %s, want the fallback", got)
	}
}

func TestSeveralOwners(t *testing.T) {
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 1, "acme-labs": 1, "globex": 2}
	for _, test := range []struct {
		home   github.InstallationID
		owners string
		want   string
	}{
		{0, "acme acme/widgets ACME-labs", "1 of ci-bot"},
		{0, "acme globex", "the request is about acme and others, and no installation on github.com covers them all"},
		{0, "acme octocat", "the request is about acme and others, and no installation on github.com covers them all"},
		{0, "octocat acme", "the request is about octocat and others, and no installation on github.com covers them all"},
		{2, "acme globex", "2 of ci-bot, the fallback"},
	} {
		app.DefaultInstallation = test.home
		s := newSource(t, &api{}, auth.FallbackDefault, app)
		var want auth.Want
		for i, name := range strings.Fields(test.owners) {
			if i == 0 {
				want.Owner = owner(name)
			} else {
				want.Others = append(want.Others, owner(name))
			}
		}
		if got := answeredBy(t, s, want); got != test.want {
			t.Errorf("%s: answered by %s, want %s", test.owners, got, test.want)
		}
	}
}

func TestExplicitChoice(t *testing.T) {
	first, second := firstAndSecond()
	first.Installations = map[string]github.InstallationID{"globex": 12}
	s := newSource(t, &api{}, auth.FallbackRefuse, first, second)
	globex := github.Account{Login: "globex"}
	for _, test := range []struct {
		want auth.Want
		got  string
	}{
		{auth.Want{Owner: globex}, "12 of first"},
		{auth.Want{Owner: globex, App: "second"}, "22 of second"},
		{auth.Want{Owner: globex, Installation: 22}, "22 of second"},
		{auth.Want{Installation: 99}, "99 of first"},
		{auth.Want{Installation: 99, App: "second"}, "99 of second"},
		{auth.Want{Owner: globex, App: "third"}, "no App is configured for github.com"},
	} {
		if got := answeredBy(t, s, test.want); got != test.got {
			t.Errorf("%+v is answered by %s, want %s", test.want, got, test.got)
		}
	}
}

func TestNarrowing(t *testing.T) {
	narrow := func(repos []string, ids []int64, permissions map[string]string) *github.Narrowing {
		t.Helper()
		n, err := github.NewNarrowing(repos, ids, permissions)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	// The cache keys of @octokit/auth-app confuse each of these pairs with
	// another, or with no narrowing at all.
	distinct := []*github.Narrowing{
		nil,
		narrow([]string{"contents"}, nil, nil),
		narrow(nil, nil, map[string]string{"contents": "read"}),
		narrow(nil, []int64{5}, nil),
		narrow([]string{"5"}, nil, nil),
		narrow(nil, nil, map[string]string{"contents": "write"}),
		narrow(nil, nil, map[string]string{"contents": "admin"}),
		narrow(nil, []int64{2, 9, 10}, nil),
	}
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 1}
	fake := &api{}
	s := newSource(t, fake, 0, app)
	seen := map[string]string{}
	for _, n := range distinct {
		cred, err := s.Token(t.Context(), "github.com", auth.Want{Owner: github.Account{Login: "acme"}, Narrow: n})
		if err != nil {
			t.Fatal(err)
		}
		token := cred.Bearer()[0]
		if other, ok := seen[token]; ok {
			t.Errorf("narrowed to %q and to %q: the same token", n, other)
		}
		seen[token] = n.String()
	}
	before := fake.minted()
	ids := []int64{10, 9, 2, 9}
	for _, same := range []*github.Narrowing{
		narrow([]string{"Contents", "contents"}, nil, nil),
		narrow(nil, ids, nil),
	} {
		if _, err := s.Token(t.Context(), "github.com", auth.Want{Owner: github.Account{Login: "acme"}, Narrow: same}); err != nil {
			t.Fatal(err)
		}
	}
	if got := fake.minted(); got != before {
		t.Errorf("%d tokens were minted for narrowings that are the same", got-before)
	}
	if !slices.Equal(ids, []int64{10, 9, 2, 9}) {
		t.Errorf("the caller's ids became %v", ids)
	}
}

func TestPlan(t *testing.T) {
	first, second := firstAndSecond()
	first.DefaultInstallation = 10
	s := newSource(t, &api{}, auth.FallbackDefault, first, second)
	for _, test := range []struct {
		want auth.Want
		plan auth.Plan
	}{
		{auth.Want{Owner: github.Account{Login: "Globex"}}, auth.Plan{App: "second", Installation: 22, How: "mapped in the configuration, by app.second.installations.globex"}},
		{auth.Want{}, auth.Plan{App: "first", Installation: 10, How: "the default installation"}},
		{auth.Want{Owner: github.Account{Login: "acme"}}, auth.Plan{How: "would be discovered (asking first, second); else the default installation; in reserve: the others that cover it"}},
		{auth.Want{Owner: github.Account{TeamID: 1}}, auth.Plan{App: "first", Installation: 10, How: "the default installation, as the fallback"}},
		{auth.Want{Installation: 5}, auth.Plan{App: "first", Installation: 5, How: "chosen by a rule"}},
		{auth.Want{App: "third"}, auth.Plan{How: "no App is configured for github.com"}},
	} {
		if got := s.Plan("github.com", test.want); got != test.plan {
			t.Errorf("Plan(%+v) = %+v, want %+v", test.want, got, test.plan)
		}
	}
}

// One request does not make GitHub be asked about as many ids as it has room for.
func TestManyIDs(t *testing.T) {
	app := newApp("first", 1)
	app.Installations = map[string]github.InstallationID{"acme": 11}
	fake := &api{} // which knows none of them
	s := newSource(t, fake, auth.FallbackRefuse, app)
	want := auth.Want{Owner: github.Account{Login: "acme"}}
	for id := range int64(100) {
		want.Others = append(want.Others, github.Account{RepositoryID: 1000 + id})
	}
	answeredBy(t, s, want)
	lookUps := 0
	for _, call := range fake.take() {
		if strings.HasPrefix(call, "GET /repositories/") {
			lookUps++
		}
	}
	if lookUps == 0 || lookUps > 25 {
		t.Errorf("%d look-ups for one request, want 25 at most", lookUps)
	}
}
