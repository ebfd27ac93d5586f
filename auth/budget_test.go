package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
)

// A client lets GitHub be asked for ever more owners, and leaves, while GitHub
// does not answer. What that comes to is bounded, and nobody else notices.
func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		github := &api{before: func(*http.Request) { <-release }}
		s := newSource(t, github, auth.FallbackRefuse, newApp("ci-bot", 1))
		hog, other := auth.WithBudget(t.Context(), auth.NewBudget(auth.MaxCalls)), auth.WithBudget(t.Context(), auth.NewBudget(auth.MaxCalls))
		for i := range auth.MaxCalls + 10 {
			ctx, cancel := context.WithTimeout(hog, time.Millisecond)
			if _, err := s.ForOwner(ctx, "github.com", owner(fmt.Sprintf("owner-%d", i)), true); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("owner %d: %v, want that it left", i, err)
			}
			cancel()
		}
		if n := len(github.take()); n != auth.MaxCalls {
			t.Errorf("GitHub is asked %d times at once, want %d", n, auth.MaxCalls)
		}
		begin := time.Now()
		if _, err := s.ForOwner(hog, "github.com", owner("acme"), true); !errors.Is(err, auth.ErrBusy) || time.Since(begin) != 10*time.Second {
			t.Errorf("one more: %v after %v, want a refusal after 10 s", err, time.Since(begin))
		}
		var asked sync.WaitGroup
		for range 2 {
			asked.Go(func() {
				if _, err := s.ForOwner(other, "github.com", owner("acme"), true); errors.Is(err, auth.ErrBusy) {
					t.Errorf("another client: %v", err)
				}
			})
		}
		asked.Go(func() { // who waits for a place gets in when there is one
			if _, err := s.ForOwner(hog, "github.com", owner("octocat"), true); errors.Is(err, auth.ErrBusy) {
				t.Errorf("who waited: %v", err)
			}
		})
		synctest.Wait()
		if n := len(github.take()); n != 1 {
			t.Errorf("for another client GitHub is asked %d times, want once", n)
		}
		close(release)
		asked.Wait()
	})
}

// Who joins a question that another client has no place for asks it for itself.
func TestCallsOfTwoClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		github := &api{before: func(*http.Request) { <-release }}
		s := newSource(t, github, auth.FallbackRefuse, newApp("ci-bot", 1))
		hog, other := auth.WithBudget(t.Context(), auth.NewBudget(1)), auth.WithBudget(t.Context(), auth.NewBudget(1))
		var all sync.WaitGroup
		ask := func(ctx context.Context, who string) {
			all.Go(func() {
				if _, err := s.ForOwner(ctx, "github.com", owner(who), true); errors.Is(err, auth.ErrBusy) {
					t.Errorf("%s: %v", who, err)
				}
			})
		}
		ask(hog, "first")
		synctest.Wait()
		for range 10 {
			ask(hog, "second")
			ask(other, "second")
		}
		synctest.Wait()
		if calls := github.take(); len(calls) != 2 {
			t.Errorf("GitHub is asked %q, want one question of each", calls)
		}
		close(release)
		all.Wait()
	})
}
