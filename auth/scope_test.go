package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// scoped is an api with installation 1 of ci-bot on acme, and what the mints
// asked for.
type scoped struct {
	*api
	*auth.Source

	mu     sync.Mutex
	bodies []string
}

const (
	factsOf1 = "GET /app/installations/1"
	listOf1  = "GET /installation/repositories?per_page=100&page=1"
)

// newScoped lets the installation have permissions (JSON) and repositories
// (their ids count from 1).
func newScoped(t *testing.T, fallback auth.Fallback, permissions string, repositories ...string) *scoped {
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"acme": 1}
	app.DefaultInstallation = 1
	g := &scoped{api: &api{}}
	g.set(factsOf1, reply{status: 200, body: fmt.Sprintf(`{"id":1,"account":{"login":"Acme"},"permissions":%s}`, permissions)})
	g.list(repositories...)
	g.before = func(r *http.Request) {
		if r.Method == "POST" && r.Body != nil {
			body, _ := io.ReadAll(r.Body)
			g.mu.Lock()
			g.bodies = append(g.bodies, string(body))
			g.mu.Unlock()
		}
	}
	g.Source = newSource(t, g.api, fallback, app)
	return g
}

func (g *scoped) list(repositories ...string) {
	for page, n := 1, 100; n == 100; page++ { // the last page is not full
		n = min(100, len(repositories))
		var items []string
		for i, name := range repositories[:n] {
			items = append(items, fmt.Sprintf(`{"id":%d,"full_name":%q}`, (page-1)*100+i+1, name))
		}
		repositories = repositories[n:]
		g.set(fmt.Sprintf("GET /installation/repositories?per_page=100&page=%d", page),
			reply{status: 200, body: `{"repositories":[` + strings.Join(items, ",") + `]}`})
	}
}

// minted returns what the mints asked for since the last call, but for the
// one that lists the repositories.
func (g *scoped) minted() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	bodies := slices.DeleteFunc(g.bodies, func(s string) bool { return s == `{"permissions":{"metadata":"read"}}` })
	g.bodies = nil
	return bodies
}

// only is a Scope of repositories.
func only(repositories ...string) *auth.Scope {
	return &auth.Scope{
		Key:        strings.Join(repositories, ","),
		Account:    func(o github.Account) bool { return o == github.Account{Login: "Acme"} },
		Repository: func(login, repo string) bool { return slices.Contains(repositories, login+"/"+repo) },
	}
}

