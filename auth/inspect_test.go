package auth_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// TestTryKey: each key is tried by itself, and no other stands in.
func TestTryKey(t *testing.T) {
	g, app := newKnowing("old"), newApp("ci-bot", 12345)
	app.Signers = []auth.Signer{newFakeKey("new"), newFakeKey("old"), &fakeKey{name: "broken", err: errors.New("locked")}}
	g.set("GET /app", reply{status: 200, body: `{"id":12345,"client_id":"Iv23li\u001b[31m","slug":"ci-bot","permissions":{"contents":"write","x-y":"z"}}`})
	s := newSource(t, g, auth.FallbackRefuse, app)
	for i, want := range []string{
		`App ci-bot could not ask for its ids: GitHub answered 401 "A JSON web token could not be decoded"`,
		"",
		"App ci-bot could not ask for its ids: sign a JWT: locked",
	} {
		facts, err := s.TryKey(t.Context(), app, i)
		if got := fmt.Sprint(err); want != "" && got != want {
			t.Errorf("key %d: %s, want %s", i, got, want)
		}
		refused, _ := errors.AsType[*auth.Error](err)
		if i == 0 && !strings.Contains(refused.Remedy, "check that the private key belongs to the App") {
			t.Errorf("key %d: the remedy is %q", i, refused.Remedy)
		}
		if want == "" && (err != nil || facts.ID != 12345 || facts.ClientID != "Iv23li [31m" || facts.Slug != "ci-bot" || !maps.Equal(facts.Permissions, map[string]string{"contents": "write"})) {
			t.Errorf("key %d: %+v, %v", i, facts, err)
		}
	}
	if got := g.tried(); got != "new old" {
		t.Errorf("JWTs of %s arrived, want one of each that signs", got)
	}
}

// TestInstallations: all pages are read, and who asks is told how far it is.
func TestInstallations(t *testing.T) {
	page := func(from, n int) reply {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"id":%d,"account":{"id":1,"login":"org-%[1]d"},"repository_selection":"all","permissions":{"contents":"read"},"suspended_at":null}`, from+i))
		}
		return reply{status: 200, body: "[" + strings.Join(list, ",") + "]"}
	}
	fake, app := &api{}, newApp("ci-bot", 1)
	fake.set("GET /app/installations?per_page=100&page=1", page(1, 100))
	fake.set("GET /app/installations?per_page=100&page=2", page(101, 100))
	fake.set("GET /app/installations?per_page=100&page=3", reply{status: 200, body: `[` +
		`{"id":9,"account":{"slug":"megacorp"},"repository_selection":"selected","suspended_at":"2024-02-03T04:05:06Z"},` +
		`{"id":10,"account":{"login":"../evil"}}]`})
	var told []int
	list, complete, err := newSource(t, fake, auth.FallbackRefuse, app).Installations(t.Context(), app, func(n int) { told = append(told, n) })
	if err != nil || !complete || len(list) != 202 {
		t.Fatalf("%d installations, complete %v: %v", len(list), complete, err)
	}
	if !slices.Equal(told, []int{100, 200, 202}) {
		t.Errorf("told of %v", told)
	}
	if got := list[100]; got.ID != 101 || got.Account.Login != "org-101" || !got.All || got.Suspended || got.Permissions["contents"] != "read" {
		t.Errorf("%+v", got)
	}
	if got := list[200]; got.Account != (github.Account{Login: "megacorp", Enterprise: true}) || got.All || !got.Suspended {
		t.Errorf("%+v", got)
	}
	if got := list[201]; got.Account.Named() {
		t.Errorf("%+v has a name that no account can have", got)
	}
}

func TestRepositories(t *testing.T) {
	fake, app := &api{}, newApp("ci-bot", 1)
	fake.set("GET /installation/repositories?per_page=100&page=1", reply{status: 200, body: `{"repositories":[{"id":1,"full_name":"acme/widgets"},{"id":2,"full_name":"acme/docs"}]}`})
	s := newSource(t, fake, auth.FallbackRefuse, app)
	list, complete, err := s.Repositories(t.Context(), app, 111)
	if err != nil || !complete || fmt.Sprint(list) != "[{1 acme/widgets} {2 acme/docs}]" {
		t.Errorf("%v, complete %v: %v", list, complete, err)
	}
	if _, _, err := newSource(t, &api{}, auth.FallbackRefuse, app).Repositories(t.Context(), app, 112); err == nil {
		t.Error("an installation that cannot be listed: no error")
	}
	wantCalls(t, fake, "POST /app/installations/111/access_tokens", "GET /installation/repositories?per_page=100&page=1")
}
