package proxy

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/rules"
)

// namedKey is a Signer whose signature says which key it is.
type namedKey string

func (k namedKey) Sign(context.Context, []byte) ([]byte, error) { return []byte(k), nil }
func (k namedKey) String() string                               { return string(k) }

const undecodable = `{"message":"A JSON web token could not be decoded"}`

// keyOf is the key of a JWT.
func keyOf(jwt string) string {
	signature, err := base64.RawURLEncoding.DecodeString(jwt[strings.LastIndexByte(jwt, '.')+1:])
	if err != nil {
		return err.Error()
	}
	return string(signature)
}

// A request whose JWT is by a key that GitHub does not know is sent again with
// the others, each once.
func TestHealKey(t *testing.T) {
	for _, test := range []struct {
		name   string
		keys   string
		known  string
		text   string // of the 401
		body   io.Reader
		tried  string
		status int
	}{
		{"known", "a b", "a", undecodable, strings.NewReader("body"), "a", 200},
		{"the second", "a b", "b", undecodable, strings.NewReader("body"), "a b", 200},
		{"the second, no body", "a b", "b", undecodable, nil, "a b", 200},
		{"the fourth", "a b c d", "d", undecodable, strings.NewReader("body"), "a b c d", 200},
		{"none", "a b", "x", undecodable, strings.NewReader("body"), "a b", 401},
		{"the only one", "a", "x", undecodable, strings.NewReader("body"), "a", 401},
		{"another complaint", "a b", "b", badCredentials, strings.NewReader("body"), "a", 401},
		{"a body too large", "a b", "b", undecodable, io.MultiReader(strings.NewReader(strings.Repeat("x", maxReplay+1))), "a", 401},
	} {
		synctest.Test(t, func(t *testing.T) {
			var tried []string
			g := &refuser{answer: func(jwt, body string) (int, string) {
				if test.body != nil && body != "body" && len(body) != maxReplay+1 {
					t.Errorf("%s: the body that arrived has %d bytes", test.name, len(body))
				}
				key := keyOf(jwt)
				if tried = append(tried, key); key != test.known {
					return 401, test.text
				}
				return 200, "ok"
			}}
			source := newSource(g, strings.Fields(test.keys)...)
			defer source.Close()
			cred, err := source.ForApp(t.Context(), "github.com", "", 0, auth.Owner{})
			if err != nil {
				t.Fatal(err)
			}
			route := rules.Route{Credential: rules.JWT, Scheme: rules.Bearer}
			status, took := healWith(t, g, source, cred, route, test.body)
			if got := strings.Join(tried, " "); status != test.status || got != test.tried || took != 0 {
				t.Errorf("%s: %d after %v with %q, want %d at once with %q", test.name, status, took, got, test.status, test.tried)
			}
		})
	}
}

// Whoever asks how often: each request is sent once while all keys are refused,
// and once with each key every ten seconds.
func TestHealKeyNeverLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		g := &refuser{answer: func(string, string) (int, string) { asked++; return 401, undecodable }}
		source := newSource(g, "a", "b", "c")
		defer source.Close()
		const requests = 600
		for range requests {
			cred, err := source.ForApp(t.Context(), "github.com", "", 0, auth.Owner{})
			if err != nil {
				t.Fatal(err)
			}
			if status, _ := healWith(t, g, source, cred, rules.Route{Credential: rules.JWT, Scheme: rules.Bearer}, nil); status != http.StatusUnauthorized {
				t.Fatalf("status %d", status)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if most := requests + 2*7; asked > most {
			t.Errorf("GitHub was asked %d times for %d requests in a minute, want %d at most", asked, requests, most)
		}
	})
}

// The other kinds of credentials have no other key.
func TestHealKeyIsForJWTs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{answer: func(string, string) (int, string) { return 401, undecodable }}
		if status, _ := heal(t, g, time.Minute, rules.Route{}, nil); status != 401 || g.mints != 1 || !slices.Equal(g.asked, []string{"ghs_1: "}) {
			t.Errorf("%d with %d mints, asked %q; want 401 at once", status, g.mints, g.asked)
		}
	})
}