func mustNarrow(t *testing.T, repositories []string, ids []int64, permissions map[string]string) *github.Narrowing {
	t.Helper()
	n, err := github.NewNarrowing(repositories, ids, permissions)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestScope(t *testing.T) {
	readsContents := map[string]string{"contents": "read"}
	const all = `{"contents":"write","issues":"write","metadata":"read","workflows":"write"}`
	for _, test := range []struct {
		name   string
		scope  *auth.Scope
		narrow *github.Narrowing
		want   string // what the mint asks for, or the error
	}{
		{"no limits", &auth.Scope{Key: "x"}, nil, ""},
		{"repositories", only("acme/docs", "acme/gone"), nil, `{"repository_ids":[2]}`},
		{"none of them", only("acme/gone"), nil, "error: none of its repositories is allowed"},
		{"another account", &auth.Scope{Account: func(o github.Account) bool { return o.Login == "octocat" }}, nil, "error: the account is not allowed"},
		{"permissions", &auth.Scope{Permissions: map[string]string{"contents": "read", "issues": "admin", "pages": "read"}}, nil,
			`{"permissions":{"contents":"read","issues":"write"}}`},
		{"no permissions", &auth.Scope{Permissions: map[string]string{}}, nil, "error: it has none of the permissions that are allowed"},
		{"an unknown level", &auth.Scope{Permissions: map[string]string{"contents": "Write"}}, nil, "error: it has none of the permissions that are allowed"},
		{"read only", &auth.Scope{ReadOnly: true}, nil, `{"permissions":{"contents":"read","issues":"read","metadata":"read"}}`},
		{"all at once", &auth.Scope{ReadOnly: true, Permissions: map[string]string{"contents": "write"}, Repository: only("acme/widgets").Repository}, nil,
			`{"permissions":{"contents":"read"},"repository_ids":[1]}`},
		{"a rule's names", only("acme/docs", "acme/widgets"), mustNarrow(t, []string{"Docs", "secret"}, nil, nil), `{"repository_ids":[2]}`},
		{"a rule's ids", only("acme/docs", "acme/widgets"), mustNarrow(t, nil, []int64{1, 3}, nil), `{"repository_ids":[1]}`},
		{"a rule's ids, and names", byName("acme/docs", "acme/widgets"), mustNarrow(t, nil, []int64{1, 3}, nil), `{"repository_ids":[1]}`},
		{"a rule's repositories are none", only("acme/docs"), mustNarrow(t, []string{"secret"}, nil, nil), "error: none of its repositories is allowed"},
		{"a rule's permissions", &auth.Scope{Permissions: map[string]string{"contents": "write", "issues": "read"}}, mustNarrow(t, nil, nil, readsContents),
			`{"permissions":{"contents":"read"}}`},
		{"a rule alone", &auth.Scope{Key: "y"}, mustNarrow(t, []string{"docs"}, nil, nil), `{"repositories":["docs"]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newScoped(t, auth.FallbackRefuse, all, "acme/widgets", "acme/docs", "acme/secret")
			want := auth.Want{Owner: owner("acme/widgets"), Within: test.scope, Narrow: test.narrow}
			for range 3 { // and it is remembered
				cred, err := g.Token(context.Background(), "github.com", want)
				var fault *auth.ScopeError
				if reason, isError := strings.CutPrefix(test.want, "error: "); isError {
					if !errors.As(err, &fault) || fault.Reason != reason || !cred.Anonymous() {
						t.Fatalf("Token = %v, %v, want %q", cred, err, reason)
					}
					if outside := reason == "the account is not allowed"; strings.Contains(err.Error(), "Acme") == outside {
						t.Errorf("Token = %v, which names an account: want that only within the scope", err)
					}
				} else if err != nil || cred.Anonymous() {
					t.Fatalf("Token = %v, %v", cred, err)
				}
			}
			if got := strings.Join(g.minted(), " "); got != test.want && !strings.HasPrefix(test.want, "error: ") {
				t.Errorf("asked for %q, want %q", got, test.want)
			} else if strings.HasPrefix(test.want, "error: ") && got != "" {
				t.Errorf("asked for %q although nothing is allowed", got)
			}
		})
	}
}

// TestScopeMany: a token cannot be narrowed to more than 500 repositories.
func TestScopeMany(t *testing.T) {
	var many []string
	for i := range 1200 {
		many = append(many, fmt.Sprintf("acme/r%d", i))
	}
	for _, total := range []int{1200, 2500} {
		for len(many) < total {
			many = append(many, fmt.Sprintf("acme/r%d", len(many)))
		}
		g := newScoped(t, auth.FallbackRefuse, `{}`, many...)
		scope := &auth.Scope{Key: "acme/r*", Repository: func(login, repo string) bool { return login == "acme" && strings.HasPrefix(repo, "r") }}
		for _, test := range []struct{ owner, want string }{
			{"acme/r7", block(1, 500)},
			{"acme/r1007", map[int]string{1200: block(1001, 1200), 2500: block(1001, 1500)}[total]},
			{"acme", ""},
			{"acme/secret", ""},
			{"acme/r9999", map[int]string{1200: `{"repositories":["r9999"]}`, 2500: `{"repositories":["r9999"]}`}[total]},
		} {
			cred, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner(test.owner), Within: scope})
			if got := strings.Join(g.minted(), " "); got != test.want || (err == nil) != (test.want != "") || cred.Anonymous() != (err != nil) {
				t.Errorf("%d repositories, %s: asked for %q (%v), want %q", total, test.owner, got, err, test.want)
			}
		}
	}
}

// block is a mint for the repositories with these ids.
func block(first, last int) string {
	var ids []string
	for id := first; id <= last; id++ {
		ids = append(ids, fmt.Sprint(id))
	}
	return `{"repository_ids":[` + strings.Join(ids, ",") + `]}`
}

// TestScopeForcedMints: where a client may have more repositories than a token,
// sets of names that it makes up share few tokens, and the others are look-ups.
func TestScopeForcedMints(t *testing.T) {
	var many []string
	for i := range 1200 {
		many = append(many, fmt.Sprintf("acme/r%d", i))
	}
	g := newScoped(t, auth.FallbackRefuse, `{}`, many...)
	scope := &auth.Scope{Key: "acme/*", Repository: func(login, repo string) bool { return login == "acme" }}
	counted := 0
	ctx := auth.LimitLookUps(t.Context(), "agent", func(context.Context) error {
		if counted++; counted > 3 {
			return errors.New("too many look-ups")
		}
		return nil
	})
	ask := func(repositories ...int) error {
		want := auth.Want{Owner: owner(many[repositories[0]]), Within: scope}
		for _, i := range repositories[1:] {
			want.Others = append(want.Others, owner(many[i]))
		}
		_, err := g.Token(ctx, "github.com", want)
		return err
	}
	for i := range 40 {
		if err := ask(i, i*7, i*11+3); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(g.minted()); n != 1 || counted != 0 {
		t.Errorf("40 sets of names within one block came to %d tokens and %d look-ups, want 1 and none", n, counted)
	}
	failed := 0
	for i := range 10 {
		if ask(i, 600+i) != nil {
			failed++
		}
		if i < 3 && ask(i, 600+i) != nil {
			t.Error("what was minted is not there any more")
		}
	}
	if n := len(g.minted()); n != 3 || failed != 7 {
		t.Errorf("10 sets across blocks came to %d tokens and %d refusals, want 3 and 7 by the limit on look-ups", n, failed)
	}
}

// TestScopeNewRepository: one that the list lacks may have been made since.
func TestScopeNewRepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{}`, "acme/widgets")
		want := auth.Want{Owner: owner("acme/docs"), Within: only("acme/widgets", "acme/docs")}
		ask := func() {
			t.Helper()
			if _, err := g.Token(context.Background(), "github.com", want); err != nil {
				t.Fatal(err)
			}
		}
		ask()
		g.list("acme/widgets", "acme/docs")
		g.take()
		for range 10 {
			ask()
		}
		wantCalls(t, g.api) // a list that is new is not asked for again
		time.Sleep(11 * time.Second)
		g.minted()
		ask()
		if got := g.minted(); !slices.Equal(got, []string{`{"repository_ids":[1,2]}`}) {
			t.Errorf("asked for %q, want both repositories", got)
		}
		g.take()
		time.Sleep(11 * time.Second)
		ask()
		wantCalls(t, g.api)
	})
}

