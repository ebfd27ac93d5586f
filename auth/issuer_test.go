package auth_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

func TestIssuer(t *testing.T) {
	jwt := func(claims string) string {
		return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	for token, want := range map[string]string{
		jwt(`{"iss":"12345","exp":1}`): "12345",
		jwt(`{"iss":12345}`):           "12345",
		jwt(`{"iss":"Iv23liX"}`):       "Iv23liX",
		jwt(`{}`):                      "",
		jwt(`{"iss":null}`):            "",
		jwt(`{"iss":1.5}`):             "",
		jwt(`{"iss":["12345"]}`):       "",
		jwt(`{"iss":"12345"`):          "",
		jwt(`{"iss":"1","x":"` + strings.Repeat("x", 5000) + `"}`): "",
		jwt(`{"iss":"1"}`) + ".x":                                  "",
		"ghs_1_eyJ.eyJ.x":                                          "",
		"ghs_x":                                                    "",
		"":                                                         "",
		"a.%%%.b":                                                  "",
	} {
		if got := auth.Issuer(token); got != want {
			t.Errorf("Issuer(%.60q) = %q, want %q", token, got, want)
		}
	}
}

func TestAppOf(t *testing.T) {
	first, second := newApp("ci-bot", 12345), newApp("release-bot", 0)
	first.ClientID, second.ClientID = "Iv23liCI", "Iv23liRELEASE"
	s := newSource(t, &api{}, 0, first, second)
	for issuer, want := range map[string]string{
		"12345": "ci-bot", "Iv23liCI": "ci-bot", "Iv23liRELEASE": "release-bot",
		"0": "", "": "", "012345": "", "iv23lici": "",
	} {
		got, err := s.AppOf(t.Context(), "github.com", issuer)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("AppOf(%q) = %q, %v, want %q", issuer, got, err, want)
		}
	}
	_, err := s.AppOf(t.Context(), "github.com", "666\n")
	unknown, ok := errors.AsType[*auth.UnknownIssuerError](err)
	if !ok || strings.Contains(err.Error(), "\n") || !strings.Contains(unknown.Remedy(), "Iv23liCI or 12345 (ci-bot), Iv23liRELEASE (release-bot)") {
		t.Errorf("AppOf(666) = %v, want an error that names the Apps", err)
	}
	if _, err := s.AppOf(t.Context(), "ghe.example.com", "12345"); err == nil {
		t.Error("AppOf of another host: no error")
	}
}

// TestAppOfAsksOnce: an App of which only one id is configured is known by the other.
func TestAppOfAsksOnce(t *testing.T) {
	for _, test := range []struct {
		name         string
		id           int64
		client       string
		answer       reply
		issuer, want string
		calls        int
	}{
		{"by client id", 12345, "", reply{status: 200, body: `{"id":12345,"client_id":"Iv23liAAA"}`}, "Iv23liAAA", "a", 1},
		{"by id", 0, "Iv23liAAA", reply{status: 200, body: `{"id":12345,"client_id":"Iv23liAAA"}`}, "12345", "a", 1},
		{"another client id", 12345, "", reply{status: 200, body: `{"id":12345,"client_id":"Iv23liAAA"}`}, "Iv23liBBB", "", 1},
		{"both are known", 12345, "Iv23liAAA", reply{status: 200, body: `{"id":1,"client_id":"Iv23liBBB"}`}, "Iv23liBBB", "", 0},
		{"what is no client id", 12345, "", reply{status: 200, body: `{}`}, "../Iv23liAAA", "", 0},
		{"GitHub refuses", 12345, "", reply{status: 401, body: `{}`}, "Iv23liAAA", "", 1},
	} {
		app := newApp("a", test.id)
		app.ClientID = test.client
		github := &api{answers: map[string]reply{"GET /app": test.answer}}
		s := newSource(t, github, auth.FallbackRefuse, app)
		for range 3 {
			if got, _ := s.AppOf(t.Context(), "github.com", test.issuer); got != test.want {
				t.Errorf("%s: AppOf(%q) = %q, want %q", test.name, test.issuer, got, test.want)
			}
		}
		if calls := github.take(); len(calls) != test.calls {
			t.Errorf("%s: asked %q, want %d questions", test.name, calls, test.calls)
		}
	}
}

// TestAppOfKeepsTheConfiguration: what is configured is not what GitHub says instead.
func TestAppOfKeepsTheConfiguration(t *testing.T) {
	s := newSource(t, &api{answers: map[string]reply{"GET /app": {status: 200, body: `{"id":1,"client_id":"Iv23liAAA"}`}}}, auth.FallbackRefuse, newApp("a", 12345))
	for _, test := range []struct{ issuer, want string }{{"Iv23liAAA", "a"}, {"12345", "a"}, {"1", ""}} {
		if got, _ := s.AppOf(t.Context(), "github.com", test.issuer); got != test.want {
			t.Errorf("AppOf(%q) = %q, want %q", test.issuer, got, test.want)
		}
	}
}

// TestOldServerWantsID: a GHES that knows no client ids is told the App's number.
func TestOldServerWantsID(t *testing.T) {
	const remedy = "before 3.14 does not take a client id: set id"
	for _, refusal := range []reply{
		{status: 401, body: `{"message":"'Issuer' claim ('iss') must be an Integer"}`},
		{status: 401, body: `{"message":"A JSON web token could not be decoded"}`},
		{status: 404, body: `{"message":"Integration not found"}`},
	} {
		for instance, want := range map[github.Instance]bool{"ghe.example.com": true, "github.com": false} {
			app := newApp("a", 0)
			app.Instance, app.ClientID = instance, "Iv23liAAA"
			s := newSource(t, &api{answers: map[string]reply{"GET /users/acme/installation": refusal}}, auth.FallbackRefuse, app)
			_, err := s.ForOwner(t.Context(), instance, owner("acme"), false)
			refused, ok := errors.AsType[*auth.Error](err)
			if !ok || strings.Contains(refused.Remedy, remedy) != want {
				t.Errorf("%s, %s: %v, want that remedy: %v", instance, refusal.body, err, want)
			}
		}
	}
}
