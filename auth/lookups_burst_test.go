package auth_test

import (
	"context"
	"errors"
	"fmt"
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

// TestLimitLookUpsCountsQuestions: those who wait for one question count as one,
// and what is remembered not at all.
func TestLimitLookUpsCountsQuestions(t *testing.T) {
	narrow := mustNarrow(t, nil, nil, map[string]string{"contents": "read"})
	for _, test := range []struct {
		name string
		want auth.Want
		asks int64
	}{
		{"one repository", auth.Want{Owner: owner("acme/widgets")}, 1},
		{"an id", auth.Want{Owner: github.Account{RepositoryID: 7}}, 1},
		{"an installation", auth.Want{Installation: 11}, 1},
		{"a narrowing", auth.Want{Installation: 11, Narrow: narrow}, 1},
		{"a configured installation", auth.Want{Installation: 12}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{answers: map[string]reply{
				"GET /repos/acme/widgets/installation": installed(11, "acme", "selected"),
				"GET /repositories/7/installation":     installed(11, "acme", "all"),
			}, before: func(*http.Request) { time.Sleep(time.Second) }}
			app := newApp("a", 1)
			app.Installations = map[string]github.InstallationID{"mapped": 12}
			s := newSource(t, fake, auth.FallbackRefuse, app)
			var asked atomic.Int64
			ctx := auth.LimitLookUps(t.Context(), "agent", func(context.Context) error {
				asked.Add(1)
				return nil
			})
			for range 2 {
				var wg sync.WaitGroup
				for range 40 {
					wg.Go(func() {
						if _, err := s.Token(ctx, "github.com", test.want); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
			}
			if asked.Load() != test.asks {
				t.Errorf("%s, asked for 80 times: counted %d look-ups, want %d", test.name, asked.Load(), test.asks)
			}
		})
	}
}

// TestLimitLookUpsIsOnes: nobody waits for what another may not ask, nor gets its error.
func TestLimitLookUpsIsOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{answers: map[string]reply{"GET /repos/acme/widgets/installation": installed(11, "acme", "all")}}
		s := newSource(t, fake, auth.FallbackRefuse, newApp("a", 1))
		tooMany := errors.New("too many look-ups")
		spent := auth.LimitLookUps(t.Context(), "spent", func(context.Context) error {
			time.Sleep(10 * time.Second)
			return tooMany
		})
		fresh := auth.LimitLookUps(t.Context(), "fresh", func(context.Context) error { return nil })
		want := auth.Want{Owner: owner("acme/widgets")}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := s.Token(spent, "github.com", want); !errors.Is(err, tooMany) {
				t.Errorf("the client that asked too much: %v, want %v", err, tooMany)
			}
		})
		synctest.Wait()
		start := time.Now()
		for _, ctx := range []context.Context{fresh, t.Context()} {
			if _, err := s.Token(ctx, "github.com", want); err != nil || time.Since(start) > 0 {
				t.Errorf("another client: %v after %v, want a token at once", err, time.Since(start))
			}
		}
		wg.Wait()
	})
}

// TestColdOwner: where an installation covers all of an owner's repositories, one
// question does for all of them, however many are asked for at once.
func TestColdOwner(t *testing.T) {
	const repositories = 500
	for _, test := range []struct {
		selection string
		lookUps   int
	}{{"all", 1}, {"selected", repositories}} {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{answers: map[string]reply{}, before: func(*http.Request) { time.Sleep(100 * time.Millisecond) }}
			for i := range repositories {
				fake.answers[fmt.Sprintf("GET /repos/acme/r%d/installation", i)] = installed(11, "acme", test.selection)
			}
			s := newSource(t, fake, auth.FallbackRefuse, newApp("a", 1))
			var wg sync.WaitGroup
			for i := range repositories {
				wg.Go(func() {
					if got := whose(t, s, fmt.Sprintf("acme/r%d", i), false); got != "11 of a" {
						t.Errorf("acme/r%d: %s, want 11 of a", i, got)
					}
				})
			}
			wg.Wait()
			lookUps := 0
			for _, call := range fake.take() {
				if strings.HasPrefix(call, "GET ") {
					lookUps++
				}
			}
			if lookUps != test.lookUps || fake.minted() != 1 {
				t.Errorf("%s: %d look-ups and %d mints, want %d and 1", test.selection, lookUps, fake.minted(), test.lookUps)
			}
		})
	}
}
