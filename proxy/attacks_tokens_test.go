package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/grant"
	"ghapp-proxy/oidc/oidctest"
	"ghapp-proxy/policy"

	"github.com/go-jose/go-jose/v4"
)

// TestAttackTokens: who makes tokens up, or has one for something else, is nobody: neither
// by CONNECT, nor over http://, nor where tokens are exchanged, nor from a network that
// would be a client without it.
func TestAttackTokens(t *testing.T) {
	w, a := tokens(t, func(a *actions, _ *setup) {
		a.list = append(a.list, &policy.Client{Name: "neighbour", Networks: loopback})
	})
	key, id := a.Key()
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims := map[string]any{"iss": a.URL, "aud": oidctest.Audience, "sub": "repo:acme/widgets", "repository": "acme/widgets", "repository_owner": "acme", "ref": "refs/heads/main", "exp": now.Add(time.Hour).Unix()}
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	kid := map[string]any{"kid": id}
	for name, token := range map[string]string{
		"alg none":             part(map[string]any{"alg": "none", "kid": id}) + "." + part(claims) + ".",
		"alg HS256":            oidctest.Sign(jose.HS256, public, kid, claims),
		"own key":              oidctest.Sign(jose.ES256, own, kid, claims),
		"own key in the head":  oidctest.Sign(jose.ES256, own, map[string]any{"kid": id, "jwk": jose.JSONWebKey{Key: own.Public()}}, claims),
		"kid of a file":        oidctest.Sign(jose.ES256, own, map[string]any{"kid": "/dev/null"}, claims),
		"huge":                 a.job("x", strings.Repeat("x", 20<<10)),
		"many audiences":       a.job("aud", []string{oidctest.Audience, "sts.amazonaws.com"}),
		"another audience":     a.job("aud", "sts.amazonaws.com"),
		"another issuer":       a.job("iss", "https://evil.example"),
		"issued tomorrow":      a.job("iat", now.Add(24*time.Hour).Unix()),
		"good tomorrow":        a.job("nbf", now.Add(24*time.Hour).Unix()),
		"expired":              a.job("exp", now.Add(-time.Hour).Unix()),
		"everybody's":          a.job("repository", "*/*"),
		"every repository":     a.job("repository", "acme/*"),
		"two repositories":     a.job("repository", []string{"acme/widgets", "acme/rockets"}),
		"up a directory":       a.job("repository", "acme/../globex/core"),
		"no repository":        a.job("repository", ""),
		"every branch":         a.job("ref", "refs/heads/**"),
		"a tag":                a.job("ref", "refs/tags/v1"),
		"a branch and a line":  a.job("ref", "refs/heads/main\nrefs/heads/other"),
		"of somebody else":     a.job("repository_owner", "evil", "repository", "evil/widgets"),
		"a subject for a log":  a.job("sub", "x\nlevel=ERROR msg=owned"),
		"a subject that moves": a.job("sub", "x\x1b[2J"),
	} {
		for _, authorization := range []string{"Bearer " + token, basicAuth("ci", token), basicAuth("", token), basicAuth("neighbour", token)} {
			if status := w.authenticate(t, authorization).StatusCode; status != 407 && status != 403 && status != 429 {
				t.Errorf("%s: %d", name, status)
			}
		}
		if resp, err := w.clientAs(t, "ci", token, false).Get("http://api.github.com/repos/acme/widgets"); err != nil || resp.StatusCode < 400 {
			t.Errorf("%s, over http: %v, %v", name, resp, err)
		} else {
			resp.Body.Close()
		}
		if got := w.swap(t, token, jwtType); got.Token != "" || got.status < 400 {
			t.Errorf("%s, exchanged: %+v", name, got)
		}
	}
	if n := len(w.github.Requests()); n > 0 {
		t.Errorf("%d requests left", n)
	}
	logs := w.log.String() + w.auditText()
	for _, secret := range []string{"eyJ", grant.Prefix, "CANARY-JTI", "msg=owned", "\x1b"} {
		if strings.Contains(logs, secret) {
			t.Errorf("%q is in a log", secret)
		}
	}
	if status := w.authenticate(t, "").StatusCode; status != 200 {
		t.Errorf("a neighbour without a token: %d", status)
	}
	if a.Asked.Load() > 2 {
		t.Errorf("the issuer was asked %d times", a.Asked.Load())
	}
}
