package auth_test

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// mapped returns an App that maps acme.
func mapped(name string, id int64) *auth.App {
	app := newApp(name, id)
	app.Installations = map[string]github.InstallationID{"acme": 111}
	return app
}

// TestNextKeeps: what another Source goes on with, and what it has not.
func TestNextKeeps(t *testing.T) {
	const mint = "POST /app/installations/111/access_tokens"
	for name, test := range map[string]struct {
		next  func() *auth.App
		want  string   // token for acme
		calls []string // for acme, then other
	}{
		"the same App":    {func() *auth.App { return mapped("bot", 1) }, "ghs_1", nil},
		"another key":     {func() *auth.App { a := mapped("bot", 1); a.Signers = []auth.Signer{auth.NewKey(otherKey())}; return a }, "ghs_1", []string{"GET /users/other/installation"}},
		"another name":    {func() *auth.App { return mapped("ci", 1) }, "ghs_1", []string{"GET /users/other/installation"}},
		"more mappings":   {func() *auth.App { a := mapped("bot", 1); a.Installations["beta"] = 222; return a }, "ghs_1", []string{"GET /users/other/installation"}},
		"another App":     {func() *auth.App { return mapped("bot", 2) }, "ghs_3", []string{mint, "GET /users/other/installation", "POST /app/installations/5/access_tokens"}},
		"another host":    {func() *auth.App { a := mapped("bot", 1); a.Instance = "ghe.example.com"; return a }, "", nil},
		"a client id too": {func() *auth.App { a := mapped("bot", 1); a.ClientID = "Iv1"; return a }, "ghs_3", []string{mint, "GET /users/other/installation", "POST /app/installations/5/access_tokens"}},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &api{}
			fake.set("GET /users/other/installation", installed(5, "other", "all"))
			s := newSource(t, fake, auth.FallbackRefuse, mapped("bot", 1))
			mustToken(t, s, "acme")
			mustToken(t, s, "other")
			fake.take()

			s = s.Next([]*auth.App{test.next()}, fake, auth.FallbackRefuse)
			if test.want == "" {
				if got := whose(t, s, "acme", true); got != "refused" && got != "error" {
					t.Errorf("acme of github.com is served: %s", got)
				}
				return
			}
			if got := mustToken(t, s, "acme"); got != test.want {
				t.Errorf("the token is %s, want %s", got, test.want)
			}
			mustToken(t, s, "other")
			wantCalls(t, fake, test.calls...)
		})
	}
}

// TestNextBeside: a Source goes on as it was while there is another one, whose own calls
// go another way.
func TestNextBeside(t *testing.T) {
	before, after := &api{}, &api{}
	first := newSource(t, before, auth.FallbackRefuse, mapped("bot", 1))
	second := first.Next([]*auth.App{mapped("other", 2)}, after, auth.FallbackAnonymous)
	if got := whose(t, first, "acme", true); got != "111 of bot" {
		t.Errorf("the Source of before gives %s, want 111 of bot", got)
	}
	if got := whose(t, second, "acme", true); got != "111 of other" {
		t.Errorf("the Source gives %s, want 111 of other", got)
	}
	if got := whose(t, first, "nobody", true); got != "refused" {
		t.Errorf("the Source of before gives %s to nobody", got)
	}
	if got := whose(t, second, "nobody", true); got != "anonymous" {
		t.Errorf("the Source gives %s to nobody", got)
	}
	if n := len(before.take()); n != 0 || len(after.take()) == 0 {
		t.Errorf("%d calls went the way of before", n)
	}
}

// TestDropOthers: nothing is left of an App that is gone, and what comes back starts
// anew.
func TestDropOthers(t *testing.T) {
	for _, revokes := range []bool{false, true} {
		fake := &api{}
		fake.set(revoke, reply{status: 204})
		gone, stays := mapped("gone", 1), newApp("stays", 2)
		stays.Installations = map[string]github.InstallationID{"beta": 222}
		first := newSource(t, fake, auth.FallbackRefuse, gone, stays)
		mustToken(t, first, "acme")
		kept := mustToken(t, first, "beta")
		second := first.Next([]*auth.App{stays}, fake, auth.FallbackRefuse)
		fake.take()
		if err := second.DropOthers(t.Context(), revokes); err != nil {
			t.Fatal(err)
		}
		if revokes {
			wantCalls(t, fake, revoke)
		} else {
			wantCalls(t, fake)
		}
		if got := mustToken(t, second, "beta"); got != kept {
			t.Errorf("the token of the App that stays is %s, want %s", got, kept)
		}
		third := second.Next([]*auth.App{gone, stays}, fake, auth.FallbackRefuse)
		if got := mustToken(t, third, "acme"); got != "ghs_3" {
			t.Errorf("the token is %s, want a new one", got)
		}
	}
}

// TestNextLeaks: two hundred of them leave nothing behind, while requests come.
func TestNextLeaks(t *testing.T) {
	fake := &api{}
	fake.set("GET /users/other/installation", installed(5, "other", "all"))
	s := newSource(t, fake, auth.FallbackRefuse, mapped("bot", 1))
	goroutines := runtime.NumGoroutine()
	var asking sync.WaitGroup
	ask := func(s *auth.Source) {
		asking.Go(func() {
			for _, login := range []string{"acme", "other"} {
				if _, err := s.ForOwner(context.Background(), "github.com", owner(login), true); err != nil {
					t.Errorf("a token for %s: %v", login, err)
				}
			}
		})
	}
	for i := range 200 {
		ask(s)
		app := mapped("bot", int64(1+i%3))
		maps.Copy(app.Installations, map[string]github.InstallationID{fmt.Sprint("o", i): 7})
		s = s.Next([]*auth.App{app}, fake, auth.FallbackRefuse)
		s.Survey()
		ask(s)
		asking.Wait()
		if err := s.DropOthers(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Swept(); n > 12 {
		t.Errorf("%d caches are swept", n)
	}
	s.Close()
	for n := 0; runtime.NumGoroutine() > goroutines+1 && n < 100; n++ {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutines+5 {
		stacks := make([]byte, 1<<20)
		t.Errorf("there are %d goroutines, and were %d:\n%s", n, goroutines, strings.TrimSpace(string(stacks[:runtime.Stack(stacks, true)])))
	}
}
