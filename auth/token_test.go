package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// acmeSource maps acme to installation 111 of ci-bot.
func acmeSource(t testing.TB, transport http.RoundTripper) *auth.Source {
	t.Helper()
	app := newApp("ci-bot", 12345)
	app.Installations = map[string]github.InstallationID{"acme": 111}
	return newSource(t, transport, auth.FallbackRefuse, app)
}

func TestTokenForms(t *testing.T) {
	s := acmeSource(t, &api{})
	cred, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
	if err != nil {
		t.Fatal(err)
	}
	basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:ghs_1"))
	for _, form := range []struct {
		got  []string
		want string
	}{{cred.Bearer(), "Bearer ghs_1"}, {cred.Token(), "token ghs_1"}, {cred.Basic(), "Basic " + basic}} {
		if !slices.Equal(form.got, []string{form.want}) {
			t.Errorf("got %q, want %q", form.got, form.want)
		}
	}
	if cred.Installation != 111 || cred.App.Name != "ci-bot" {
		t.Errorf("cred = %v, want installation 111 of App ci-bot", cred)
	}
}

func TestMintRequest(t *testing.T) {
	var got *http.Request
	s := acmeSource(t, &api{before: func(r *http.Request) { got = r }})
	mustToken(t, s, "acme")
	if got.Method != "POST" || got.URL.String() != "https://api.github.com/app/installations/111/access_tokens" || got.Body != nil {
		t.Errorf("got %s %s with body %v, want POST …/app/installations/111/access_tokens without", got.Method, got.URL, got.Body)
	}
	bearer, ok := strings.CutPrefix(got.Header.Get("Authorization"), "Bearer ")
	if !ok {
		t.Fatal("the mint is not authenticated as Bearer")
	}
	openJWT(t, bearer, &testKey().PublicKey)
	if got.Header.Get("User-Agent") != "ghapp-proxy" || got.Header.Get("Accept") != "application/vnd.github+json" {
		t.Errorf("User-Agent = %q, Accept = %q", got.Header.Get("User-Agent"), got.Header.Get("Accept"))
	}
}

func TestTokenLife(t *testing.T) {
	tests := []struct {
		name     string
		life     time.Duration // from the mint to expires_at
		keep     time.Duration // how long the token is used
		noExpiry string        // expires_at instead of life
	}{
		{name: "an hour, as on github.com", life: time.Hour, keep: 59 * time.Minute},
		{name: "ten minutes", life: 10 * time.Minute, keep: 9 * time.Minute},
		{name: "two minutes", life: 2 * time.Minute, keep: time.Minute},
		{name: "a minute", life: time.Minute, keep: 30 * time.Second},
		{name: "expired", life: -time.Hour, keep: 0},
		{name: "a century", life: 100 * 365 * 24 * time.Hour, keep: 24 * time.Hour},
		{name: "missing", noExpiry: "", keep: 0},
		{name: "null", noExpiry: `,"expires_at":null`, keep: 0},
		{name: "year 1", noExpiry: `,"expires_at":"0001-01-01T00:00:00Z"`, keep: 0},
		{name: "year 9999", noExpiry: `,"expires_at":"9999-12-31T23:59:59Z"`, keep: 24 * time.Hour},
	}
	for _, form := range []string{ // of an hour after a bubble begins
		"2000-01-01T01:00:00.000Z", "2000-01-01T01:00:00.0001234Z", "2000-01-01T03:30:00+02:30", "1999-12-31T17:00:00.000-08:00", "2000-01-01T01:00:00+0000",
		"2000-01-01T02:00:00.000+01", "2000-01-01t01:00:00z", "2000-01-01 01:00:00Z", "2000-01-01 01:00:00 +0000", "2000-01-01 01:00:00 UTC",
	} {
		tests = append(tests, struct {
			name     string
			life     time.Duration
			keep     time.Duration
			noExpiry string
		}{name: form, noExpiry: fmt.Sprintf(`,"expires_at":%q`, form), keep: 59 * time.Minute})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := &api{mint: func(n int, _ string) reply {
					if test.life == 0 {
						return reply{status: 201, body: fmt.Sprintf(`{"token":"ghs_%d"%s}`, n, test.noExpiry)}
					}
					return minted(fmt.Sprintf("ghs_%d", n), test.life)
				}}
				s := acmeSource(t, fake)
				first := mustToken(t, s, "acme")
				if test.keep > 0 {
					time.Sleep(test.keep - time.Second)
					if got := mustToken(t, s, "acme"); got != first {
						t.Errorf("after %v another token, want the first", test.keep-time.Second)
					}
					time.Sleep(time.Second + time.Millisecond)
				}
				if got := mustToken(t, s, "acme"); got == first {
					t.Errorf("after %v the first token, want another", test.keep)
				}
			})
		})
	}
}

