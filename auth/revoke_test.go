package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

const revoke = "DELETE /installation/token"

// manySource maps the owners o0, o1 … of n installations.
func manySource(t testing.TB, transport http.RoundTripper, n int) *auth.Source {
	t.Helper()
	app := newApp("ci-bot", 1)
	app.Installations = make(map[string]github.InstallationID)
	for i := range n {
		app.Installations[fmt.Sprintf("o%d", i)] = github.InstallationID(i + 1)
	}
	return newSource(t, transport, auth.FallbackRefuse, app)
}

func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var under, most int
		revoked := map[string]int{}
		fake := &api{before: func(r *http.Request) {
			if r.Method != "DELETE" {
				return
			}
			mu.Lock()
			under++
			most = max(most, under)
			revoked[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]++
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			under--
			mu.Unlock()
		}}
		fake.set(revoke, reply{status: 204})
		s := manySource(t, fake, 20)
		want := map[string]bool{}
		for i := range 20 {
			want[mustToken(t, s, fmt.Sprintf("o%d", i))] = true
		}
		if err := s.Revoke(t.Context()); err != nil {
			t.Errorf("Revoke: %v", err)
		}
		if len(revoked) != len(want) || most > 8 {
			t.Errorf("%d tokens were revoked, %d at a time, want %d and 8", len(revoked), most, len(want))
		}
		for token, n := range revoked {
			if !want[token] || n != 1 {
				t.Errorf("%s was revoked %d times", token, n)
			}
		}
		fake.take()
		if err := s.Revoke(t.Context()); err != nil || len(fake.take()) != 0 {
			t.Errorf("Revoke without tokens: %v", err)
		}
		if got := mustToken(t, s, "o0"); want[got] {
			t.Error("a revoked token was handed out")
		}
	})
}

// TestRevokeKnowsFormerTokens: a token that was renewed is good until its end.
func TestRevokeKnowsFormerTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		fake := &api{before: func(r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if r.Method == "DELETE" {
				got = append(got, r.Header.Get("Authorization"))
			}
		}}
		fake.set(revoke, reply{status: 204})
		for _, test := range []struct {
			after time.Duration
			want  int
		}{{5 * time.Minute, 2}, {20 * time.Minute, 1}} {
			s := acmeSource(t, fake)
			mustToken(t, s, "acme")
			time.Sleep(50 * time.Minute)
			mustToken(t, s, "acme") // starts a renewal
			time.Sleep(test.after)
			got = nil
			if err := s.Revoke(t.Context()); err != nil || len(got) != test.want {
				t.Errorf("%v after the renewal %q were revoked, want %d tokens (%v)", test.after, got, test.want, err)
			}
		}
	})
}

func TestRevokeSkipsTheExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		s := acmeSource(t, fake)
		mustToken(t, s, "acme")
		fake.take()
		time.Sleep(2 * time.Hour)
		if err := s.Revoke(t.Context()); err != nil {
			t.Errorf("Revoke: %v", err)
		}
		wantCalls(t, fake)
	})
}

func TestRevokeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		s := manySource(t, fake, 30)
		fill := func() {
			for i := range 30 {
				mustToken(t, s, fmt.Sprintf("o%d", i))
			}
			fake.take()
		}
		fill()
		fake.set(revoke, reply{status: 500, body: `{"message":"no ghs_` + strings.Repeat("x", 36) + `"}`})
		err := s.Revoke(t.Context())
		if refused := (*auth.Error)(nil); !errors.As(err, &refused) || refused.Status != 500 {
			t.Fatalf("Revoke = %v, want GitHub's 500", err)
		}
		if text := err.Error(); strings.Contains(text, "ghs_") || strings.Count(text, "\n") != 10 || !strings.HasSuffix(text, "and 20 more") {
			t.Errorf("the error is\n%s\nwant ten lines without a token, and the number of the rest", text)
		}
		if n := len(fake.take()); n != 30 {
			t.Errorf("%d calls, want one for each token", n)
		}
		fill()
		fake.set(revoke, reply{status: 401, body: `{"message":"Bad credentials"}`})
		if err := s.Revoke(t.Context()); err != nil {
			t.Errorf("Revoke of what GitHub has forgotten: %v", err)
		}
	})
}

func TestRevokeHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{before: func(r *http.Request) {
			if r.Method == "DELETE" {
				<-r.Context().Done()
			}
		}}
		s := manySource(t, fake, 30)
		for i := range 30 {
			mustToken(t, s, fmt.Sprintf("o%d", i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		if err := s.Revoke(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2*time.Second {
			t.Errorf("after %v: %v, want a deadline exceeded after 2s", time.Since(begin), err)
		}
	})
}

// TestRevokeAtGitHub revokes after Close, as a program does that ends.
func TestRevokeAtGitHub(t *testing.T) {
	server, app := seeded(t)
	s := reach(t, server, app)
	cred, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
	if err != nil {
		t.Fatal(err)
	}
	status := func() int {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/repos/acme/widgets", nil)
		req.Header["Authorization"] = cred.Bearer()
		client := server.Client()
		defer client.CloseIdleConnections()
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(); got != 200 {
		t.Fatalf("before, the token is answered %d, want 200", got)
	}
	s.Close()
	if err := s.Revoke(t.Context()); err != nil {
		t.Errorf("Revoke: %v", err)
	}
	if got := status(); got != 401 {
		t.Errorf("after, the token is answered %d, want 401", got)
	}
	if got := whose(t, s, "acme", true); got != "error" {
		t.Errorf("after, acme is answered by %s, want an error", got)
	}
}
