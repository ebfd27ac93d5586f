package proxy

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/github"
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
			cred, err := source.ForApp(t.Context(), "github.com", "", 0, github.Account{})
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
			cred, err := source.ForApp(t.Context(), "github.com", "", 0, github.Account{})
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

// TestHealClock: a client's own request as the App, the first one, where our
// clock is wrong.
func TestHealClock(t *testing.T) {
	for skew, tries := range map[time.Duration]int{0: 1, 20 * time.Minute: 2, -20 * time.Minute: 2, 48 * time.Hour: 1} {
		synctest.Test(t, func(t *testing.T) {
			got := 0
			g := &refuser{answer: func(jwt, _ string) (int, string) {
				got++
				if now := time.Now().Add(skew); !goodAt(t, jwt, now) {
					return 401, `{"message":"'Expiration time' claim ('exp') is too far in the future"}`
				}
				return 200, "ok"
			}, skew: skew}
			source := newSource(g, "a")
			defer source.Close()
			cred, err := source.ForApp(t.Context(), "github.com", "", 0, github.Account{})
			if err != nil {
				t.Fatal(err)
			}
			status, took := healWith(t, g, source, cred, rules.Route{Credential: rules.JWT, Scheme: rules.Bearer}, strings.NewReader("body"))
			want := 200
			if skew > 24*time.Hour { // nobody believes that
				want = 401
			}
			if status != want || got != tries || took != 0 {
				t.Errorf("GitHub ahead by %v: %d after %d tries and %v, want %d after %d at once", skew, status, got, took, want, tries)
			}
		})
	}
}

// goodAt reports whether GitHub would accept a JWT's times.
func goodAt(t *testing.T, bearer string, now time.Time) bool {
	t.Helper()
	parts := strings.Split(bearer, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Iat, Exp int64 }
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims.Iat <= now.Unix() && now.Unix() < claims.Exp && claims.Exp <= now.Unix()+600
}
