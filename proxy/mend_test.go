package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

const notFound = `{"message":"Not Found"}`

var (
	widgets   = github.Account{Login: "acme", Repo: "widgets"}
	byID      = github.Account{RepositoryID: 7}
	restRoute = rules.Route{Subject: widgets}
	gitRoute  = rules.Route{Subject: widgets, GitAuth: true, Read: true, Operation: "info/refs", Form: answer.Text}
	rawRoute  = rules.Route{Subject: widgets, Operation: "raw", Form: answer.Text}
	graphQL   = rules.Route{Subject: widgets, Operation: "graphql"}
)

// TestMendSight: whether a repository that GitHub does not find is waited for.
func TestMendSight(t *testing.T) {
	const nothing = `{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","message":"Could not resolve to a Repository with the name 'acme/widgets'."}]}`
	lag := 2500 * time.Millisecond
	shown := func() int { return 200 }
	for _, test := range []struct {
		name     string
		route    rules.Route
		age      time.Duration
		covering int
		sight    func() int
		lag      time.Duration
		status   int
		text     string
		want     int
		took     time.Duration
	}{
		{"git, mistyped", gitRoute, 0, 0, nil, time.Hour, 404, "Repository not found.", 404, 0},
		{"git", gitRoute, 0, 1, nil, lag, 404, "Repository not found.", 200, 3 * time.Second},
		{"git, that the API knows", gitRoute, 0, 1, shown, lag, 404, "Repository not found.", 200, 3 * time.Second},
		{"git, for good", gitRoute, 0, 1, nil, time.Hour, 404, "Repository not found.", 404, 6 * time.Second},
		{"git, with an old token", gitRoute, time.Minute, 1, nil, time.Hour, 404, "Repository not found.", 404, 0},
		{"git, of another App", gitRoute, 0, 2, nil, time.Hour, 404, "Repository not found.", 404, 0},
		{"the API, mistyped", restRoute, 0, 0, nil, time.Hour, 404, notFound, 404, 0},
		{"the API", restRoute, 0, 1, nil, lag, 404, notFound, 200, 3 * time.Second},
		{"what is not in the repository", restRoute, 0, 1, shown, time.Hour, 404, notFound, 404, 0},
		{"raw", rawRoute, 0, 1, nil, lag, 404, "404: Not Found", 200, 3 * time.Second},
		{"raw, a file that is not there", rawRoute, 0, 1, shown, time.Hour, 404, "404: Not Found", 404, 0},
		{"GraphQL", graphQL, 0, 1, nil, lag, 200, nothing, 200, 3 * time.Second},
		{"GraphQL, mistyped", graphQL, 0, 0, nil, time.Hour, 200, nothing, 200, 0},
		{"GraphQL, an answer", graphQL, 0, 1, nil, time.Hour, 200, `{"data":{}}`, 200, 0},
		{"by id", rules.Route{Subject: byID}, 0, 1, nil, lag, 404, notFound, 200, 3 * time.Second},
		{"by id, with an old token", rules.Route{Subject: byID}, time.Minute, 1, nil, time.Hour, 404, notFound, 404, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{covering: test.covering, sight: test.sight}
			source := newSource(g)
			defer source.Close()
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.age)
			g.answer = until(test.lag, test.status, test.text)
			status, took := healWith(t, g, source, cred, test.route, strings.NewReader("body"))
			if status != test.want || took != test.took || g.mints != 1 {
				t.Errorf("%s: %d after %v with %d mints, want %d after %v with 1", test.name, status, took, g.mints, test.want, test.took)
			}
			g.answer = until(time.Hour, test.status, test.text)
			if _, took := healWith(t, g, source, cred, test.route, nil); test.took == 0 && took != 0 {
				t.Errorf("%s: again after %v, want at once", test.name, took)
			}
			for asked, n := range g.own {
				if strings.HasSuffix(asked, "/installation") && n > 1 {
					t.Errorf("%s: asked %s %d times, want once", test.name, asked, n)
				}
			}
		})
	}
}

