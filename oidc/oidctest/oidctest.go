// Package oidctest is an issuer of tokens that tests talk to, over TLS: of GitHub
// Actions, GitLab, Kubernetes or SPIFFE, by the claims that it is given.
//
//	issuer := oidctest.New()
//	defer issuer.Close()
//	token := issuer.Token(map[string]any{"sub": "repo:acme/widgets:ref:refs/heads/main", …})
//
// Its handler can be replaced by one that misbehaves on purpose.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Audience is whom tokens are for if their claims do not say.
const Audience = "ghapp-proxy"

// ActionsToken is what the runner has for jobs that ask for a token.
const ActionsToken = "actions-request-token-CANARY"

// Issuer is a stand-in.
type Issuer struct {
	URL    string
	server *httptest.Server

	Asked atomic.Int64 // requests for its keys
	// Instead, if it is set, answers requests in place of the issuer.
	Instead atomic.Pointer[http.HandlerFunc]
	// Job are the claims of the tokens that it gives to the job that asks for one, as
	// GitHub Actions does.
	Job map[string]any

	mu     sync.Mutex
	number int
	key    crypto.Signer
}

// New starts an issuer with a key. Call its Close.
func New() *Issuer {
	i := &Issuer{}
	i.Rotate()
	i.server = httptest.NewTLSServer(i)
	i.URL = i.server.URL
	return i
}

// Close ends it.
func (i *Issuer) Close() {
	i.server.CloseClientConnections()
	i.server.Close()
}

// RootsPEM is what verifies its certificate.
func (i *Issuer) RootsPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw})
}

// Transport trusts it.
func (i *Issuer) Transport() http.RoundTripper { return i.server.Client().Transport }

// Rotate makes another key, and forgets the one before.
func (i *Issuer) Rotate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.number++
	i.key = key
}

// Key is the one in use, and what it is called.
func (i *Issuer) Key() (key crypto.Signer, id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.key, fmt.Sprintf("key-%d", i.number)
}

// JWKS are its public keys.
func (i *Issuer) JWKS() []byte { return i.jwks("sig") }

// Bundle are its public keys as the bundle of a trust domain of SPIFFE.
func (i *Issuer) Bundle() []byte { return i.jwks("jwt-svid") }

func (i *Issuer) jwks(use string) []byte {
	key, id := i.Key()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: id, Use: use}}})
	if err != nil {
		panic(err)
	}
	return text
}

// ServeHTTP implements http.Handler: discovery, keys, and a token for a job.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if instead := i.Instead.Load(); instead != nil {
		(*instead)(w, r)
		return
	}
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
	case "/keys":
		i.Asked.Add(1)
		answer = json.RawMessage(i.JWKS())
	case "/actions/token": // docs.github.com, "OpenID Connect reference", requesting the token
		if r.Header.Get("Authorization") != "Bearer "+ActionsToken || r.URL.Query().Get("api-version") == "" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		claims := maps.Clone(i.Job)
		if aud := r.URL.Query().Get("audience"); aud != "" {
			claims["aud"] = aud
		}
		answer = map[string]any{"value": i.Token(claims)}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// Token is one with the claims, and those that each token has: what is nil is left out.
func (i *Issuer) Token(claims map[string]any) string {
	now := time.Now()
	all := map[string]any{"iss": i.URL, "aud": Audience, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	key, id := i.Key()
	return Sign(jose.ES256, key, map[string]any{"kid": id, "typ": "JWT"}, all)
}

// Sign signs claims with whatever header.
func Sign(algorithm jose.SignatureAlgorithm, key any, header map[string]any, claims any) string {
	opts := &jose.SignerOptions{}
	for name, value := range header {
		opts = opts.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, opts)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		panic(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(compact)
}
