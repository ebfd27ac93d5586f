package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/grant"
	"ghapp-proxy/oidc"
	"ghapp-proxy/oidc/oidctest"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// actions is the issuer of a test, and by what its tokens are told.
type actions struct {
	*oidctest.Issuer
	issuer  *oidc.Issuer
	clients []*oidc.Client
	list    []*policy.Client
}

// source is by what tokens are verified, after that of before.
func (a *actions) source(t testing.TB, before *oidc.Source) *oidc.Source {
	t.Helper()
	var issuers *oidc.Issuers
	if before != nil {
		issuers = before.Issuers
	}
	issuers, err := oidc.NewIssuers(issuers, []*oidc.Issuer{a.issuer}, func(*oidc.Issuer) (http.RoundTripper, error) { return a.Transport(), nil })
	if err != nil {
		t.Fatal(err)
	}
	return &oidc.Source{Issuers: issuers, Clients: a.clients}
}

// job is a token of a job of acme/widgets, on its branch main.
func (a *actions) job(more ...any) string {
	claims := map[string]any{"jti": "CANARY-JTI", "sub": "repo:acme/widgets:ref:refs/heads/main", "repository": "acme/widgets", "ref": "refs/heads/main", "repository_owner": "acme"}
	for i := 0; i < len(more); i += 2 {
		claims[more[i].(string)] = more[i+1]
	}
	return a.Token(claims)
}

func claim(t testing.TB, path string, patterns ...string) oidc.Claim {
	c := oidc.Claim{Path: path}
	for _, text := range patterns {
		p, err := oidc.ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Any = append(c.Any, p)
	}
	return c
}

// tokens is a world with a client ci, which a job of acme's is for its own repository and
// branch, and a client agent with a secret.
func tokens(t testing.TB, change func(*actions, *setup)) (*world, *actions) {
	a := &actions{Issuer: oidctest.New()}
	t.Cleanup(a.Close)
	a.issuer = &oidc.Issuer{Name: "actions", URL: a.URL, Audiences: []string{oidctest.Audience}}
	a.clients = []*oidc.Client{{
		Name: "ci", Issuer: "actions", Lifetime: time.Hour, Claims: []oidc.Claim{claim(t, "repository_owner", "acme")},
		Limits: oidc.Limits{Repositories: []string{"{repository}"}, Push: []string{"refs/heads/{ref_name}"}},
	}}
	a.list = []*policy.Client{
		{Name: "ci", Repositories: repositories(t, "*/*"), Push: refs(t, "refs/heads/**"), FromClaims: []string{"repositories", "push"}},
		withSecret(),
	}
	keys := &granting{keys: grant.Keys{grant.NewKey()}}
	return start(t, func(s *setup) {
		s.options.Grants = &grant.Source{Keys: keys, Revoked: keys}
		if change != nil {
			change(a, s)
		}
		s.options.Clients = clients(t, a.list...)
		s.options.Tokens = a.source(t, nil)
	}), a
}

// TestToken: who holds a token that fits is the client, within what its claims say.
func TestToken(t *testing.T) {
	w, a := tokens(t, nil)
	token := a.job()
	for _, h2 := range []bool{false, true} {
		for _, user := range []string{"ci", ""} {
			client := w.clientAs(t, user, token, h2)
			if status, name, text := w.askedAs(t, client, grantedURL); status != 200 || name != "ci" {
				t.Errorf("as %q: %d as %q: %s", user, status, name, text)
			}
			if status, _, text := w.askedAs(t, client, otherURL); status != 403 || !strings.Contains(text, "is not granted the repository acme/rockets") {
				t.Errorf("another repository: %d: %s", status, text)
			}
		}
	}
	if resp, err := w.clientAs(t, "ci", token, false).Get(otherURL); err != nil {
		t.Error(err)
	} else if text := bodyOf(t, resp); !strings.Contains(text, "(repo:acme/widgets:ref:refs/heads/main of actions)") {
		t.Errorf("a refusal does not say who asked: %s", text)
	}
	for _, r := range w.records(t) {
		if r.Token == nil || r.Token.Issuer != "actions" || r.Token.Subject != "repo:acme/widgets:ref:refs/heads/main" || r.Token.Claims["repository_owner"] != "acme" {
			t.Errorf("a record says %+v", r.Token)
		}
	}
	if log := w.log.String(); !strings.Contains(log, "issuer=actions subject=repo:acme/widgets:ref:refs/heads/main") {
		t.Errorf("the log does not say whose token it was:\n%s", log)
	}
	for _, r := range w.github.Requests() {
		if strings.Contains(fmt.Sprint(r.Header), token) {
			t.Error("the token left")
		}
	}
	if logs := w.log.String() + w.auditText(); strings.Contains(logs, "eyJ") || strings.Contains(logs, "CANARY-JTI") {
		t.Errorf("the token is in a log:\n%s", logs)
	}
	for header, want := range map[string]int{
		"Bearer " + token: 200, "bearer   " + token + " ": 200, basicAuth("agent", agentSecret): 200,
		basicAuth("agent", token): 407, basicAuth("nobody", token): 407, "Bearer " + a.job("repository_owner", "evil"): 407,
		"Bearer " + a.job("repository", "acme/*"): 407, "Bearer " + a.job("exp", time.Now().Add(-time.Hour).Unix()): 403,
		"Digest " + token: 407, "": 407,
	} {
		if resp := w.authenticate(t, header); resp.StatusCode != want {
			t.Errorf("%.20s…: %s, want %d", header, resp.Status, want)
		}
	}
	if a.Asked.Load() != 1 {
		t.Errorf("the issuer was asked %d times", a.Asked.Load())
	}
}

