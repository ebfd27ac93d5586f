package auth_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// byName is a Scope of repositories that are all known by name.
func byName(repositories ...string) *auth.Scope {
	scope := only(repositories...)
	for _, name := range repositories {
		scope.Names = append(scope.Names, owner(name))
	}
	return scope
}

// TestScopeNames: what is known by name needs no list, however many repositories
// the installation has.
func TestScopeNames(t *testing.T) {
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf("acme/r%d", i))
	}
	for _, test := range []struct {
		name  string
		want  auth.Want
		calls []string
		mint  string
	}{
		{"a repository", auth.Want{Owner: owner("acme/r1"), Within: byName("acme/r1")}, []string{factsOf1}, `{"repositories":["r1"]}`},
		{"several", auth.Want{Owner: owner("acme/r1"), Within: byName("acme/r1", "acme/r4999", "globex/x")}, []string{factsOf1}, `{"repositories":["r1","r4999"]}`},
		{"no owner", auth.Want{Within: byName("acme/r1")}, []string{factsOf1}, `{"repositories":["r1"]}`},
		{"a rule's names", auth.Want{Owner: owner("acme"), Within: byName("acme/r1", "acme/r2"), Narrow: mustNarrow(t, []string{"r2", "r3"}, nil, nil)},
			[]string{factsOf1}, `{"repositories":["r2"]}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newScoped(t, auth.FallbackRefuse, `{"contents":"write"}`, many...)
			for range 20 { // for more than an hour
				if _, err := g.Token(t.Context(), "github.com", test.want); err != nil {
					t.Fatalf("%s: %v", test.name, err)
				}
				if lists := slices.DeleteFunc(g.take(), func(c string) bool { return !strings.Contains(c, "/repositories") }); len(lists) > 0 {
					t.Errorf("%s: asked %q", test.name, lists)
				}
				time.Sleep(4 * time.Minute)
			}
			if got := g.minted(); len(got) == 0 || got[0] != test.mint {
				t.Errorf("%s: asked for %q, want %q", test.name, got, test.mint)
			}
		})
	}
}

// TestScopeNamesNobody: a request that names nobody is about the account on which
// all that the client may use is, rather than about any installation.
func TestScopeNamesNobody(t *testing.T) {
	a := newApp("a", 1)
	a.Installations = map[string]github.InstallationID{"acme": 1, "globex": 2}
	fake := &api{}
	for id, login := range map[int]string{1: "acme", 2: "globex"} {
		fake.set(fmt.Sprintf("GET /app/installations/%d", id), reply{status: 200, body: fmt.Sprintf(`{"id":%d,"account":{"login":%q},"permissions":{}}`, id, login)})
	}
	s := newSource(t, fake, auth.FallbackRefuse, a)
	for _, test := range []struct {
		names []string
		want  github.InstallationID
	}{{[]string{"acme/x"}, 1}, {[]string{"globex/x", "Globex/y"}, 2}, {[]string{"acme/x", "globex/x"}, 0}} {
		scope := byName(test.names...)
		scope.Account = nil
		want := auth.Want{Within: scope}
		cred, err := s.Token(t.Context(), "github.com", want)
		if cred.Installation != test.want || (err == nil) != (test.want != 0) {
			t.Errorf("%v: %v, %v, want installation %d", test.names, cred, err, test.want)
		}
		if plan := s.Plan("github.com", want); plan.Installation != test.want {
			t.Errorf("%v: planned %v, want installation %d", test.names, plan, test.want)
		}
	}
}

// TestScopeNamesGone: GitHub mints for no list that contains what is gone; it is
// left out, and back when it is there again.
func TestScopeNamesGone(t *testing.T) {
	for _, discovers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g := newScoped(t, auth.FallbackRefuse, `{"contents":"write"}`, "acme/here")
			app := newApp("ci-bot", 1)
			app.Installations = map[string]github.InstallationID{"acme": 1}
			app.NoDiscovery = !discovers
			g.Source = newSource(t, g.api, auth.FallbackRefuse, app)
			g.set("GET /repos/acme/here/installation", installed(1, "acme", "selected"))
			g.refuse("gone")
			ask := func(o string) error {
				_, err := g.Token(t.Context(), "github.com", auth.Want{Owner: owner(o), Within: byName("acme/gone", "acme/here")})
				return err
			}
			for range 10 {
				if err := ask("acme/here"); err != nil {
					t.Fatalf("discovery %v: %v", discovers, err)
				}
			}
			if got, want := g.minted(), []string{`{"repositories":["gone","here"]}`, `{"repositories":["here"]}`}; !slices.Equal(got, want) {
				t.Errorf("discovery %v: asked for %q, want %q", discovers, got, want)
			}
			calls := g.take()
			if len(calls) > 5 {
				t.Errorf("discovery %v: GitHub was asked %d times: %q", discovers, len(calls), calls)
			}
			if asked := slices.Contains(calls, "GET /repos/acme/gone/installation"); asked != discovers {
				t.Errorf("discovery %v: asked where the repository is: %v", discovers, asked)
			}
			g.judge = nil
			g.list("acme/here", "acme/gone")
			g.set("GET /repos/acme/gone/installation", installed(1, "acme", "selected"))
			time.Sleep(11 * time.Second)
			if err := ask("acme/gone"); err != nil {
				t.Fatal(err)
			}
			if got, want := g.minted(), []string{`{"repositories":["gone","here"]}`}; !slices.Equal(got, want) {
				t.Errorf("discovery %v: when it is back, asked for %q, want %q", discovers, got, want)
			}
		})
	}
}

// TestScopeNamesRenamed: where GitHub mints for what a name once meant, that token
// is not used.
func TestScopeNamesRenamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{"contents":"write"}`, "acme/here", "acme/secret")
		g.set("GET /repos/acme/gone/installation", installed(1, "acme", "all"))
		g.judge = func(r *http.Request) (reply, bool) {
			g.mu.Lock()
			defer g.mu.Unlock()
			renamed := r.Method == "POST" && strings.Contains(g.bodies[len(g.bodies)-1], "gone")
			return reply{status: 201, body: `{"token":"ghs_secret","expires_at":"2100-01-01T00:00:00Z","repositories":[{"id":2,"name":"secret","owner":{"login":"acme"}}]}`}, renamed
		}
		for range 5 {
			cred, err := g.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme/here"), Within: byName("acme/gone", "acme/here")})
			if err != nil || strings.Contains(cred.Bearer()[0], "secret") {
				t.Fatalf("%v, %v, want another token", cred.Bearer(), err)
			}
			_, err = g.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme/gone"), Narrow: mustNarrow(t, []string{"gone"}, nil, nil)})
			if err == nil || !strings.Contains(err.Error(), "present name") {
				t.Fatalf("a rule's name: %v, want that the repository was renamed", err)
			}
		}
		if got, want := g.minted(), []string{`{"repositories":["gone","here"]}`, `{"repositories":["here"]}`, `{"repositories":["gone"]}`}; !slices.Equal(got, want) {
			t.Errorf("asked for %q, want %q", got, want)
		}
	})
}

