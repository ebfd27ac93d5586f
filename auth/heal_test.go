package auth_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// TestReplace: what stands in for a credential that GitHub refuses, by what
// has happened to the installation meanwhile.
func TestReplace(t *testing.T) {
	const look, mint1 = "GET /users/acme/installation", "POST /app/installations/1/access_tokens"
	gone := reply{status: 404, body: `{"message":"Not Found"}`}
	for _, test := range []struct {
		name     string
		mapped   bool
		fallback auth.Fallback
		happens  func(*api)
		want     string
	}{
		{"revoked", false, auth.FallbackRefuse, func(*api) {}, "1 of ci-bot"},
		{"revoked and mapped", true, auth.FallbackRefuse, func(*api) {}, "1 of ci-bot"},
		{"reinstalled", false, auth.FallbackRefuse, func(g *api) { g.set(mint1, gone); g.set(look, installed(2, "acme", "all")) }, "2 of ci-bot"},
		{"uninstalled", false, auth.FallbackRefuse, func(g *api) { g.set(mint1, gone); g.set(look, gone) },
			"no installation on github.com covers acme (tried: ci-bot)"},
		{"uninstalled, and anonymous is allowed", false, auth.FallbackAnonymous, func(g *api) { g.set(mint1, gone); g.set(look, gone) }, "anonymous"},
		{"uninstalled and mapped", true, auth.FallbackAnonymous, func(g *api) { g.set(mint1, gone); g.set(look, installed(2, "acme", "all")) },
			`App ci-bot could not mint a token for installation 1: GitHub answered 404 "Not Found"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{answers: map[string]reply{look: installed(1, "acme", "all")}}
			app := newApp("ci-bot", 1)
			if test.mapped {
				app.Installations = map[string]github.InstallationID{"acme": 1}
			}
			s := newSource(t, fake, test.fallback, app)
			want := auth.Want{Owner: owner("acme"), Read: true}
			refused, err := s.Token(t.Context(), "github.com", want)
			if err != nil {
				t.Fatal(err)
			}
			test.happens(fake)
			var wg sync.WaitGroup
			for range 10 { // all that were refused at once
				wg.Go(func() {
					fresh, err := s.Replace(t.Context(), refused, want)
					if got := credentialText(fresh, err); got != test.want || err == nil && fresh == refused {
						t.Errorf("%s: Replace = %s, want %s", test.name, got, test.want)
					}
				})
			}
			wg.Wait()
			if n := fake.minted(); n > 3 {
				t.Errorf("%s: %d mints, want 3 at most", test.name, n)
			}
		})
	}
}

func credentialText(cred auth.Credential, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case cred.Anonymous():
		return "anonymous"
	}
	return cred.String()[len("installation "):len("installation 1")] + " of " + cred.App.Name
}

// TestReplaceOnceAMinute: what is refused again is left as it is.
func TestReplaceOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		s := acmeSource(t, fake)
		want := auth.Want{Owner: owner("acme")}
		cred, err := s.Token(t.Context(), "github.com", want)
		for minute := range 3 {
			for second := range 60 {
				fresh, failed := s.Replace(t.Context(), cred, want)
				if err = errors.Join(err, failed); err != nil || (fresh != cred) != (second == 0) {
					t.Fatalf("minute %d, second %d: Replace = another: %t, %v", minute, second, fresh != cred, err)
				}
				cred = fresh
				time.Sleep(time.Second + time.Millisecond)
			}
		}
		if n := fake.minted(); n != 4 {
			t.Errorf("%d mints in three minutes, want 4", n)
		}
		jwt, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Replace(t.Context(), jwt, auth.Want{}); got != jwt || err != nil {
			t.Errorf("Replace of a JWT = %v, %v, want the same", got, err)
		}
	})
}

// TestReplaceBySuspension: the App in reserve stands in.
func TestReplaceBySuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, githubs := reserves(t, true, auth.FallbackRefuse, nil)
		want := auth.Want{Owner: owner("acme")}
		refused, err := s.Token(t.Context(), "github.com", want)
		if err != nil {
			t.Fatal(err)
		}
		githubs["a"].set("POST /app/installations/1/access_tokens", reply{status: 403, body: `{"message":"This installation has been suspended"}`})
		fresh, err := s.Replace(t.Context(), refused, want)
		if got := credentialText(fresh, err); got != "2 of b" {
			t.Errorf("Replace = %s, want 2 of b", got)
		}
	})
}

// Of those that are refused at once, none gets the refused token back, and one
// token is minted for all: looking and discarding are one step.
func TestReplaceAtOnce(t *testing.T) {
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 1}
	want := auth.Want{Owner: owner("acme"), Read: true}
	for range 200 {
		fake := &api{}
		s := newSource(t, fake, auth.FallbackRefuse, app)
		refused, err := s.Token(t.Context(), "github.com", want)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 16 {
			all.Go(func() {
				<-start
				if fresh, err := s.Replace(t.Context(), refused, want); err != nil || fresh == refused {
					t.Errorf("Replace = %s, want another token", credentialText(fresh, err))
				}
			})
		}
		close(start)
		all.Wait()
		if fake.mints != 2 {
			t.Errorf("%d mints, want 2", fake.mints)
		}
		s.Close()
	}
}