// TestMendSightOfMutation: what may have changed something is not sent again.
func TestMendSightOfMutation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{covering: 1, answer: until(time.Hour, 200, `{"errors":[{"type":"NOT_FOUND"}]}`)}
		source := newSource(g)
		defer source.Close()
		cred, err := source.Token(t.Context(), "github.com", acme)
		if err != nil {
			t.Fatal(err)
		}
		x := &exchange{source: source, want: acme, credential: cred, authorization: cred.Bearer(), Verdict: decide.Verdict{Route: graphQL, Asked: widgets}}
		req, err := http.NewRequestWithContext(context.WithValue(t.Context(), exchangeKey{}, x), "POST", "https://api.github.com/x", strings.NewReader("mutation"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := exchangeOf(req).send(g, req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if len(g.asked) != 1 {
			t.Errorf("GitHub was asked %q, want once", g.asked)
		}
	})
}

// paged are the links of an answer that calls its owner by an id.
type paged struct{ id github.Account }

func (paged) MovedTo(http.Header) github.Account   { return github.Account{} }
func (p paged) NamedBy(http.Header) github.Account { return p.id }

// teach has GitHub answer a request that names an owner, and call it by an id.
func teach(t *testing.T, source *auth.Source, cred auth.Credential, id, named github.Account) {
	t.Helper()
	answer := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})
	req := httptest.NewRequestWithContext(t.Context(), "GET", "https://api.github.com/x", nil)
	_, err := source.Send(answer, req, &auth.Outgoing{Instance: "github.com", Credential: &cred, Scheme: auth.SchemeBearer, Subject: named, Links: paged{id}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMendTransfer: a repository known by id that has another owner now is looked
// for there, once.
func TestMendTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{covering: 2}
		g.answer = func(token, _ string) (int, string) {
			if token == "ghs_1" {
				return 404, notFound
			}
			return 200, "ok"
		}
		source := newSource(g)
		defer source.Close()
		want := auth.Want{Owner: github.Account{RepositoryID: 7}, Read: true}
		cred, err := source.Token(t.Context(), "github.com", acme)
		if err != nil {
			t.Fatal(err)
		}
		teach(t, source, cred, want.Owner, acme.Owner)
		time.Sleep(time.Minute)
		send := func() (int, time.Duration) {
			cred, err := source.Token(t.Context(), "github.com", want)
			if err != nil {
				t.Fatal(err)
			}
			x := &exchange{source: source, want: want, credential: cred, authorization: cred.Bearer(), Verdict: decide.Verdict{Route: rules.Route{Subject: byID}, Asked: byID}}
			return healExchange(t, g, x, strings.NewReader("body"))
		}
		for range 3 {
			if status, took := send(); status != 200 || took != 0 {
				t.Errorf("%d after %v, want 200 at once", status, took)
			}
		}
		if g.mints != 2 || g.own["GET /repositories/7/installation"] != 1 {
			t.Errorf("%d mints, asked %v, want 2 and one question", g.mints, g.own)
		}
		// Where it is gone for good, that is asked once.
		g.covering, g.answer = 0, until(time.Hour, 404, notFound)
		time.Sleep(time.Minute)
		for range 3 {
			if status, took := send(); status != 404 || took != 0 {
				t.Errorf("%d after %v, want 404 at once", status, took)
			}
		}
		if n := g.own["GET /repositories/7/installation"]; n != 2 {
			t.Errorf("asked %d times, want once more", n)
		}
	})
}

// TestMendTransferIsNoWayRound: what was allowed by a name is not sent with another
// owner's token.
func TestMendTransferIsNoWayRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{covering: 2, answer: until(time.Hour, 404, notFound)}
		source := newSource(g)
		defer source.Close()
		cred, err := source.Token(t.Context(), "github.com", acme)
		if err != nil {
			t.Fatal(err)
		}
		want := auth.Want{Owner: github.Account{RepositoryID: 7}}
		teach(t, source, cred, want.Owner, acme.Owner)
		time.Sleep(time.Minute)
		x := &exchange{source: source, want: want, credential: cred, authorization: cred.Bearer(), Verdict: decide.Verdict{Route: restRoute, Asked: byID}}
		if status, _ := healExchange(t, g, x, nil); status != 404 || g.mints != 1 {
			t.Errorf("%d with %d mints, want 404 with 1", status, g.mints)
		}
	})
}

