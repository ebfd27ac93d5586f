package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/oidc"
	"ghapp-proxy/oidc/oidctest"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// world is an issuer, and clients that are told by its tokens.
type world struct {
	*oidctest.Issuer
	issuer  *oidc.Issuer
	issuers *oidc.Issuers
	rules   []*oidc.Client
	clients *policy.Set
	*oidc.Holders
}

// start has a client ci that takes its repositories and branches from claims; change
// changes what is configured.
func start(t testing.TB, change func(*world)) *world {
	w := &world{Issuer: oidctest.New()}
	t.Cleanup(w.Close)
	w.issuer = &oidc.Issuer{Name: "actions", URL: w.URL, Audiences: []string{oidctest.Audience}, Leeway: 30 * time.Second}
	w.rules = []*oidc.Client{{
		Name: "ci", Issuer: "actions", Lifetime: time.Hour, Claims: claims(t, "repository=acme/*", "ref=refs/heads/**"),
		Limits: oidc.Limits{Repositories: []string{"{repository}", "acme/shared"}, Push: []string{"refs/heads/{ref_name}"}},
	}}
	if change != nil {
		change(w)
	}
	var list []*policy.Client
	for _, rule := range w.rules {
		c := &policy.Client{Name: rule.Name, FromClaims: rule.Limits.Keys()}
		c.Owners = widest(t, "owners", rule.Limits.Owners, rules.ParseOwnerGlob)
		c.Repositories = widest(t, "repositories", rule.Limits.Repositories, rules.ParseRepositoryGlob)
		c.Push = widest(t, "push", rule.Limits.Push, policy.ParseRefPattern)
		list = append(list, c)
	}
	w.clients, _ = policy.NewSet(list)
	w.again(t)
	return w
}

func widest[T any](t testing.TB, key string, elements []string, parse func(string) (T, error)) (list []T) {
	wide, err := oidc.Widest(key, elements)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range wide {
		value, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, value)
	}
	return list
}

// again makes the issuers after those of before.
func (w *world) again(t testing.TB) {
	issuers, err := oidc.NewIssuers(w.issuers, []*oidc.Issuer{w.issuer}, func(*oidc.Issuer) (http.RoundTripper, error) { return w.Transport(), nil })
	if err != nil {
		t.Fatal(err)
	}
	w.issuers = issuers
	w.Holders = oidc.NewHolders(&oidc.Source{Issuers: issuers, Clients: w.rules}, w.clients)
}

func claims(t testing.TB, words ...string) (list []oidc.Claim) {
	for _, word := range words {
		path, patterns, _ := strings.Cut(word, "=")
		c := oidc.Claim{Path: path}
		for text := range strings.SplitSeq(patterns, "|") {
			p, err := oidc.ParsePattern(text)
			if err != nil {
				t.Fatal(err)
			}
			c.Any = append(c.Any, p)
		}
		list = append(list, c)
	}
	return list
}

// job are the claims of a job of GitHub Actions: docs.github.com, "OpenID Connect
// reference".
func job(more map[string]any) map[string]any {
	all := map[string]any{
		"jti": "example-id", "sub": "repo:acme/widgets:ref:refs/heads/main", "environment": "production", "ref": "refs/heads/main", "ref_type": "branch",
		"repository": "acme/widgets", "repository_owner": "acme", "repository_id": "1296269", "repository_owner_id": "65", "actor": "octocat",
		"workflow": "release", "event_name": "push", "runner_environment": "github-hosted",
	}
	maps.Copy(all, more)
	return all
}

func (w *world) hold(text string) (*oidc.Held, error) {
	return w.Hold(context.Background(), oidc.Sent{Text: text}, time.Now())
}

// kindOf names why a token is not good.
func kindOf(err error) string {
	if err == nil {
		return "good"
	}
	if e, ok := errors.AsType[*oidc.Error](err); ok {
		return map[oidc.Kind]string{oidc.Forged: "forged", oidc.Spent: "spent", oidc.Unusable: "unusable"}[e.Kind]
	}
	return fmt.Sprintf("%T", err)
}

