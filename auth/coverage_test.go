package auth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// TestCoverage: what GitHub says of a repository that it did not find.
func TestCoverage(t *testing.T) {
	for _, test := range []struct {
		name       string
		repository github.Account
		narrow     []string
		off        bool // discovery
		answer     reply
		want       auth.Coverage
		asks       int
	}{
		{"covered", owner("acme/x"), nil, false, installed(1, "acme", "selected"), auth.CoverageSame, 1},
		{"not there", owner("acme/x"), nil, false, reply{}, auth.CoverageNone, 1},
		{"moved", owner("acme/x"), nil, false, installed(2, "globex", "all"), auth.CoverageOther, 1},
		{"refused", owner("acme/x"), nil, false, reply{status: 403, body: `{}`}, auth.CoverageUnknown, 1},
		{"discovery is off", owner("acme/x"), nil, true, installed(1, "acme", "all"), auth.CoverageUnknown, 0},
		{"the token is for another", owner("acme/x"), []string{"y"}, false, installed(1, "acme", "all"), auth.CoverageNone, 0},
		{"the token is for it", owner("acme/X"), []string{"x"}, false, installed(1, "acme", "all"), auth.CoverageSame, 1},
		{"no repository", owner("acme"), nil, false, installed(1, "acme", "all"), auth.CoverageUnknown, 0},
		{"no name", owner("acme/../x"), nil, false, installed(1, "acme", "all"), auth.CoverageUnknown, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &api{answers: map[string]reply{"GET /repos/acme/x/installation": test.answer, "GET /repos/acme/X/installation": test.answer}}
			fake.mint = func(int, string) reply {
				granted := "null"
				if test.narrow != nil {
					granted = `[{"id":5,"name":"` + test.narrow[0] + `","owner":{"login":"acme"}}]`
				}
				return reply{status: 201, body: `{"token":"ghs_1","expires_at":"2100-01-01T00:00:00Z","repositories":` + granted + `}`}
			}
			app := newApp("a", 1)
			app.Installations = map[string]github.InstallationID{"acme": 1}
			app.NoDiscovery = test.off
			s := newSource(t, fake, auth.FallbackRefuse, app)
			want := auth.Want{Owner: owner("acme")}
			if test.narrow != nil {
				want.Narrow = mustNarrow(t, test.narrow, nil, nil)
			}
			cred, err := s.Token(t.Context(), "github.com", want)
			if err != nil {
				t.Fatal(err)
			}
			fake.take()
			for range 3 {
				if got := s.Coverage(t.Context(), cred, test.repository); got != test.want {
					t.Errorf("%s: %v, want %v", test.name, got, test.want)
				}
			}
			if calls := fake.take(); len(calls) != test.asks {
				t.Errorf("%s: asked %q, want %d questions", test.name, calls, test.asks)
			}
		})
	}
}

// TestCoverageCounts: a question that only the request names is counted.
func TestCoverageCounts(t *testing.T) {
	s := acmeSource(t, &api{})
	cred, err := s.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme")})
	if err != nil {
		t.Fatal(err)
	}
	ctx := auth.LimitLookUps(t.Context(), "agent", func(context.Context) error { return errors.New("enough") })
	if got := s.Coverage(ctx, cred, owner("acme/x")); got != auth.CoverageUnknown {
		t.Errorf("%v for somebody who may not ask, want unknown", got)
	}
	if got := s.Coverage(t.Context(), cred, owner("acme/x")); got != auth.CoverageNone {
		t.Errorf("%v for somebody else, want none", got)
	}
}

// TestRegrantNarrowed: what a rule narrows a token to is not granted by the installation.
func TestRegrantNarrowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{"contents":"write"}`, "acme/widgets")
		for name, want := range map[string]auth.Want{
			"by a rule":   {Owner: owner("acme"), Narrow: mustNarrow(t, nil, nil, map[string]string{"contents": "read"})},
			"by a client": {Owner: owner("acme"), Within: &auth.Scope{Permissions: map[string]string{"contents": "write", "issues": "write"}}},
		} {
			g.set(factsOf1, reply{status: 200, body: `{"id":1,"account":{"login":"Acme"},"permissions":{"contents":"write"}}`})
			time.Sleep(time.Hour) // what was known is forgotten
			cred, err := g.Token(t.Context(), "github.com", want)
			if err != nil {
				t.Fatal(err)
			}
			g.set(factsOf1, reply{status: 200, body: `{"id":1,"account":{"login":"Acme"},"permissions":{"contents":"write","issues":"write"}}`})
			time.Sleep(time.Minute)
			g.minted()
			fresh, err := g.Regrant(t.Context(), cred, want, "issues=write")
			if err != nil {
				t.Fatal(err)
			}
			if other, minted := fresh != cred, len(g.minted()); other != (want.Within != nil) || (minted == 1) != other {
				t.Errorf("narrowed %s: another credential: %v, with %d mints", name, other, minted)
			}
		}
	})
}

// TestGrantExplains: what of X-Accepted-GitHub-Permissions a token has.
func TestGrantExplains(t *testing.T) {
	g := &auth.Grant{Permissions: map[string]string{"contents": "write", "issues": "read"}}
	for accepted, want := range map[string]bool{
		"contents=read": false, "contents=write": false, "contents=admin": true, "issues=write": true, "pages=read": true,
		"metadata=read": false, "contents=read,issues=read": false, "contents=read, issues=write": true,
		"pages=read; issues=read": false, "pages=read;issues=write": true, "": false, "odd": false, "contents=odd": false,
	} {
		if got := g.Explains(accepted); got != want {
			t.Errorf("Explains(%q) = %v, want %v", accepted, got, want)
		}
	}
	for _, g := range []*auth.Grant{nil, {}} {
		if g.Explains("contents=read") {
			t.Errorf("%v explains something", g)
		}
	}
}