// TestOneMint has 200 callers ask at once while GitHub takes its time.
func TestOneMint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{before: func(*http.Request) { time.Sleep(time.Second) }}
		s := acmeSource(t, fake)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if got := mustToken(t, s, "acme"); got != "ghs_1" {
					t.Errorf("token = %q, want ghs_1", got)
				}
			})
		}
		wg.Wait()
		if n := fake.minted(); n != 1 {
			t.Errorf("200 callers caused %d mints, want 1", n)
		}
	})
}

func TestInstallationsMintInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp("ci-bot", 1)
		app.Installations = map[string]github.InstallationID{"a": 1, "b": 2, "c": 3}
		s := newSource(t, &api{before: func(*http.Request) { time.Sleep(time.Second) }}, 0, app)
		start := time.Now()
		var wg sync.WaitGroup
		for login := range app.Installations {
			wg.Go(func() { mustToken(t, s, login) })
		}
		wg.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("three mints took %v, want 1s", took)
		}
	})
}

// TestTokensArePerApp: where a configuration gives two Apps an installation of
// the same id, none gets the token of the other.
func TestTokensArePerApp(t *testing.T) {
	first, second := newApp("first", 1), newApp("second", 2)
	first.Installations = map[string]github.InstallationID{"acme": 1}
	second.Installations = map[string]github.InstallationID{"globex": 1}
	fake := &api{}
	s := newSource(t, fake, 0, first, second)
	if mustToken(t, s, "acme") == mustToken(t, s, "globex") || fake.minted() != 2 {
		t.Errorf("two Apps share a token after %d mints", fake.minted())
	}
}

func TestWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{before: func(*http.Request) { time.Sleep(time.Minute / 6) }}
		s := acmeSource(t, fake)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := s.ForOwner(ctx, "github.com", owner("acme"), true) // starts the mint
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %v: %v, want a deadline exceeded after 1s", time.Since(start), err)
		}
		if got := mustToken(t, s, "acme"); got != "ghs_1" || fake.minted() != 1 {
			t.Errorf("token = %q after %d mints, want that of the first", got, fake.minted())
		}
	})
}

func TestFailedMintIsSharedNotCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{
			before: func(*http.Request) { time.Sleep(time.Second) },
			mint: func(n int, _ string) reply {
				if n <= 3 {
					return reply{status: 502}
				}
				return minted("ghs_second", time.Hour)
			},
		}
		s := acmeSource(t, fake)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				cred, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
				if refused := (*auth.Error)(nil); !errors.As(err, &refused) || refused.Status != 502 {
					t.Errorf("err = %v, want GitHub's 502", err)
				}
				if cred.Bearer() != nil {
					t.Error("a credential with an error can be sent")
				}
			})
		}
		wg.Wait()
		if n := fake.minted(); n != 3 {
			t.Errorf("10 callers caused %d mints, want one and two retries", n)
		}
		if got := mustToken(t, s, "acme"); got != "ghs_second" {
			t.Errorf("token = %q, want ghs_second", got)
		}
	})
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := acmeSource(t, &api{before: func(r *http.Request) { <-r.Context().Done() }})
		start := time.Now()
		_, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
		if refused := (*auth.Error)(nil); !errors.As(err, &refused) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want an *auth.Error that wraps a deadline exceeded", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("GitHub got %v to answer, want 30s", took)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp("ci-bot", 1)
		app.Installations = map[string]github.InstallationID{"acme": 1, "slow": 2}
		s := newSource(t, &api{before: func(r *http.Request) {
			if strings.Contains(r.URL.Path, "/2/") {
				<-r.Context().Done()
			}
		}}, 0, app)
		mustToken(t, s, "acme")
		time.AfterFunc(time.Second, s.Close)
		if _, err := s.ForOwner(t.Context(), "github.com", owner("slow"), true); !errors.Is(err, context.Canceled) {
			t.Errorf("the waiter got %v, want context.Canceled", err)
		}
		if got := mustToken(t, s, "acme"); got != "ghs_1" {
			t.Errorf("the cached token is %q after Close, want ghs_1", got)
		}
	})
}