// TestHold: a token is the client that its claims fit, within what they say.
func TestHold(t *testing.T) {
	w := start(t, nil)
	held, err := w.hold(w.Token(job(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if held.Issuer != "actions" || held.Subject != "repo:acme/widgets:ref:refs/heads/main" || held.Claims["repository"] != "acme/widgets" || len(held.Claims) != 2 {
		t.Errorf("%+v", held)
	}
	for repo, want := range map[string]bool{"widgets": true, "shared": true, "rockets": false} {
		if held.Client.Grants("acme") != true || held.Scope.Repository("acme", repo) != want {
			t.Errorf("acme/%s: %v, want %v", repo, !want, want)
		}
	}
	for ref, want := range map[string]bool{"refs/heads/main": true, "refs/heads/main/x": false, "refs/heads/other": false, "refs/tags/main": false} {
		if (held.Client.DecideRef(policy.RefUpdate{Ref: ref, New: strings.Repeat("1", 40)}) == nil) != want {
			t.Errorf("push %s: want %v", ref, want)
		}
	}
	if caveats := held.Caveats(); strings.Join(caveats.Repositories, " ") != "acme/widgets acme/shared" || strings.Join(caveats.Push, " ") != "refs/heads/main" {
		t.Errorf("for a grant: %+v", caveats)
	}
	if w.Asked.Load() != 1 {
		t.Errorf("the issuer was asked %d times", w.Asked.Load())
	}
}

// TestClaims: all that a client names must match.
func TestClaims(t *testing.T) {
	kube := map[string]any{"kubernetes.io": map[string]any{"namespace": "ci", "serviceaccount": map[string]any{"name": "runner"}}, "groups": []any{"a", "b"}, "admin": false, "number": 42}
	for _, test := range []struct {
		claims string
		more   map[string]any
		want   string
	}{
		{"repository=acme/*", nil, "good"},
		{"repository=acme/*|other/*", nil, "good"},
		{"repository=Acme/*", nil, "forged"}, // case counts
		{"repository=*", nil, "forged"},      // a star has no slash
		{"repository=**", nil, "good"},
		{"repository=acme/*", map[string]any{"repository": "acme/widgets/x"}, "forged"},
		{"repository=acme/*", map[string]any{"repository": "acme/wid\ngets"}, "forged"},
		{"repository=acme/*", map[string]any{"repository": nil}, "forged"},
		{"repository=acme/*", map[string]any{"repository": ""}, "forged"},
		{"repository=**", map[string]any{"repository": ""}, "forged"},
		{"repository=acme/*", map[string]any{"repository": map[string]any{"x": "acme/widgets"}}, "forged"},
		{"repository=acme/*;environment=production", nil, "good"},
		{"repository=acme/*;environment=staging", nil, "forged"},
		{"repository=acme/*;environment=production", map[string]any{"environment": nil}, "forged"},
		{"environment=production", map[string]any{"environment": "Xproduction"}, "forged"},
		{"environment=production", map[string]any{"environment": "production\n"}, "forged"},
		{"kubernetes.io.namespace=ci;kubernetes.io.serviceaccount.name=runner", kube, "good"},
		{"kubernetes.io.namespace=ci;kubernetes.io.serviceaccount.name=root", kube, "forged"},
		{"groups=b", kube, "good"}, {"groups=c", kube, "forged"}, {"admin=true", kube, "forged"}, {"admin=false", kube, "good"}, {"number=42", kube, "good"},
		// Who can choose the name of a claim does not choose another's value.
		{"a.b=x", map[string]any{"a": map[string]any{"b": "x"}, "a.b": "y"}, "forged"},
		{"a.b=x", map[string]any{"a": map[string]any{"b": "y"}, "a.b": "x"}, "forged"},
	} {
		w := start(t, func(w *world) {
			w.rules[0].Limits, w.rules[0].Claims = oidc.Limits{}, claims(t, strings.Split(test.claims, ";")...)
		})
		if _, err := w.hold(w.Token(job(test.more))); kindOf(err) != test.want {
			t.Errorf("%s of %v: %v, want %s", test.claims, test.more, err, test.want)
		}
	}
}

// TestInjection: no value of a claim is more than a name.
func TestInjection(t *testing.T) {
	for _, test := range []struct {
		limits oidc.Limits
		more   map[string]any
		want   string
	}{
		{oidc.Limits{Repositories: []string{"acme/{x}"}}, map[string]any{"x": "widgets"}, "good"},
		{oidc.Limits{Repositories: []string{"{x}"}}, map[string]any{"x": "acme/widgets"}, "good"},
		{oidc.Limits{Repositories: []string{"{o}/{x}"}}, map[string]any{"o": "acme", "x": "widgets"}, "good"},
		{oidc.Limits{Repositories: []string{"acme/team-{x}"}}, map[string]any{"x": 42}, "good"},
		{oidc.Limits{Owners: []string{"{x}"}}, map[string]any{"x": "acme"}, "good"},
		{oidc.Limits{Push: []string{"refs/heads/{x}"}}, map[string]any{"x": "dependabot/npm/@types/node-1.2"}, "good"},
		{oidc.Limits{Push: []string{"{x}"}}, map[string]any{"x": "refs/tags/v1"}, "good"},
		{oidc.Limits{Push: []string{"{x}"}}, map[string]any{"x": "main"}, "forged"},
		{oidc.Limits{DeleteRefs: []string{"refs/heads/tmp-{x}"}}, map[string]any{"x": "1"}, "good"},
		{oidc.Limits{Owners: []string{"{x}"}}, map[string]any{"x": "enterprises/acme"}, "forged"},
		{oidc.Limits{Owners: []string{"{x}"}}, map[string]any{"x": "*"}, "forged"},
		{oidc.Limits{Repositories: []string{"{o}/{x}"}}, map[string]any{"o": "acme/widgets", "x": "y"}, "forged"},
		{oidc.Limits{Repositories: []string{"{o}/shared"}}, map[string]any{"o": "evil/x"}, "forged"},
		{oidc.Limits{Repositories: []string{"{x}"}}, map[string]any{"x": "acme"}, "forged"},
		{oidc.Limits{Repositories: []string{"{x}"}}, map[string]any{"x": "acme/widgets/.."}, "forged"},
		{oidc.Limits{Push: []string{"refs/heads/{ref_name}"}}, map[string]any{"ref": "refs/tags/v1"}, "forged"},
		{oidc.Limits{Push: []string{"refs/heads/{ref_name}"}}, map[string]any{"ref": "refs/heads/a", "ref_name": "b/**"}, "forged"},
	} {
		checkLimits(t, test.limits, test.more, test.want)
	}
	names := []any{"*", "a*", "**", "", " ", "a b", ".", "..", "a/b/c", "../x", "a/../b", "a\x00b", "a\nb", "a\u202eb", "ä", "{x}", "a?b", "a[b]", "a\\b", true, nil, []any{"widgets"}, map[string]any{"a": "b"}, strings.Repeat("a", 300)}
	for _, value := range names {
		checkLimits(t, oidc.Limits{Repositories: []string{"acme/{x}"}}, map[string]any{"x": value}, "forged")
	}
	refs := []any{"*", "a*", "**", "a/**", "", " ", "a b", "..", "a/../b", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "@", "a@{b", "a~1", "a^", "a:b", "a?b", "a[b]", "a\\b", "{x}", "a\x00b", "a\nb", "a\u202eb", "\ufeff", true, nil, []any{"main"}, strings.Repeat("a", 300)}
	for _, value := range refs {
		checkLimits(t, oidc.Limits{Push: []string{"refs/heads/{x}"}}, map[string]any{"x": value}, "forged")
	}
}

func checkLimits(t *testing.T, limits oidc.Limits, more map[string]any, want string) {
	t.Helper()
	w := start(t, func(w *world) { w.rules[0].Limits, w.rules[0].Claims = limits, claims(t, "sub=**") })
	if held, err := w.hold(w.Token(job(more))); kindOf(err) != want {
		t.Errorf("%v of %v: %v, want %s", limits, more, err, want)
	} else if err == nil && !held.Client.Limited() {
		t.Errorf("%v of %v limits nothing", limits, more)
	}
}

// TestWhich: a token is one client, by its name or because no other fits.
func TestWhich(t *testing.T) {
	w := start(t, func(w *world) {
		w.rules = []*oidc.Client{
			{Name: "broad", Issuer: "actions", Claims: claims(t, "repository_owner=acme")},
			{Name: "release", Issuer: "actions", Claims: claims(t, "repository_owner=acme", "environment=production")},
			{Name: "other", Issuer: "gitlab", Claims: claims(t, "repository_owner=acme")},
		}
	})
	for _, test := range []struct {
		client      string
		environment any
		want        string
	}{
		{"", nil, "broad"}, {"", "production", "forged"}, {"broad", "production", "broad"}, {"release", "production", "release"},
		{"release", nil, "forged"}, {"other", nil, "forged"}, {"nobody", nil, "forged"},
	} {
		held, err := w.Hold(context.Background(), oidc.Sent{Client: test.client, Text: w.Token(job(map[string]any{"environment": test.environment}))}, time.Now())
		got := kindOf(err)
		if err == nil {
			got = held.Client.Name
		}
		if got != test.want {
			t.Errorf("as %q with environment %v: %s, want %s", test.client, test.environment, got, test.want)
		}
	}
}

// TestOnce: a token of an issuer that says so is good for one exchange.
func TestOnce(t *testing.T) {
	w := start(t, func(w *world) { w.issuer.Once = true })
	token := w.Token(job(nil))
	sent := oidc.Sent{Text: token}
	if _, err := w.hold(token); kindOf(err) != "spent" {
		t.Errorf("as a password: %v", err)
	}
	if _, err := w.Use(context.Background(), sent, time.Now()); err != nil {
		t.Fatal(err)
	}
	w.again(t) // a reload forgets nothing
	if _, err := w.Use(context.Background(), sent, time.Now()); kindOf(err) != "spent" || !strings.Contains(err.Error(), "used before") {
		t.Errorf("once more: %v", err)
	}
	if _, err := w.Use(context.Background(), oidc.Sent{Text: w.Token(job(map[string]any{"jti": "another"}))}, time.Now()); err != nil {
		t.Errorf("another one: %v", err)
	}
	if _, err := w.Use(context.Background(), oidc.Sent{Text: w.Token(job(map[string]any{"jti": nil}))}, time.Now()); kindOf(err) != "forged" {
		t.Errorf("without a jti: %v", err)
	}
	// One that fits no client is not remembered.
	wrong := w.Token(job(map[string]any{"jti": "third", "repository": "evil/widgets"}))
	if _, err := w.Use(context.Background(), oidc.Sent{Text: wrong}, time.Now()); kindOf(err) != "forged" {
		t.Error(err)
	}
	if _, err := w.Use(context.Background(), oidc.Sent{Text: w.Token(job(map[string]any{"jti": "third"}))}, time.Now()); err != nil {
		t.Errorf("after a wrong one of that jti: %v", err)
	}
}
