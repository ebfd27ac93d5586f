package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/oidc"
	"ghapp-proxy/oidc/oidctest"

	"github.com/go-jose/go-jose/v4"
)

// unsigned joins the parts of a token.
func unsigned(header, claims any, signature string) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(header) + "." + part(claims) + "." + signature
}

// whole are the claims of a job, and those that the issuer adds.
func (w *world) whole(more map[string]any) map[string]any {
	now := time.Now()
	all := job(map[string]any{"iss": w.URL, "aud": oidctest.Audience, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	for name, value := range more {
		all[name] = value
	}
	return all
}

// TestForged: nobody but the issuer makes a token.
func TestForged(t *testing.T) {
	w := start(t, nil)
	key, id := w.Key()
	good := w.Token(job(nil))
	parts := strings.Split(good, ".")
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ownJWK := jose.JSONWebKey{Key: own.Public(), KeyID: id}
	sign := oidctest.Sign
	for name, text := range map[string]string{
		"none":                      unsigned(map[string]any{"alg": "none", "kid": id}, w.whole(nil), ""),
		"None":                      unsigned(map[string]any{"alg": "None", "kid": id}, w.whole(nil), parts[2]),
		"none, with the signature":  unsigned(map[string]any{"alg": "none"}, w.whole(nil), parts[2]),
		"no algorithm":              unsigned(map[string]any{"kid": id}, w.whole(nil), parts[2]),
		"HS256, public key in PEM":  sign(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), map[string]any{"kid": id}, w.whole(nil)),
		"HS256, public key in DER":  sign(jose.HS256, public, map[string]any{"kid": id}, w.whole(nil)),
		"HS256, the keys as secret": sign(jose.HS256, w.JWKS(), map[string]any{"kid": id}, w.whole(nil)),
		"another key":               sign(jose.ES256, own, map[string]any{"kid": id}, w.whole(nil)),
		"another key in jwk":        sign(jose.ES256, own, map[string]any{"kid": id, "jwk": ownJWK}, w.whole(nil)),
		"another key in jku":        sign(jose.ES256, own, map[string]any{"kid": id, "jku": w.URL + "/keys"}, w.whole(nil)),
		"a path as kid":             sign(jose.ES256, own, map[string]any{"kid": "../../../../dev/null"}, w.whole(nil)),
		"SQL as kid":                sign(jose.ES256, own, map[string]any{"kid": "x' UNION SELECT 'key'; --"}, w.whole(nil)),
		"a URL as kid":              sign(jose.ES256, own, map[string]any{"kid": w.URL + "/keys"}, w.whole(nil)),
		"a kid that is no text":     unsigned(map[string]any{"alg": "ES256", "kid": []string{id}}, w.whole(nil), parts[2]),
		"an unknown crit":           sign(jose.ES256, key, map[string]any{"kid": id, "crit": []string{"x"}, "x": 1}, w.whole(nil)),
		"something else, by typ":    sign(jose.ES256, key, map[string]any{"kid": id, "typ": "logout+jwt"}, w.whole(nil)),
		"changed claims":            parts[0] + "." + strings.Split(unsigned("", w.whole(map[string]any{"repository": "acme/rockets"}), ""), ".")[1] + "." + parts[2],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"half a signature":          good[:len(good)-40],
		"a signature of zeros":      parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"five parts":                good + ".a.b",
		"JSON serialization":        `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"spare bits":                good[:len(good)-1] + string(good[len(good)-1]+1), // the last character has four
		"line breaks":               strings.Replace(good, ".", "\n.", 1),
		"huge":                      good + strings.Repeat("A", 1<<20),
		"a huge claim":              w.Token(job(map[string]any{"x": strings.Repeat("a", oidc.MaxText)})),
		"deeply nested":             unsigned(map[string]any{"alg": "ES256"}, json.RawMessage(strings.Repeat("[", 3000)+strings.Repeat("]", 3000)), parts[2]),
		"claims that are a list":    sign(jose.ES256, key, map[string]any{"kid": id}, []string{"iss"}),
		"another issuer":            w.Token(job(map[string]any{"iss": "https://evil.example"})),
		"the issuer with a slash":   w.Token(job(map[string]any{"iss": w.URL + "/"})),
		"no issuer":                 w.Token(job(map[string]any{"iss": nil})),
		"two issuers":               w.Token(job(map[string]any{"iss": []string{w.URL}})),
		"another audience":          w.Token(job(map[string]any{"aud": "sts.amazonaws.com"})),
		"no audience":               w.Token(job(map[string]any{"aud": nil})),
		"an empty list of them":     w.Token(job(map[string]any{"aud": []string{}})),
		"an audience besides":       w.Token(job(map[string]any{"aud": []string{oidctest.Audience, "sts.amazonaws.com"}})),
		"a thousand audiences":      w.Token(job(map[string]any{"aud": strings.Split(strings.Repeat("x ", 999)+oidctest.Audience, " ")})),
		"an audience in capitals":   w.Token(job(map[string]any{"aud": nil, "auD": oidctest.Audience})),
		"a subject in capitals":     w.Token(job(map[string]any{"sub": nil, "suB": "repo:acme/widgets:ref:refs/heads/main"})),
		"no subject":                w.Token(job(map[string]any{"sub": nil})),
		"a subject with a line":     w.Token(job(map[string]any{"sub": "a\nlevel=ERROR"})),
		"a subject that reverses":   w.Token(job(map[string]any{"sub": "a\u202eb"})),
		"a long subject":            w.Token(job(map[string]any{"sub": strings.Repeat("a", 256)})),
		"no end":                    w.Token(job(map[string]any{"exp": nil})),
		"an end in words":           w.Token(job(map[string]any{"exp": "never"})),
		"an end beyond numbers":     w.Token(job(map[string]any{"exp": 1e300})),
		"an end before 1970":        w.Token(job(map[string]any{"exp": -1})),
	} {
		if _, err := w.hold(text); kindOf(err) != "forged" {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "evil") || strings.Contains(err.Error(), "amazonaws") {
			t.Errorf("%s: the error quotes the token: %v", name, err)
		}
	}
	if _, err := w.hold(good); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for i := range parts[2] { // no bit of the signature is spare
		changed := []byte(parts[2])
		if changed[i] = 'A'; parts[2][i] == 'A' {
			changed[i] = 'B'
		}
		if _, err := w.hold(parts[0] + "." + parts[1] + "." + string(changed)); kindOf(err) != "forged" {
			t.Errorf("changed at %d: %v", i, err)
		}
	}
}

// TestTimes: a token is good from nbf and iat to exp, give or take the leeway.
func TestTimes(t *testing.T) {
	w := start(t, nil) // half a minute
	in := func(d time.Duration) any { return time.Now().Add(d).Unix() }
	for _, test := range []struct {
		more map[string]any
		want string
	}{
		{map[string]any{"exp": in(-10 * time.Second)}, "good"},
		{map[string]any{"exp": in(-time.Minute)}, "spent"},
		{map[string]any{"nbf": in(10 * time.Second)}, "good"},
		{map[string]any{"nbf": in(time.Minute)}, "spent"},
		{map[string]any{"iat": in(10 * time.Second)}, "good"},
		{map[string]any{"iat": in(time.Minute)}, "spent"},
		{map[string]any{"iat": "yesterday"}, "forged"},
		{map[string]any{"nbf": -5}, "spent"},
		{map[string]any{"nbf": nil, "iat": nil}, "good"},
	} {
		if _, err := w.hold(w.Token(job(test.more))); kindOf(err) != test.want {
			t.Errorf("%v: %v, want %s", test.more, err, test.want)
		}
	}
	// What is remembered ends as well.
	token := w.Token(job(nil))
	held, err := w.hold(token)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]string{-time.Second: "good", 0: "spent", time.Hour: "spent"} {
		if _, err := w.Hold(context.Background(), oidc.Sent{Text: token}, held.Expires.Add(at)); kindOf(err) != want {
			t.Errorf("%v after its end: %v, want %s", at, err, want)
		}
	}
}

// TestBadKeys: what no issuer should sign with verifies nothing.
func TestBadKeys(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip(err) // crypto/rsa may refuse
	}
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(strings.Repeat("s", 64))
	for name, test := range map[string]struct {
		jwk       jose.JSONWebKey
		algorithm jose.SignatureAlgorithm
		with      any
	}{
		"oct":          {jose.JSONWebKey{Key: secret, KeyID: "k"}, jose.HS256, secret},
		"oct, ES256":   {jose.JSONWebKey{Key: secret, KeyID: "k", Algorithm: "ES256"}, jose.HS256, secret},
		"short":        {jose.JSONWebKey{Key: short.Public(), KeyID: "k"}, jose.RS256, short},
		"private":      {jose.JSONWebKey{Key: key, KeyID: "k"}, jose.ES384, key},
		"to encrypt":   {jose.JSONWebKey{Key: key.Public(), KeyID: "k", Use: "enc"}, jose.ES384, key},
		"of SPIFFE":    {jose.JSONWebKey{Key: key.Public(), KeyID: "k", Use: "jwt-svid"}, jose.ES384, key},
		"of another":   {jose.JSONWebKey{Key: key.Public(), KeyID: "k", Algorithm: "ES256"}, jose.ES384, key},
		"without name": {jose.JSONWebKey{Key: key.Public()}, jose.ES384, key},
	} {
		w := start(t, func(w *world) { w.issuer.Algorithms = []string{"RS256", "ES256", "ES384"} })
		answer, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{test.jwk}})
		if err != nil {
			t.Fatal(err)
		}
		w.answer("/keys", string(answer))
		if _, err := w.hold(oidctest.Sign(test.algorithm, test.with, map[string]any{"kid": "k"}, w.whole(nil))); kindOf(err) == "good" {
			t.Errorf("%s is good", name)
		}
	}
}

// answer has the issuer answer so at a path.
func (w *world) answer(path, text string) {
	var instead http.HandlerFunc = func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			fmt.Fprint(rw, text)
			return
		}
		fmt.Fprintf(rw, `{"issuer":%q,"jwks_uri":%q}`, w.URL, w.URL+"/keys")
	}
	w.Instead.Store(&instead)
}

// TestLyingIssuer: an issuer that hangs, lies or floods makes its own tokens useless,
// within bounds.
func TestLyingIssuer(t *testing.T) {
	elsewhere := oidctest.New()
	defer elsewhere.Close()
	const config = "/.well-known/openid-configuration"
	for name, answer := range map[string]http.HandlerFunc{
		"redirect": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		},
		"error":   func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) },
		"nothing": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no JSON": func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "<html>") },
		"null":    func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "null") },
		"another issuer": func(rw http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(rw, `{"issuer":"https://evil.example","jwks_uri":%q}`, elsewhere.URL+"/keys")
		},
		"keys over http": func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(rw, `{"issuer":"https://%s","jwks_uri":"http://%[1]s/keys"}`, r.Host)
		},
		"keys in a file": func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(rw, `{"issuer":"https://%s","jwks_uri":"file:///etc/passwd"}`, r.Host)
		},
		"keys by credentials": func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(rw, `{"issuer":"https://%s","jwks_uri":"https://u:p@%[1]s/keys"}`, r.Host)
		},
		"huge": func(rw http.ResponseWriter, _ *http.Request) {
			for range 1 << 10 {
				rw.Write(make([]byte, 1<<10))
			}
		},
		"many keys": func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == config {
				fmt.Fprintf(rw, `{"issuer":"https://%s","jwks_uri":"https://%[1]s/keys"}`, r.Host)
				return
			}
			fmt.Fprint(rw, `{"keys":[{}`+strings.Repeat(",{}", 1000)+`]}`)
		},
		"no keys": func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(rw, `{"issuer":"https://%s","jwks_uri":"https://%[1]s/keys","keys":[]}`, r.Host)
		},
	} {
		w := start(t, nil)
		token := w.Token(job(nil))
		w.Instead.Store(&answer)
		if _, err := w.hold(token); kindOf(err) != "unusable" {
			t.Errorf("%s: %v", name, err)
		}
		if elsewhere.Asked.Load() > 0 {
			t.Errorf("%s: somebody else was asked", name)
		}
	}
}

// TestHangingIssuer: who has sent a token waits for its issuer, and not for longer than
// it likes; whose token is verified already, and who comes later, does not.
func TestHangingIssuer(t *testing.T) {
	w := start(t, nil)
	known := w.Token(job(nil))
	if _, err := w.hold(known); err != nil {
		t.Fatal(err)
	}
	hangs := make(chan struct{})
	defer close(hangs)
	var hang http.HandlerFunc = func(http.ResponseWriter, *http.Request) { <-hangs }
	w.Instead.Store(&hang)
	oidc.Later(w.issuers, time.Minute)
	w.Rotate()
	unknown := w.Token(job(nil))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.Hold(ctx, oidc.Sent{Text: unknown}, time.Now()); kindOf(err) != "unusable" {
		t.Errorf("while it hangs: %v", err)
	}
	if _, err := w.Hold(ctx, oidc.Sent{Text: unknown, Known: true}, time.Now()); kindOf(err) != "forged" {
		t.Errorf("where nobody shall be asked: %v", err)
	}
	if _, err := w.hold(known); err != nil {
		t.Errorf("one that is known: %v", err)
	}
}

// TestRotation: a new key is fetched for the first token that has it, and one that is
// gone ends its tokens; somebody who makes names up has the issuer asked now and then.
func TestRotation(t *testing.T) {
	w := start(t, nil)
	before := w.Token(job(nil))
	held, err := w.hold(before)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := w.Key()
	for i := range 50 {
		if _, err := w.hold(oidctest.Sign(jose.ES256, key, map[string]any{"kid": fmt.Sprint(i)}, w.whole(nil))); kindOf(err) != "forged" {
			t.Errorf("an unknown kid: %v", err)
		}
	}
	if n := w.Asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times within ten seconds", n)
	}
	oidc.Later(w.issuers, 11*time.Second)
	w.Rotate()
	if _, err := w.hold(w.Token(job(nil))); err != nil {
		t.Errorf("with a new key: %v", err)
	}
	if n := w.Asked.Load(); n != 2 {
		t.Errorf("the issuer was asked %d times, want 2", n)
	}
	if err := w.Good(held, time.Now()); kindOf(err) != "spent" {
		t.Errorf("whose key is gone: %v", err)
	}
	if _, err := w.hold(before); kindOf(err) == "good" {
		t.Error("whose key is gone is good")
	}
	// Where keys cannot be had any more they end.
	now := w.Token(job(nil))
	if held, err = w.hold(now); err != nil {
		t.Fatal(err)
	}
	var fails http.HandlerFunc = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) }
	w.Instead.Store(&fails)
	for after, want := range map[time.Duration]string{time.Hour: "good", 7 * time.Hour: "spent"} {
		oidc.Later(w.issuers, after)
		if err := w.Good(held, time.Now()); kindOf(err) != want {
			t.Errorf("keys of %v ago: %v, want %s", after, err, want)
		}
		oidc.Later(w.issuers, -after)
	}
}

// TestReload: what was fetched is good for the same issuer, and for no other.
func TestReload(t *testing.T) {
	w := start(t, nil)
	token := w.Token(job(nil))
	if _, err := w.hold(token); err != nil {
		t.Fatal(err)
	}
	w.again(t)
	if _, err := w.Hold(t.Context(), oidc.Sent{Text: token, Known: true}, time.Now()); err != nil {
		t.Errorf("the same issuer: %v", err)
	}
	another := *w.issuer
	another.JWKSURL = w.URL + "/keys"
	w.issuer = &another
	w.again(t)
	if _, err := w.Hold(t.Context(), oidc.Sent{Text: token, Known: true}, time.Now()); kindOf(err) != "unusable" {
		t.Errorf("another place of its keys: %v", err)
	}
}

// TestFiles: keys of a file, and a trust domain of SPIFFE.
func TestFiles(t *testing.T) {
	w := start(t, func(w *world) { w.issuer.JWKS = w.JWKS() })
	if _, err := w.hold(w.Token(job(nil))); err != nil || w.Asked.Load() != 0 {
		t.Errorf("keys of a file: %v, asked %d times", err, w.Asked.Load())
	}
	w.Rotate()
	if _, err := w.hold(w.Token(job(nil))); kindOf(err) != "forged" {
		t.Errorf("a key that the file does not have: %v", err)
	}
	w = start(t, func(w *world) {
		w.issuer.URL, w.issuer.TrustDomain, w.issuer.JWKS = "", "example.org", w.Bundle()
		w.rules[0].Limits, w.rules[0].Claims = oidc.Limits{}, claims(t, "sub=spiffe://example.org/ns/ci/sa/*")
	})
	for sub, want := range map[string]string{
		"spiffe://example.org/ns/ci/sa/runner": "good", "spiffe://example.org/ns/ci/sa/x/y": "forged", "spiffe://evil.example/ns/ci/sa/runner": "forged",
		"spiffe://example.org.evil/ns/ci/sa/runner": "forged", "spiffe://example.org": "forged",
	} {
		for _, iss := range []any{nil, "https://spire.example"} {
			if _, err := w.hold(w.Token(map[string]any{"iss": iss, "sub": sub})); kindOf(err) != want {
				t.Errorf("%s with issuer %v: %v, want %s", sub, iss, err, want)
			}
		}
	}
}