// TestScopeFallback: the default installation obeys the scope, too.
func TestScopeFallback(t *testing.T) {
	g := newScoped(t, auth.FallbackDefault, `{}`, "acme/widgets")
	octocats := &auth.Scope{Key: "o", Account: func(o github.Account) bool { return o.Login == "octocat" }}
	for _, test := range []struct {
		owner string
		read  bool
		want  string
	}{
		{"octocat/public", true, "anonymous"}, // GitHub answers for what is public, and nothing else
		{"octocat/public", false, "refused"},
		{"", true, "scope"}, // acme's token would answer
	} {
		cred, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner(test.owner), Read: test.read, Within: octocats})
		got := "token"
		var fault *auth.ScopeError
		var missing *auth.NotInstalledError
		switch {
		case errors.As(err, &fault):
			got = "scope"
		case errors.As(err, &missing):
			got = "refused"
		case err == nil && cred.Anonymous():
			got = "anonymous"
		}
		if got != test.want {
			t.Errorf("Token(%q, read %v) = %v, %v, want %s", test.owner, test.read, cred, err, test.want)
		}
	}
	if bodies := g.minted(); len(bodies) > 0 {
		t.Errorf("minted %q outside the scope", bodies)
	}
}

// TestScopeApp: an App outside the scope is not asked.
func TestScopeApp(t *testing.T) {
	fake := &api{answers: map[string]reply{"GET /users/acme/installation": installed(1, "acme", "all")}}
	s := newSource(t, fake, auth.FallbackRefuse, newApp("ci-bot", 1), newApp("release-bot", 2))
	_, err := s.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme"), Within: &auth.Scope{App: func(string) bool { return false }}})
	var missing *auth.NotInstalledError
	if !errors.As(err, &missing) {
		t.Errorf("Token = %v, want a NotInstalledError", err)
	}
	wantCalls(t, fake)
}

// TestScopeYoungToken: the token that lists the repositories is new, and GitHub
// may not know it yet.
func TestScopeYoungToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{}`)
		g.set(listOf1, reply{status: 401, body: `{"message":"Bad credentials"}`})
		time.AfterFunc(2*time.Second, func() { g.list("acme/widgets") })
		start := time.Now()
		if _, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme"), Within: only("acme/widgets")}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 3*time.Second { // after 1 and 2 seconds
			t.Errorf("took %v, want 3s", took)
		}
	})
}

// refuse makes GitHub refuse mints whose body contains a text.
func (g *scoped) refuse(text string) {
	g.judge = func(r *http.Request) (reply, bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if r.Method == "POST" && len(g.bodies) > 0 && strings.Contains(g.bodies[len(g.bodies)-1], text) {
			return reply{status: 422, body: `{"message":"There is at least one repository that does not exist or is not accessible to the parent installation."}`}, true
		}
		return reply{}, false
	}
}

// TestScopeFactsEnd: what GitHub said of an installation was taken away since.
func TestScopeFactsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		scope   *auth.Scope
		end     func(g *scoped)
		refused string // of a mint, from now on
		want    string // what is asked for then
	}{
		"a repository": {only("acme/widgets", "acme/docs"), func(g *scoped) { g.list("acme/widgets") }, "2", `{"repository_ids":[1]}`},
		"a permission": {&auth.Scope{Key: "r", ReadOnly: true}, func(g *scoped) {
			g.set(factsOf1, reply{status: 200, body: `{"id":1,"account":{"login":"Acme"},"permissions":{"contents":"read"}}`})
		}, "issues", `{"permissions":{"contents":"read"}}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newScoped(t, auth.FallbackRefuse, `{"contents":"write","issues":"write"}`, "acme/widgets", "acme/docs")
			ask := func() error {
				_, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme/widgets"), Within: test.scope})
				return err
			}
			// The listing is asked for, but its token is not used yet.
			g.refuse(test.refused)
			if err := ask(); err == nil {
				t.Fatalf("%s: minted %q, want GitHub's refusal", name, g.minted())
			}
			if got := g.minted(); len(got) != 1 {
				t.Errorf("%s: asked for %q, want one mint: what GitHub said is new", name, got)
			}
			test.end(g)
			time.Sleep(11 * time.Second)
			if err := ask(); err != nil {
				t.Errorf("%s: %v, want a token for what is left", name, err)
			}
			if got := g.minted(); len(got) != 2 || got[1] != test.want {
				t.Errorf("%s: asked for %q, want %q in the end", name, got, test.want)
			}
		})
	}
}