// TestMendGrant: a token that lacks what GitHub accepts is replaced if its
// installation has been granted that, and not waited for.
func TestMendGrant(t *testing.T) {
	const inaccessible = `{"message":"Resource not accessible by integration"}`
	for _, test := range []struct {
		name     string
		age      time.Duration
		before   string // what the token was minted with
		now      string // what the installation has
		accepted string
		foreign  bool // the repository is none of the installation's
		status   int  // of the answer
		took     time.Duration
		mints    int
	}{
		{"granted since", time.Minute, `{"contents":"read"}`, `{"contents":"read","issues":"write"}`, "issues=write", false, 200, 0, 2},
		{"a higher level since", time.Minute, `{"issues":"read"}`, `{"issues":"write"}`, "issues=write", false, 200, 0, 2},
		{"another alternative", time.Minute, `{"contents":"read"}`, `{"contents":"read","pages":"read"}`, "issues=write; pages=read", false, 200, 0, 2},
		{"with a young token", 0, `{"contents":"read"}`, `{"contents":"read","issues":"write"}`, "issues=write", false, 200, 0, 2},
		{"not granted", 0, `{"contents":"read"}`, `{"contents":"read"}`, "issues=write", false, 403, 0, 1},
		{"half of it", 0, `{"contents":"read"}`, `{"contents":"read","issues":"write"}`, "issues=write,pages=write", false, 403, 0, 1},
		{"granted already, late", 0, `{"issues":"write"}`, `{"issues":"write"}`, "issues=read", false, 403, 6 * time.Second, 1},
		{"granted already, elsewhere", 0, `{"issues":"write"}`, `{"issues":"write"}`, "issues=read", true, 403, 0, 1},
		{"granted already", time.Minute, `{"issues":"write"}`, `{"issues":"write"}`, "issues=read", false, 403, 0, 1},
		{"GitHub does not say", time.Minute, `{"contents":"read"}`, `{"issues":"write"}`, "", false, 403, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{granted: test.before, covering: 1}
			if test.foreign {
				g.covering = 0
			}
			g.answer = func(token, _ string) (int, string) {
				if token == "ghs_2" {
					return 200, "ok"
				}
				return 403, inaccessible
			}
			source := newSource(g)
			defer source.Close()
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.age)
			g.granted = test.now
			x := func() *exchange {
				return &exchange{source: source, want: acme, credential: cred, authorization: cred.Bearer(), Verdict: decide.Verdict{Route: restRoute, Asked: widgets}}
			}
			accepting := accepts{g, test.accepted}
			if status, took := healExchange(t, accepting, x(), strings.NewReader("body")); status != test.status || took != test.took || g.mints != test.mints {
				t.Errorf("%s: %d after %v with %d mints, want %d after %v with %d", test.name, status, took, g.mints, test.status, test.took, test.mints)
			}
			for range 9 { // with the token that they have, all at once
				healExchange(t, accepting, x(), nil)
			}
			if n := g.own["GET /app/installations/1"]; n > 1 && test.took == 0 {
				t.Errorf("%s: asked %d times what the installation may do, want once", test.name, n)
			}
		})
	}
}

// TestMendGrantNeverLoops: where GitHub does not mint what it says was granted, a
// minute sees few mints.
func TestMendGrantNeverLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{granted: `{"issues":"write"}`, minting: `{"contents":"read"}`, covering: 1, answer: until(time.Hour, 403, `{"message":"no"}`)}
		source := newSource(g)
		defer source.Close()
		lying := accepts{g, "issues=write"}
		for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(100 * time.Millisecond) {
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			before := g.mints
			x := &exchange{source: source, want: acme, credential: cred, authorization: cred.Bearer(), Verdict: decide.Verdict{Route: restRoute, Asked: widgets}}
			healExchange(t, lying, x, nil)
			if g.mints > before+1 {
				t.Fatalf("one request made %d mints", g.mints-before)
			}
		}
		if g.mints > 10 {
			t.Errorf("%d mints in a minute", g.mints)
		}
	})
}

// accepts is a GitHub whose refusals say what would be accepted.
type accepts struct {
	*refuser
	permissions string
}

func (g accepts) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.refuser.RoundTrip(r)
	if err == nil && resp.StatusCode == 403 && g.permissions != "" {
		resp.Header.Set("X-Accepted-GitHub-Permissions", g.permissions)
	}
	return resp, err
}

// TestMendRevokedYoung: a token that was revoked within its first seconds is
// replaced when it can no longer be that GitHub does not know it yet.
func TestMendRevokedYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{answer: func(token, _ string) (int, string) {
			if token == "ghs_1" {
				return 401, badCredentials
			}
			return 200, "ok"
		}}
		if status, took := heal(t, g, time.Second, rules.Route{}, strings.NewReader("body")); status != 200 || took != 15*time.Second || g.mints != 2 {
			t.Errorf("%d after %v with %d mints, want 200 after 15s with 2", status, took, g.mints)
		}
		if len(g.asked) != 7 {
			t.Errorf("GitHub was asked %d times, want 7", len(g.asked))
		}
	})
}