// TestScopeNamesAllGone: nothing is minted then, nor asked on and on.
func TestScopeNamesAllGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{"contents":"write"}`)
		g.refuse("gone")
		for range 10 {
			_, err := g.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme"), Within: byName("acme/gone")})
			if _, ok := errors.AsType[*auth.ScopeError](err); !ok {
				t.Fatalf("%v, want a ScopeError", err)
			}
		}
		if calls := g.take(); len(calls) != 3 { // facts, the mint, where the repository is
			t.Errorf("GitHub was asked %q", calls)
		}
	})
}

// TestScopePatternsRefresh: nobody waits for a list that is asked for anew, and a
// long one is asked for more rarely.
func TestScopePatternsRefresh(t *testing.T) {
	for _, test := range []struct{ repositories, lists int }{{10, 12}, {1950, 48}} { // in an hour
		synctest.Test(t, func(t *testing.T) {
			var many []string
			for i := range test.repositories {
				many = append(many, fmt.Sprintf("acme/r%d", i))
			}
			g := newScoped(t, auth.FallbackRefuse, `{"contents":"write"}`, many...)
			want := auth.Want{Owner: owner("acme/r1"), Within: only("acme/r1")}
			ask := func() {
				t.Helper()
				if _, err := g.Token(t.Context(), "github.com", want); err != nil {
					t.Fatal(err)
				}
			}
			ask()
			inner := g.before
			g.before = func(r *http.Request) {
				time.Sleep(time.Second)
				inner(r)
			}
			g.take()
			for range 60 {
				time.Sleep(time.Minute)
				start := time.Now()
				ask()
				if took := time.Since(start); took != 0 {
					t.Fatalf("a request waited for %v", took)
				}
			}
			synctest.Wait()
			if lists := slices.DeleteFunc(g.take(), func(c string) bool { return !strings.Contains(c, "/repositories") }); len(lists) > test.lists || len(lists) < test.lists/2 {
				t.Errorf("%d repositories: %d pages in an hour, want about %d", test.repositories, len(lists), test.lists)
			}
		})
	}
}