// TestScopeRefusedAllTheSame: where GitHub does not mint for what it has just
// said, it is not asked on and on.
func TestScopeRefusedAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{}`, "acme/widgets")
		g.refuse("1")
		for range 3 {
			g.take()
			for range 50 {
				if _, err := g.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme"), Within: only("acme/widgets")}); err == nil {
					t.Fatal("minted")
				}
			}
			if calls := g.take(); len(calls) > 4 { // facts, a token to list with, the list, the mint
				t.Errorf("GitHub was asked %d times: %q", len(calls), calls)
			}
			time.Sleep(11 * time.Second)
		}
	})
}

// TestScopeLastsAsLongAsFacts: what a Scope comes to is as old as what it was
// made of, which is asked for anew in the background.
func TestScopeLastsAsLongAsFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{}`, "acme/widgets")
		ask := func(scope *auth.Scope) {
			if _, err := g.Token(context.Background(), "github.com", auth.Want{Owner: owner("acme"), Within: scope}); err != nil {
				t.Fatal(err)
			}
		}
		ask(only("acme/widgets"))
		time.Sleep(4*time.Minute + 50*time.Second)
		scope := only("acme/widgets", "acme/docs")
		ask(scope)
		g.list("acme/widgets", "acme/docs")
		g.minted()
		time.Sleep(11 * time.Second)
		ask(scope)
		if got := g.minted(); len(got) > 0 {
			t.Errorf("after five minutes a request waited for %q", got)
		}
		synctest.Wait()
		ask(scope)
		if got := g.minted(); !slices.Equal(got, []string{`{"repository_ids":[1,2]}`}) {
			t.Errorf("after five minutes asked for %q, want both repositories", got)
		}
	})
}

// TestScopeForeignNames: names outside the scope are no reason to list anew.
func TestScopeForeignNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{}`, "acme/widgets")
		for i := range 3 {
			want := auth.Want{Owner: owner(fmt.Sprintf("acme/guess%d", i)), Within: only("acme/widgets")}
			if _, err := g.Token(context.Background(), "github.com", want); err != nil {
				t.Fatal(err)
			}
			time.Sleep(11 * time.Second)
		}
		if n := strings.Count(strings.Join(g.take(), "\n"), listOf1); n != 1 {
			t.Errorf("the repositories were listed %d times, want once", n)
		}
	})
}

// TestScopeListingTokenRevoked: nobody but the Source uses the token that lists
// repositories, so that nobody else would replace it.
func TestScopeListingTokenRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newScoped(t, auth.FallbackRefuse, `{}`, "acme/widgets")
		want := auth.Want{Owner: owner("acme"), Within: only("acme/widgets")}
		if _, err := g.Token(t.Context(), "github.com", want); err != nil {
			t.Fatal(err)
		}
		g.judge = func(r *http.Request) (reply, bool) {
			bad := r.Header.Get("Authorization") == "Bearer ghs_1"
			return reply{status: 401, body: `{"message":"Bad credentials"}`}, bad
		}
		time.Sleep(6 * time.Minute)
		if _, err := g.Token(t.Context(), "github.com", want); err != nil {
			t.Errorf("%v, want a token: another one can list the repositories", err)
		}
	})
}

// TestScopeOddPermission: what GitHub may call a permission one day takes no
// others away.
func TestScopeOddPermission(t *testing.T) {
	g := newScoped(t, auth.FallbackRefuse, `{"contents":"write","copilot-2":"read"}`)
	if _, err := g.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme"), Within: &auth.Scope{ReadOnly: true}}); err != nil {
		t.Fatal(err)
	}
	if got := g.minted(); !slices.Equal(got, []string{`{"permissions":{"contents":"read"}}`}) {
		t.Errorf("asked for %q, want contents", got)
	}
}