// TestTokenGuesses: wrong tokens are bounded as wrong secrets are, also those that are
// somebody else's; right ones pass.
func TestTokenGuesses(t *testing.T) {
	w, a := tokens(t, nil)
	for name, wrong := range map[string]string{"somebody else's": a.job("repository_owner", "evil"), "forged": a.job() + "A"} {
		last := 0
		for range 100 {
			if last = w.authenticate(t, "Bearer "+wrong).StatusCode; last == http.StatusTooManyRequests {
				break
			}
		}
		if last != http.StatusTooManyRequests {
			t.Errorf("a hundred tokens, %s: %d", name, last)
		}
	}
	if resp := w.authenticate(t, "Bearer "+a.job()); resp.StatusCode != 200 {
		t.Errorf("a right one: %s", resp.Status)
	}
}

// TestTokenEnds: the end of a token holds for connections that are open, and so does the
// end of its issuer's key.
func TestTokenEnds(t *testing.T) {
	w, a := tokens(t, nil)
	end := time.Now().Add(2 * time.Second).Unix()
	for _, url := range throughAll {
		client := w.clientAs(t, "ci", a.job("exp", end), true)
		if status, _, text := w.askedAs(t, client, url); status != 200 {
			t.Fatalf("before its end: %d: %s", status, text)
		}
		defer func() {
			time.Sleep(time.Until(time.Unix(end, 0)) + 10*time.Millisecond)
			if status, _, text := w.askedAs(t, client, url); status != 403 || !strings.Contains(text, "has expired") {
				t.Errorf("%s after its end, on the same connection: %d: %s", url, status, text)
			}
		}()
	}
}

// TestTokenReplace: other claims hold for open connections, and nobody is asked for keys
// meanwhile.
func TestTokenReplace(t *testing.T) {
	var before *oidc.Source
	w, a := tokens(t, func(a *actions, s *setup) {})
	replace := func() {
		before = a.source(t, before)
		w.proxy.ReplacePolicy(proxy.Policy{Tokens: before, Clients: clients(t, a.list...)})
	}
	replace() // whose keys nobody has
	client := w.clientAs(t, "ci", a.job(), true)
	if status, _, text := w.askedAs(t, client, grantedURL); status != 200 {
		t.Fatalf("before: %d: %s", status, text)
	}
	asked := a.Asked.Load()
	replace() // with the keys of before
	if status, _, text := w.askedAs(t, client, grantedURL); status != 200 || a.Asked.Load() != asked {
		t.Errorf("nothing has changed: %d: %s, the issuer was asked %d times", status, text, a.Asked.Load()-asked)
	}
	a.clients[0].Claims = []oidc.Claim{claim(t, "ref", "refs/heads/release")}
	replace()
	if resp, err := client.Get(grantedURL); err == nil {
		resp.Body.Close()
		t.Errorf("a token that does not fit any more: %s", resp.Status)
	}
}

// TestTokenAtListener: at a client's own listener a token is one of that client, or none.
func TestTokenAtListener(t *testing.T) {
	ln, dial := ownListener(t, "tcp", "127.0.0.1:0", "agent")
	w, a := tokens(t, func(a *actions, s *setup) {
		s.own = append(s.own, ln)
		a.list[1].Listen = "127.0.0.1:0"
	})
	for _, test := range []struct {
		user, token string
		want        int
	}{{"agent", "", 200}, {"agent", a.job(), 407}, {"", a.job(), 407}, {"ci", a.job(), 407}} {
		client := w.clientAs(t, test.user, test.token, true)
		client.Transport.(noLeaks).next.DialContext = dial
		if status, _, text := w.askedAs(t, client, grantedURL); status != test.want && !strings.Contains(text, http.StatusText(test.want)) {
			t.Errorf("as %q: %d: %s, want %d", test.user, status, text, test.want)
		}
	}
}

// TestTokenOfHangingIssuer: whoever sends a token of an issuer that hangs waits alone.
func TestTokenOfHangingIssuer(t *testing.T) {
	w, a := tokens(t, nil)
	hangs := make(chan struct{})
	var hang http.HandlerFunc = func(http.ResponseWriter, *http.Request) { <-hangs }
	a.Instead.Store(&hang)
	waits := make(chan int, 1)
	go func() { waits <- w.authenticate(t, "Bearer "+a.job()).StatusCode }()
	for range 20 {
		if resp := w.authenticate(t, basicAuth("agent", agentSecret)); resp.StatusCode != 200 {
			t.Errorf("another client: %s", resp.Status)
		}
	}
	select {
	case status := <-waits:
		t.Errorf("the issuer hangs, and its token is answered %d", status)
	default:
	}
	close(hangs)
	if status := <-waits; status != http.StatusServiceUnavailable {
		t.Errorf("without keys: %d", status)
	}
}
