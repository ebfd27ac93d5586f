package auth_test

import (
	"errors"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

func TestAccountOf(t *testing.T) {
	app := newApp("ci-bot", 1)
	app.Installations = map[string]github.InstallationID{"alias": 1, "corp": 2, "odd": 3, "gone": 4}
	fake := &api{}
	fake.set("GET /app/installations/1", reply{status: 200, body: `{"id":1,"account":{"login":"acme"}}`})
	fake.set("GET /app/installations/2", reply{status: 200, body: `{"id":2,"account":{"slug":"megacorp"},"target_type":"Enterprise"}`})
	fake.set("GET /app/installations/3", reply{status: 200, body: `{"id":3,"account":{"login":"../x"}}`})
	s := newSource(t, fake, 0, app)
	for login, want := range map[string]string{"alias": "acme", "corp": "enterprises/megacorp", "odd": "", "gone": ""} {
		cred, err := s.ForOwner(t.Context(), "github.com", owner(login), true)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := s.AccountOf(t.Context(), cred)
			if got.String() != want || (err == nil) != (want != "") {
				t.Errorf("AccountOf(%v) = %v, %v, want %q", cred, got, err, want)
			}
			if _, ok := errors.AsType[*auth.Error](err); err != nil && !ok {
				t.Errorf("AccountOf(%v): error %T, want an *auth.Error", cred, err)
			}
		}
	}
	asked := 0
	for _, call := range fake.take() {
		if call == "GET /app/installations/1" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("GitHub was asked %d times, want once", asked)
	}
	if got, err := s.AccountOf(t.Context(), auth.Credential{}); err == nil {
		t.Errorf("AccountOf nobody = %v", got)
	}
}
