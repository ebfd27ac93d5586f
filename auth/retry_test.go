package auth_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

func TestRetries(t *testing.T) {
	const look = "GET /users/globex/installation"
	tests := []struct {
		name   string
		answer reply
		tries  int
	}{
		{"500", reply{status: 500}, 3},
		{"502", reply{status: 502}, 3},
		{"503", reply{status: 503}, 3},
		{"connection refused", reply{err: syscall.ECONNREFUSED}, 3},
		{"a certificate", reply{err: &tls.CertificateVerificationError{Err: errors.New("unknown authority")}}, 1},
		{"400", reply{status: 400}, 1},
		{"401", reply{status: 401}, 1},
		{"403", reply{status: 403}, 1},
		{"422", reply{status: 422}, 1},
		{"429", reply{status: 429}, 1},
		{"nonsense", reply{status: 200, body: "<html>"}, 1},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{mint: func(int, string) reply { return test.answer }}
			fake.set(look, test.answer)
			s := acmeSource(t, fake)
			for _, o := range []string{"acme", "globex"} {
				begin := time.Now()
				if got := whose(t, s, o, true); got != "error" {
					t.Errorf("%s: %s is answered by %s, want an error", test.name, o, got)
				}
				if n := len(fake.take()); n != test.tries {
					t.Errorf("%s: %d tries for %s, want %d", test.name, n, o, test.tries)
				}
				if took := time.Since(begin); took > 3*time.Second || test.tries > 1 && took < 1500*time.Millisecond {
					t.Errorf("%s: %s took %v, want 1.5 to 3 s for three tries", test.name, o, took)
				}
			}
		})
	}
}

func TestRetryHelps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := acmeSource(t, &api{mint: func(n int, _ string) reply {
			if n < 3 {
				return reply{status: 502}
			}
			return minted("ghs_third", time.Hour)
		}})
		if got := mustToken(t, s, "acme"); got != "ghs_third" {
			t.Errorf("token = %q, want that of the third try", got)
		}
	})
}

// TestRetriesEnd: tries that take long are fewer, and Close ends the pauses.
func TestRetriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{
			before: func(*http.Request) { time.Sleep(6 * time.Second) },
			mint:   func(int, string) reply { return reply{status: 502} },
		}
		whose(t, acmeSource(t, fake), "acme", true)
		if n := fake.minted(); n != 2 {
			t.Errorf("%d tries of 6 s, want 2", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := acmeSource(t, &api{mint: func(int, string) reply { return reply{status: 502} }})
		begin := time.Now()
		time.AfterFunc(time.Millisecond, s.Close)
		whose(t, s, "acme", true)
		if took := time.Since(begin); took != time.Millisecond {
			t.Errorf("a waiter was kept for %v after Close", took-time.Millisecond)
		}
	})
}

// TestRefusalsAreRemembered asks ten times a second for a minute.
func TestRefusalsAreRemembered(t *testing.T) {
	wait := func(s string) http.Header { return http.Header{"Retry-After": {s}} }
	tests := []struct {
		name   string
		answer reply
		asked  int // times in a minute
	}{
		{"401", jwtRefused("A JSON web token could not be decoded"), 6},
		{"403", reply{status: 403, body: `{"message":"This installation has been suspended"}`}, 6},
		{"unknown App", reply{status: 404, body: `{"message":"Integration not found"}`}, 6},
		{"422", reply{status: 422, body: `{"message":"no"}`}, 6},
		{"429", reply{status: 429}, 1},
		{"a secondary limit", reply{status: 403, body: `{"message":"You have exceeded a secondary rate limit."}`}, 1},
		{"a limit that has been reset", reply{status: 403, header: http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"946684799"}}}, 6},
		{"429, wait 30 s", reply{status: 429, header: wait("30")}, 2},
		{"403, wait 30 s", reply{status: 403, body: `{"message":"You have exceeded a secondary rate limit."}`, header: wait("30")}, 2},
		{"403, wait an hour", reply{status: 403, header: wait("3600")}, 1},
		{"403, wait for ever", reply{status: 403, header: wait("99999999999999999999")}, 6},
		{"403, wait back", reply{status: 403, header: wait("-5")}, 6},
		{"403, wait six seconds", reply{status: 403, header: wait("6")}, 6},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{mint: func(int, string) reply { return test.answer }}
			fake.set("GET /users/globex/installation", test.answer)
			s := acmeSource(t, fake)
			for _, o := range []string{"acme", "globex"} {
				texts := map[string]bool{}
				for range 10 * 60 {
					_, err := s.ForOwner(t.Context(), "github.com", owner(o), true)
					if refused := (*auth.Error)(nil); !errors.As(err, &refused) || refused.Status != test.answer.status {
						t.Fatalf("%s: %v, want GitHub's %d", test.name, err, test.answer.status)
					}
					texts[err.Error()] = true
					time.Sleep(100 * time.Millisecond)
				}
				if n := len(fake.take()); n != test.asked || len(texts) != 1 {
					t.Errorf("%s: %d calls and %d texts for %s in a minute, want %d and 1", test.name, n, len(texts), o, test.asked)
				}
				time.Sleep(time.Minute)
			}
		})
	}
}

