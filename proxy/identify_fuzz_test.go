package proxy

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

func TestParseBasic(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for header, want := range map[string][2]string{
		"Basic " + encode("a:b"):                         {"a", "b"},
		"BASIC   " + encode("a:b:c") + " ":               {"a", "b:c"},
		"basic " + encode(":"):                           {"", ""},
		"Basic " + encode("a:"):                          {"a", ""},
		"Basic " + encode("ä:\x00"):                      {"ä", "\x00"},
		"Basic " + encode("a:"+strings.Repeat("x", 500)): {"a", strings.Repeat("x", 500)},
	} {
		user, password, ok := parseBasic(header)
		if got := [2]string{user, password}; !ok || got != want {
			t.Errorf("parseBasic(%q) = %q, %v, want %q", header, got, ok, want)
		}
	}
	for _, header := range []string{
		"", "Basic", "Basic ", "Basic %%%", "Basic " + encode("no colon"), "Bearer " + encode("a:b"), encode("a:b"), "Basic\t" + encode("a:b"),
		"Basic " + encode("a:"+strings.Repeat("x", maxBasic)), "Basic " + encode("a:b") + ", Basic " + encode("c:d"),
	} {
		if user, password, ok := parseBasic(header); ok {
			t.Errorf("parseBasic(%q) = %q, %q, want nothing", header, user, password)
		}
	}
}

// FuzzParseBasic: what is read is what net/http reads as Authorization, save
// for what is too long, or has more spaces.
func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{"Basic YTpi", "basic YTpi", "Basic  YTpi ", "Basic YQ==", "Bearer x", "Basic YTpi\r\n", "Basic Og==", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		user, password, ok := parseBasic(header)
		if ok && (strings.Contains(user, ":") || len(user)+len(password) > maxBasic) {
			t.Errorf("parseBasic(%q) = %q, %q", header, user, password)
		}
		if strings.Contains(header, "  ") || strings.HasSuffix(header, " ") || len(header) > maxBasic {
			return
		}
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		wantUser, wantPassword, want := r.BasicAuth()
		if ok != want || ok && (user != wantUser || password != wantPassword) {
			t.Errorf("parseBasic(%q) = %q, %q, %v, net/http reads %q, %q, %v", header, user, password, ok, wantUser, wantPassword, want)
		}
	})
}