// TestProve: a large body is sent when GitHub knows the token.
func TestProve(t *testing.T) {
	large := strings.Repeat("x", maxReplay+1)
	for _, test := range []struct {
		name   string
		age    time.Duration
		lag    time.Duration
		used   bool // the token was, for something else
		body   string
		took   time.Duration
		proofs int
		mints  int
	}{
		{"young", 0, 2500 * time.Millisecond, false, large, 3 * time.Second, 3, 1},
		{"young, and revoked", 0, time.Hour, false, large, 15 * time.Second, 6, 2},
		{"young, and known", 0, 0, true, large, 0, 0, 1},
		{"old", time.Minute, 0, false, large, 0, 0, 1},
		{"small", 0, 2500 * time.Millisecond, false, "small", 3 * time.Second, 0, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{}
			source := newSource(g)
			defer source.Close()
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.age)
			known := until(test.lag, 401, badCredentials)
			g.answer = func(token, body string) (int, string) {
				if token == "ghs_2" {
					return 200, "ok"
				}
				return known(token, body)
			}
			g.sight = func() int { status, _ := known("", ""); return status }
			if test.used {
				healWith(t, g, source, cred, rules.Route{}, nil)
				g.asked = nil
			}
			status, took := healWith(t, g, source, cred, rules.Route{}, strings.NewReader(test.body))
			if status != 200 || took != test.took || g.mints != test.mints || g.own["GET /rate_limit"] != test.proofs {
				t.Errorf("%s: %d after %v with %d mints and %d proofs, want 200 after %v with %d and %d",
					test.name, status, took, g.mints, g.own["GET /rate_limit"], test.took, test.mints, test.proofs)
			}
			if test.body == large && len(g.asked) != 1 {
				t.Errorf("%s: the body was sent %d times, want once", test.name, len(g.asked))
			}
		})
	}
}

// TestMendLargeBody: a token that GitHub refuses is given up also where the
// request cannot be sent again.
func TestMendLargeBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{}
		source := newSource(g)
		defer source.Close()
		var statuses []string
		g.answer = func(token, _ string) (int, string) {
			if token == "ghs_1" {
				return 401, badCredentials
			}
			return 200, "ok"
		}
		for range 3 {
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			status, _ := healWith(t, g, source, cred, rules.Route{}, strings.NewReader(strings.Repeat("x", maxReplay+1)))
			statuses = append(statuses, fmt.Sprint(status))
		}
		if got := strings.Join(statuses, " "); got != "401 200 200" || g.mints != 2 {
			t.Errorf("%s with %d mints, want 401 200 200 with 2", got, g.mints)
		}
	})
}

// TestMendLargeBodyUnproven: a token that GitHub may not know yet is not given up.
func TestMendLargeBodyUnproven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{answer: until(time.Hour, 401, badCredentials), sight: func() int { return 503 }}
		status, _ := heal(t, g, 0, rules.Route{}, strings.NewReader(strings.Repeat("x", maxReplay+1)))
		if status != 401 || g.mints != 1 || len(g.asked) != 1 {
			t.Errorf("%d with %d mints after %d requests, want 401 with 1 after 1", status, g.mints, len(g.asked))
		}
	})
}

// TestMendLargeBodyKeepsToken: a token that GitHub may not know yet is not thrown away
// because of a request that cannot be sent again.
func TestMendLargeBodyKeepsToken(t *testing.T) {
	for _, test := range []struct {
		age   time.Duration
		mints int
	}{{0, 1}, {time.Minute, 2}} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{answer: func(string, string) (int, string) { return 401, badCredentials }, sight: func() int { return 503 }}
			source := newSource(g)
			defer source.Close()
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.age)
			if status, _ := healWith(t, g, source, cred, rules.Route{}, strings.NewReader(strings.Repeat("x", maxReplay+1))); status != 401 {
				t.Errorf("%d, want 401", status)
			}
			if _, err := source.Token(t.Context(), "github.com", acme); err != nil {
				t.Fatal(err)
			}
			if g.mints != test.mints {
				t.Errorf("a token of %v: %d mints, want %d", test.age, g.mints, test.mints)
			}
		})
	}
}
