package proxy_test

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghapp-proxy/cache"
	"ghapp-proxy/grant"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
)

// granting is by what the grants of a test are verified.
type granting struct {
	keys    grant.Keys
	revoked atomic.Pointer[grant.ID]
}

func (g *granting) Keys() (grant.Keys, error) { return g.keys, nil }

func (g *granting) Revoked(ids []grant.ID) (grant.ID, bool, error) {
	for _, id := range ids {
		if r := g.revoked.Load(); r != nil && *r == id {
			return id, true, nil
		}
	}
	return grant.ID{}, false, nil
}

// grants is a world with clients agent, which has no secret, and other.
func grants(t *testing.T) (*world, *granting) {
	by := &granting{keys: grant.Keys{grant.NewKey()}}
	w := start(t, func(s *setup) {
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Repositories: repositories(t, "acme/*"), Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
			&policy.Client{Name: "other", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.3.0/24")}})
		s.options.Grants = &grant.Source{Keys: by, Revoked: by}
	})
	return w, by
}

func (g *granting) make(t *testing.T, chain ...grant.Caveats) *grant.Grant {
	t.Helper()
	if chain[0].Expires == 0 {
		chain[0].Expires = time.Now().Add(time.Hour).Unix()
	}
	made, err := grant.New(g.keys, "agent", chain[0])
	for _, link := range chain[1:] {
		if err == nil {
			made, err = made.Narrow(link)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

const (
	grantedURL = "https://api.github.com/repos/acme/widgets"
	otherURL   = "https://api.github.com/repos/acme/rockets"
)

// TestGrant: who holds one is the client within its limits, and each record says who asked.
func TestGrant(t *testing.T) {
	w, by := grants(t)
	g := by.make(t, grant.Caveats{Repositories: []string{"*/widgets"}, Actor: "octocat", Purpose: "task"}, grant.Caveats{ReadOnly: true, Actor: "helper"})
	client := w.clientAs(t, "agent", g.Text(), true)
	if status, name, text := w.askedAs(t, client, grantedURL); status != 200 || name != "agent" {
		t.Errorf("%d as %q: %s", status, name, text)
	}
	if status, _, text := w.askedAs(t, client, otherURL); status != 403 || !strings.Contains(text, "is not granted the repository acme/rockets") {
		t.Errorf("another repository: %d: %s", status, text)
	}
	for _, r := range w.records(t) {
		if r.Actor != "octocat" || r.Purpose != "task" || len(r.Grant) != 2 || r.Grant[1].ID != g.ID().String() || r.Grant[1].Actor != "helper" {
			t.Errorf("a record says %q, %q, %v", r.Actor, r.Purpose, r.Grant)
		}
	}
	if strings.Contains(w.log.String()+w.auditText(), grant.Prefix) {
		t.Error("the grant is in a log")
	}
	if resp := w.authenticate(t, "Bearer "+g.Text()); resp.StatusCode != 200 {
		t.Errorf("as a Bearer token: %s", resp.Status)
	}
	if resp := w.authenticate(t, basicAuth("other", g.Text())); resp.StatusCode != 407 {
		t.Errorf("under another client's name: %s", resp.Status)
	}
	far := by.make(t, grant.Caveats{Networks: []string{"192.0.2.0/24"}})
	if resp := w.authenticate(t, basicAuth("agent", far.Text())); resp.StatusCode != 403 {
		t.Errorf("from elsewhere: %s", resp.Status)
	}
}

// TestGrantGuesses: wrong grants are bounded as wrong secrets are; right ones pass.
func TestGrantGuesses(t *testing.T) {
	w, by := grants(t)
	foreign := &granting{keys: grant.Keys{grant.NewKey()}}
	wrong := foreign.make(t, grant.Caveats{}).Text()
	last := 0
	for range 100 {
		if last = w.authenticate(t, basicAuth("agent", wrong)).StatusCode; last == http.StatusTooManyRequests {
			break
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("a hundred wrong grants: %d", last)
	}
	if resp := w.authenticate(t, basicAuth("agent", by.make(t, grant.Caveats{}).Text())); resp.StatusCode != 200 {
		t.Errorf("a right one: %s", resp.Status)
	}
}

// TestGrantPace: who makes many grants of one has no more requests.
func TestGrantPace(t *testing.T) {
	w, by := grants(t)
	g := by.make(t, grant.Caveats{RequestsPerMinute: 12}) // two at once
	statuses := map[int]int{}
	for i := range 6 {
		less, err := g.Narrow(grant.Caveats{Purpose: strings.Repeat("x", i+1), RequestsPerMinute: 1000})
		if err != nil {
			t.Fatal(err)
		}
		status, _, _ := w.askedAs(t, w.clientAs(t, "agent", less.Text(), true), "http://api.github.com/repos/acme/widgets")
		statuses[status]++
	}
	if statuses[200] != 2 || statuses[429] != 4 {
		t.Errorf("statuses %v, want 2 of 200 and 4 of 429", statuses)
	}
}

// TestGrantEnds: its end and its revocation hold for connections that are open.
func TestGrantEnds(t *testing.T) {
	w, by := grants(t)
	ends := by.make(t, grant.Caveats{Expires: time.Now().Add(2 * time.Second).Unix()})
	client := w.clientAs(t, "agent", ends.Text(), true)
	if status, _, text := w.askedAs(t, client, grantedURL); status != 200 {
		t.Fatalf("before its end: %d: %s", status, text)
	}
	time.Sleep(time.Until(ends.Expires()) + 10*time.Millisecond)
	if status, _, text := w.askedAs(t, client, grantedURL); status != 403 || !strings.Contains(text, "has expired") {
		t.Errorf("after its end, on the same connection: %d: %s", status, text)
	}

	g := by.make(t, grant.Caveats{})
	client = w.clientAs(t, "agent", g.Text(), true)
	if status, _, text := w.askedAs(t, client, grantedURL); status != 200 {
		t.Fatalf("before: %d: %s", status, text)
	}
	id := g.ID()
	by.revoked.Store(&id)
	if status, _, text := w.askedAs(t, client, grantedURL); status != 403 || !strings.Contains(text, "is revoked") {
		t.Errorf("revoked, on the same connection: %d: %s", status, text)
	}
	by.revoked.Store(nil)
	if status, _, _ := w.askedAs(t, client, grantedURL); status != 200 {
		t.Fatalf("not revoked any more: %d", status)
	}
	by.revoked.Store(&id)
	if n := w.proxy.EndGrants(); n == 0 {
		t.Error("no connection was closed")
	}
}

// TestGrantReplace: another table of its client holds for a grant at once, and none
// is served without its client.
func TestGrantReplace(t *testing.T) {
	w, by := grants(t)
	client := w.clientAs(t, "agent", by.make(t, grant.Caveats{}).Text(), true)
	if status, _, text := w.askedAs(t, client, otherURL); status != 200 {
		t.Fatalf("before: %d: %s", status, text)
	}
	next := proxy.Policy{
		Grants:  &grant.Source{Keys: by, Revoked: by},
		Clients: clients(t, &policy.Client{Name: "agent", Repositories: repositories(t, "acme/widgets")}),
	}
	w.proxy.ReplacePolicy(next) // which closes the connection
	client.CloseIdleConnections()
	if status, _, text := w.askedAs(t, client, otherURL); status != 403 {
		t.Errorf("with fewer repositories: %d: %s", status, text)
	}
	if status, _, text := w.askedAs(t, client, grantedURL); status != 200 {
		t.Errorf("what is left: %d: %s", status, text)
	}
	next.Clients = nil
	w.proxy.ReplacePolicy(next)
	if resp := w.authenticate(t, basicAuth("agent", by.make(t, grant.Caveats{}).Text())); resp.StatusCode != 407 {
		t.Errorf("without the client: %s", resp.Status)
	}
}

// TestGrantAtListener: a grant narrows at a client's own listener as well, and one of
// another client is refused.
func TestGrantAtListener(t *testing.T) {
	by := &granting{keys: grant.Keys{grant.NewKey()}}
	ln, dial := ownListener(t, "tcp", "127.0.0.1:0", "agent")
	w := start(t, func(s *setup) {
		s.own = append(s.own, ln)
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Listen: "127.0.0.1:0"}, &policy.Client{Name: "other", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.3.0/24")}})
		s.options.Grants = &grant.Source{Keys: by, Revoked: by}
	})
	client := w.clientAs(t, "agent", by.make(t, grant.Caveats{Repositories: []string{"acme/widgets"}}).Text(), true)
	client.Transport.(noLeaks).next.DialContext = dial
	if status, _, text := w.askedAs(t, client, grantedURL); status != 200 {
		t.Errorf("%d: %s", status, text)
	}
	if status, _, text := w.askedAs(t, client, otherURL); status != 403 {
		t.Errorf("another repository: %d: %s", status, text)
	}
	others, err := grant.New(by.keys, "other", grant.Caveats{Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"", "agent", "other"} {
		client := w.clientAs(t, user, others.Text(), true)
		client.Transport.(noLeaks).next.DialContext = dial
		if status, _, text := w.askedAs(t, client, grantedURL); status == 200 || !strings.Contains(text, "Proxy Authentication Required") {
			t.Errorf("another client's grant, as %q: %d: %s", user, status, text)
		}
	}
}

// TestGrantIsConfined: GitHub itself confines who holds a grant, by a token of its own; no
// answer to the client, or to a wider grant, is given to a narrower one, whether it is kept
// or under way.
func TestGrantIsConfined(t *testing.T) {
	by := &granting{keys: grant.Keys{grant.NewKey()}}
	w := start(t, func(s *setup) {
		s.options.Cache = cache.New(1 << 20)
		s.options.Clients = clients(t, &policy.Client{Name: "agent", Repositories: repositories(t, "acme/*"), Listen: "unix:none"})
		s.options.Grants = &grant.Source{Keys: by, Revoked: by}
	})
	wide := w.clientAs(t, "agent", by.make(t, grant.Caveats{}).Text(), true)
	narrow := w.clientAs(t, "agent", by.make(t, grant.Caveats{}, grant.Caveats{Repositories: []string{"acme/widgets"}}).Text(), true)
	list := func(client *http.Client) string {
		resp, err := client.Get("https://api.github.com/installation/repositories")
		if err != nil {
			t.Error(err)
			return ""
		}
		return bodyOf(t, resp)
	}
	for range 3 {
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if text := list(wide); !strings.Contains(text, `"acme/rockets"`) || !strings.Contains(text, `"acme/widgets"`) {
					t.Errorf("the client's own grant sees %s", text)
				}
			})
			all.Go(func() {
				if text := list(narrow); strings.Contains(text, `"acme/rockets"`) || !strings.Contains(text, `"acme/widgets"`) {
					t.Errorf("a grant for acme/widgets sees %s", text)
				}
			})
		}
		all.Wait()
	}
}
