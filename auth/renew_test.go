package auth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// logged is acmeSource with a log, at the level Warn.
func logged(t testing.TB, transport http.RoundTripper) (*auth.Source, *lockedBuffer) {
	t.Helper()
	app := newApp("ci-bot", 12345)
	app.Installations = map[string]github.InstallationID{"acme": 111}
	out := &lockedBuffer{}
	s := auth.New([]*auth.App{app}, auth.Options{
		Transport: transport, Fallback: auth.FallbackRefuse,
		Log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	t.Cleanup(s.Close)
	return s, out
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestRenewal asks every second for hours: nobody but the first waits, and
// there is a mint for every four fifths of a life.
func TestRenewal(t *testing.T) {
	for _, life := range []time.Duration{time.Hour, 10 * time.Minute, 90 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{
				before: func(*http.Request) { time.Sleep(3 * time.Second) },
				mint:   func(n int, _ string) reply { return minted(fmt.Sprintf("ghs_%d", n), life) },
			}
			s := acmeSource(t, fake)
			mustToken(t, s, "acme")
			const lives = 10
			for range lives * life / time.Second {
				start := time.Now()
				mustToken(t, s, "acme")
				if waited := time.Since(start); waited != 0 {
					t.Fatalf("life %v: a request waited for %v", life, waited)
				}
				time.Sleep(time.Second)
			}
			if n := fake.minted(); n < lives || n > lives*3 {
				t.Errorf("%d lives of %v took %d mints", lives, life, n)
			}
		})
	}
}

func TestRenewalIsAtFourFifths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		s := acmeSource(t, fake)
		for _, step := range []struct {
			at    time.Duration
			mints int
		}{{0, 1}, {45 * time.Minute, 1}, {48 * time.Minute, 2}} {
			time.Sleep(step.at - time.Since(start(t)))
			mustToken(t, s, "acme")
			synctest.Wait()
			if n := fake.minted(); n != step.mints {
				t.Errorf("after %v there were %d mints, want %d", step.at, n, step.mints)
			}
		}
	})
}

// start is when a bubble's time begins.
func start(testing.TB) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// TestOneRenewal has 200 clients find the token in need of renewal.
func TestOneRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{before: func(*http.Request) { time.Sleep(time.Second) }}
		s := acmeSource(t, fake)
		mustToken(t, s, "acme")
		time.Sleep(50 * time.Minute)
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if got := mustToken(t, s, "acme"); got != "ghs_1" {
					t.Errorf("token = %q, want ghs_1 while the next is on its way", got)
				}
			})
		}
		wg.Wait()
		time.Sleep(2 * time.Second)
		if got := mustToken(t, s, "acme"); got != "ghs_2" || fake.minted() != 2 {
			t.Errorf("token = %q after %d mints, want ghs_2 after 2", got, fake.minted())
		}
	})
}

func TestUnusedTokensLapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		s := acmeSource(t, fake)
		mustToken(t, s, "acme")
		time.Sleep(24 * time.Hour)
		if n := fake.minted(); n != 1 {
			t.Errorf("a token that nobody used caused %d mints, want 1", n)
		}
	})
}

// TestRenewalFails: GitHub is down from the 40th to the 58th minute.
func TestRenewalFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		fake := &api{mint: func(n int, _ string) reply {
			if down.Load() {
				return reply{status: 422, body: `{"message":"no"}`}
			}
			return minted(fmt.Sprintf("ghs_%d", n), time.Hour)
		}}
		s, log := logged(t, fake)
		mustToken(t, s, "acme")
		time.Sleep(40 * time.Minute)
		down.Store(true)
		for range 18 * 60 {
			if got := mustToken(t, s, "acme"); got != "ghs_1" {
				t.Fatalf("token = %q, want ghs_1, which is good", got)
			}
			time.Sleep(time.Second)
		}
		tries := fake.minted() - 1
		if tries < 10 || tries > 25 {
			t.Errorf("%d tries in 11 minutes, want one in 30 to 60 seconds", tries)
		}
		if lines := strings.Count(log.String(), "level=WARN"); lines != tries {
			t.Errorf("%d lines for %d tries:\n%s", lines, tries, log)
		}
		down.Store(false)
		time.Sleep(time.Hour)
		if got := mustToken(t, s, "acme"); got == "ghs_1" {
			t.Error("an expired token was handed out")
		}
	})
}

// TestRenewalOutlastsToken: who comes after the token's end waits for the
// renewal under way, and causes no other.
func TestRenewalOutlastsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		fake := &api{before: func(*http.Request) {
			if slow.Load() {
				time.Sleep(20 * time.Second)
			}
		}}
		s := acmeSource(t, fake)
		mustToken(t, s, "acme")
		slow.Store(true)
		time.Sleep(59*time.Minute - 10*time.Second)
		mustToken(t, s, "acme")
		time.Sleep(15 * time.Second)
		begin := time.Now()
		if got := mustToken(t, s, "acme"); got != "ghs_2" || time.Since(begin) != 5*time.Second || fake.minted() != 2 {
			t.Errorf("token = %q after %v and %d mints, want ghs_2 after 5s and 2", got, time.Since(begin), fake.minted())
		}
	})
}

// TestUselessRenewal: a renewal without an expiry does not end the token that is good.
func TestUselessRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := acmeSource(t, &api{mint: func(n int, _ string) reply {
			if n > 1 {
				return reply{status: 201, body: `{"token":"ghs_useless"}`}
			}
			return minted("ghs_1", time.Hour)
		}})
		mustToken(t, s, "acme")
		time.Sleep(50 * time.Minute)
		for range 2 {
			if got := mustToken(t, s, "acme"); got != "ghs_1" {
				t.Errorf("token = %q, want ghs_1", got)
			}
			synctest.Wait()
		}
	})
}

// TestCloseWaits: no goroutine outlives Close, and what comes after is refused.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		var under atomic.Int64
		s := acmeSource(t, &api{before: func(r *http.Request) {
			if !hang.Load() {
				return
			}
			under.Add(1)
			<-r.Context().Done()
			time.Sleep(time.Second)
			under.Add(-1)
		}})
		mustToken(t, s, "acme")
		hang.Store(true)
		time.Sleep(50 * time.Minute)
		mustToken(t, s, "acme")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		s.ForOwner(ctx, "github.com", owner("globex"), true)
		if n := under.Load(); n != 2 {
			t.Fatalf("%d calls are under way, want a renewal and a look-up", n)
		}
		s.Close()
		synctest.Wait()
		if n := under.Load(); n != 0 {
			t.Errorf("%d calls are under way after Close", n)
		}
		mustToken(t, s, "acme")
		if got := whose(t, s, "globex", true); got != "error" {
			t.Errorf("after Close, globex is answered by %s, want an error", got)
		}
	})
}

// TestShortTokens renews against the fake GitHub, in real time.
func TestShortTokens(t *testing.T) {
	t.Parallel()
	server, app := seeded(t)
	server.SetTokenLifetime(4 * time.Second) // used for 2
	s := reach(t, server, app)
	seen := map[string]bool{}
	for begin := time.Now(); time.Since(begin) < 3*time.Second; time.Sleep(20 * time.Millisecond) {
		seen[mustToken(t, s, "acme")] = true
	}
	if n := len(seen); n < 2 || n > 6 || server.Mints() > n+1 {
		t.Errorf("%d tokens and %d mints in 3s, want 2 to 6", n, server.Mints())
	}
}