func TestHostileMintAnswers(t *testing.T) {
	const good = `"expires_at":"2100-01-01T00:00:00Z"`
	tests := []struct {
		name   string
		answer reply
		want   string
	}{
		{"empty", reply{status: 201}, "not the JSON"},
		{"HTML", reply{status: 200, body: "<html>"}, "not the JSON"},
		{"an array", reply{status: 201, body: `[]`}, "not the JSON"},
		{"two values", reply{status: 201, body: `{} {}`}, "not the JSON"},
		{"no token", reply{status: 201, body: `{` + good + `}`}, "no usable token"},
		{"token null", reply{status: 201, body: `{"token":null,` + good + `}`}, "no usable token"},
		{"token empty", reply{status: 201, body: `{"token":"",` + good + `}`}, "no usable token"},
		{"token a number", reply{status: 201, body: `{"token":1,` + good + `}`}, "not the JSON"},
		{"token with a line break", reply{status: 201, body: `{"token":"ghs_1\r\nX-Evil: 1",` + good + `}`}, "no usable token"},
		{"token with a final newline", reply{status: 201, body: `{"token":"ghs_1\n",` + good + `}`}, "no usable token"},
		{"token with a space", reply{status: 201, body: `{"token":"ghs_1 x",` + good + `}`}, "no usable token"},
		{"token with a colon", reply{status: 201, body: `{"token":"ghs:1",` + good + `}`}, "no usable token"},
		{"token beyond ASCII", reply{status: 201, body: `{"token":"ghs_é",` + good + `}`}, "no usable token"},
		{"token too long", reply{status: 201, body: `{"token":"` + strings.Repeat("x", 8<<10+1) + `",` + good + `}`}, "no usable token"},
		{"expires_at in a zone that has no number", reply{status: 201, body: `{"token":"ghs_1","expires_at":"2100-01-01 00:00:00 EST"}`}, "not the JSON"},
		{"expires_at no time", reply{status: 201, body: `{"token":"ghs_1","expires_at":"soon"}`}, "not the JSON"},
		{"too large", reply{status: 201, body: `{"token":"ghs_1","x":"` + strings.Repeat("x", 8<<20) + `"}`}, "larger than"},
		{"a redirect", reply{status: 307, location: "https://evil.example/app/installations/111/access_tokens"}, "answered 307"},
		{"a redirect within the API", reply{status: 307, location: "https://api.github.com/repositories/1/installation"}, "answered 307"},
	}
	for _, test := range tests {
		fake := &api{mint: func(int, string) reply { return test.answer }}
		cred, err := acmeSource(t, fake).ForOwner(t.Context(), "github.com", owner("acme"), true)
		if refused := (*auth.Error)(nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: err = %v, want %q in it", test.name, err, test.want)
		}
		if cred.Bearer() != nil {
			t.Errorf("%s: there is a credential", test.name)
		}
		if len(fake.take()) != 1 {
			t.Errorf("%s: GitHub was asked more than once", test.name)
		}
	}
}

func TestTokenFormats(t *testing.T) {
	for _, token := range []string{
		"ghs_" + strings.Repeat("a", 36),
		"ghs_12345_eyJ-_.eyJ-_." + strings.Repeat("x-_", 160),
		"v1.1f699f1069f60xxx",
		strings.Repeat("x", 8<<10),
	} {
		s := acmeSource(t, &api{mint: func(int, string) reply { return minted(token, time.Hour) }})
		if got := mustToken(t, s, "acme"); got != token {
			t.Errorf("token = %q, want %q", got, token)
		}
	}
}
