package auth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// TestLimitLookUps: what only a request names is counted, each time that GitHub
// would be asked.
func TestLimitLookUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{"contents":"write","metadata":"read"}`, "acme/widgets")
		g.set("GET /app/installations/2", reply{status: 404, body: `{"message":"Not Found"}`})
		counted, enough := 0, errors.New("enough")
		allow := error(nil)
		ctx := auth.LimitLookUps(context.Background(), "agent", func(context.Context) error {
			counted++
			return allow
		})
		scope := only("acme/widgets")
		reads := mustNarrow(t, nil, nil, map[string]string{"contents": "read"})
		for _, test := range []struct {
			name string
			want auth.Want
			asks int
		}{
			{"a mapped owner", auth.Want{Owner: owner("acme/widgets"), Within: scope}, 0},
			{"a configured installation", auth.Want{Installation: 1, Within: scope}, 0},
			{"a narrowing", auth.Want{Installation: 1, Narrow: reads, Within: scope}, 1},
			{"the same again", auth.Want{Installation: 1, Narrow: reads, Within: scope}, 0},
			{"another installation", auth.Want{Installation: 2, Within: scope}, 1},
		} {
			counted = 0
			g.Token(ctx, "github.com", test.want) // the error is not what this is about
			if counted != test.asks {
				t.Errorf("%s: counted %d look-ups, want %d", test.name, counted, test.asks)
			}
		}
		allow = enough
		g.take()
		for _, want := range []auth.Want{
			{Installation: 3, Within: scope},
			{Installation: 1, Narrow: reads},
		} {
			if _, err := g.Token(ctx, "github.com", want); !errors.Is(err, enough) {
				t.Errorf("Token(%+v) = %v, want the limit's error", want, err)
			}
		}
		if _, err := g.NameOf(ctx, "github.com", github.Account{RepositoryID: 9}); !errors.Is(err, enough) {
			t.Errorf("NameOf = %v, want the limit's error", err)
		}
		wantCalls(t, g.api)
	})
}
