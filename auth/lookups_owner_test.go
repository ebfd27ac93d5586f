package auth_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// TestLimitLookUpsOfOwners: only what GitHub is asked because nothing is known counts,
// and what is refused is not asked.
func TestLimitLookUpsOfOwners(t *testing.T) {
	app := newApp("a", 1)
	app.Installations = map[string]github.InstallationID{"mapped": 10}
	fake := &api{answers: map[string]reply{
		"GET /repos/acme/widgets/installation": installed(11, "acme", "all"),
		"GET /repositories/7/installation":     installed(11, "acme", "all"),
	}}
	s := newSource(t, fake, auth.FallbackRefuse, app)
	var asked, left atomic.Int64
	tooMany := errors.New("too many look-ups")
	ctx := auth.LimitLookUps(t.Context(), "agent", func(context.Context) error {
		asked.Add(1)
		if left.Add(-1) < 0 {
			return tooMany
		}
		return nil
	})
	token := func(ctx context.Context, owner github.Account) error {
		_, err := s.Token(ctx, "github.com", auth.Want{Owner: owner})
		return err
	}
	mapped, widgets := github.Account{Login: "mapped"}, github.Account{Login: "acme", Repo: "widgets"}
	unknown, byID := github.Account{Login: "nobody", Repo: "x"}, github.Account{RepositoryID: 7}
	for _, test := range []struct {
		what    string
		allow   int64
		owner   github.Account
		asked   int64
		refused bool
	}{
		{"of the configuration", 0, mapped, 0, false},
		{"not known, none allowed", 0, widgets, 1, true},
		{"still not known, one allowed", 1, widgets, 1, false},
		{"known", 0, widgets, 0, false},
		{"by id, none allowed", 0, byID, 1, true},
		{"by id, one allowed", 1, byID, 1, false},
		{"by id, known", 0, byID, 0, false},
	} {
		fake.take()
		asked.Store(0)
		left.Store(test.allow)
		err := token(ctx, test.owner)
		if refused := errors.Is(err, tooMany); refused != test.refused || !refused && err != nil {
			t.Errorf("%s: %v, want a refusal: %v", test.what, err, test.refused)
		}
		if asked.Load() != test.asked {
			t.Errorf("%s: %d look-ups counted, want %d", test.what, asked.Load(), test.asked)
		}
		if lookUps := slices.DeleteFunc(fake.take(), func(call string) bool { return call[:3] != "GET" }); test.refused && len(lookUps) > 0 {
			t.Errorf("%s: GitHub was asked %q", test.what, lookUps)
		}
	}

	// A refusal is that of one context: it is not remembered for others.
	left.Store(0)
	if err := token(ctx, unknown); !errors.Is(err, tooMany) {
		t.Errorf("not known: %v, want %v", err, tooMany)
	}
	missing := (*auth.NotInstalledError)(nil)
	if err := token(t.Context(), unknown); !errors.As(err, &missing) {
		t.Errorf("for somebody without a limit: %v, want that there is no installation", err)
	}
}
