package auth_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"ghapp-proxy/auth"
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
		got, err := s.AppOf("github.com", issuer)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("AppOf(%q) = %q, %v, want %q", issuer, got, err, want)
		}
	}
	_, err := s.AppOf("github.com", "666\n")
	unknown, ok := errors.AsType[*auth.UnknownIssuerError](err)
	if !ok || strings.Contains(err.Error(), "\n") || !strings.Contains(unknown.Remedy(), "Iv23liCI or 12345 (ci-bot), Iv23liRELEASE (release-bot)") {
		t.Errorf("AppOf(666) = %v, want an error that names the Apps", err)
	}
	if _, err := s.AppOf("ghe.example.com", "12345"); err == nil {
		t.Error("AppOf of another host: no error")
	}
}