// TestRefusalIsOfItsNarrowing: one that is refused says nothing about others.
func TestRefusalIsOfItsNarrowing(t *testing.T) {
	fake := &api{mint: func(n int, _ string) reply {
		if n == 1 {
			return reply{status: 422, body: `{"message":"no"}`}
		}
		return minted(fmt.Sprintf("ghs_%d", n), time.Hour)
	}}
	s := acmeSource(t, fake)
	narrow, err := github.NewNarrowing([]string{"nothing"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme"), Narrow: narrow}); err == nil {
			t.Error("the narrowed token was had, want GitHub's 422")
		}
		mustToken(t, s, "acme")
	}
	if n := fake.minted(); n != 2 {
		t.Errorf("%d mints, want one for each narrowing", n)
	}
}

// TestTroubleOfGitHub is about the fake GitHub, over the network.
func TestTroubleOfGitHub(t *testing.T) {
	t.Parallel()
	server, app := seeded(t)
	s := reach(t, server, app)
	server.Inject(githubtest.Fault{Match: githubtest.OnMint(), Count: 1, Do: githubtest.ServerError(502)})
	if got := whose(t, s, "acme", true); got != "111 of ci-bot" {
		t.Errorf("after a 502 acme is answered by %s, want 111 of ci-bot", got)
	}
	server.Reset()
	server.Suspend(githubtest.AcmeInstallation)
	s = reach(t, server, app)
	for range 50 {
		if got := whose(t, s, "acme", true); got != "error" {
			t.Errorf("suspended, acme is answered by %s, want an error", got)
		}
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("GitHub was asked %d times for a suspended installation, want once", n)
	}
}

// TestSoonIsWaitedFor: a limit that ends soon is waited for, once, where
// nothing but a question is asked.
func TestSoonIsWaitedFor(t *testing.T) {
	for _, test := range []struct {
		retryAfter string
		lasts      time.Duration
		want       string
		took       time.Duration
	}{
		{"3", 3 * time.Second, "2 of ci-bot", 3 * time.Second},
		{"5", 5 * time.Second, "2 of ci-bot", 5 * time.Second},
		{"6", 6 * time.Second, "error", 0},
		{"3", time.Hour, "error", 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			limited := reply{status: 403, header: http.Header{"Retry-After": {test.retryAfter}}}
			begin := time.Now()
			fake := &api{judge: func(*http.Request) (reply, bool) { return limited, time.Since(begin) < test.lasts }}
			fake.set("GET /users/globex/installation", installed(2, "globex", "all"))
			s := acmeSource(t, fake)
			if got := whose(t, s, "globex", true); got != test.want {
				t.Errorf("Retry-After %s for %v: globex is answered by %s, want %s", test.retryAfter, test.lasts, got, test.want)
			}
			if took := time.Since(begin); took != test.took {
				t.Errorf("Retry-After %s for %v: it took %v, want %v", test.retryAfter, test.lasts, took, test.took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // nothing is minted twice
		fake := &api{mint: func(int, string) reply { return reply{status: 429, header: http.Header{"Retry-After": {"1"}}} }}
		whose(t, acmeSource(t, fake), "acme", true)
		if n := fake.minted(); n != 1 {
			t.Errorf("%d mints, want 1", n)
		}
	})
}

// TestRetryAt: who waits is told for how long, also by what is remembered.
func TestRetryAt(t *testing.T) {
	for _, test := range []struct {
		answer reply
		want   time.Duration // 0: it is no rate limit
	}{
		{reply{status: 403, header: http.Header{"Retry-After": {"30"}}}, 30 * time.Second},
		{reply{status: 429, header: http.Header{"Retry-After": {"3600"}}}, time.Hour},
		{reply{status: 429, header: http.Header{"Retry-After": {"4000000000"}}}, 24 * time.Hour},
		{reply{status: 429}, time.Minute},
		{reply{status: 403, body: `{"message":"API rate limit exceeded for installation ID 1."}`}, time.Minute},
		{reply{status: 403, header: left("core", 0, 20*time.Minute)}, 20 * time.Minute},
		{reply{status: 403, header: left("core", 7, 20*time.Minute)}, 0},
		{reply{status: 403, body: `{"message":"This installation has been suspended"}`}, 0},
		{reply{status: 404, header: http.Header{"Retry-After": {"30"}}}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			if reset := test.answer.header["X-Ratelimit-Reset"]; reset != nil { // by the bubble's clock
				test.answer.header = left("core", map[bool]int{true: 0, false: 7}[test.want > 0], 20*time.Minute)
			}
			s := acmeSource(t, &api{mint: func(int, string) reply { return test.answer }})
			begin := time.Now()
			for range 3 {
				_, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
				refused := (*auth.Error)(nil)
				if !errors.As(err, &refused) {
					t.Fatalf("ForOwner: %v, want an *auth.Error", err)
				}
				if got := refused.RetryAt; got.IsZero() != (test.want == 0) || test.want > 0 && !got.Equal(begin.Add(test.want)) {
					t.Errorf("%+v: RetryAt = %v, want %v after %v", test.answer, got, test.want, begin)
				}
				time.Sleep(3 * time.Second)
			}
		})
	}
}

// TestNameRefused: a name that GitHub refuses to tell is asked for once.
func TestNameRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ask = "GET /repositories/9"
		fake := &api{answers: map[string]reply{
			"GET /repositories/9/installation": installed(1, "acme", "all"),
			ask:                                {status: 403, body: `{"message":"You have exceeded a secondary rate limit."}`},
		}}
		s := acmeSource(t, fake)
		for range 30 {
			if named, err := s.NameOf(t.Context(), "github.com", github.Account{RepositoryID: 9}); err == nil {
				t.Fatalf("NameOf = %v, want an error", named)
			}
			time.Sleep(time.Second)
		}
		wantCalls(t, fake, "GET /repositories/9/installation", "POST /app/installations/111/access_tokens", ask)
	})
}
