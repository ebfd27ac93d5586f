package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fresh is how long keys are used before they are fetched again, while they are used.
	fresh = 15 * time.Minute
	// stale is how long they are used where that fails: a key that was withdrawn must end.
	stale = 6 * time.Hour
	// again is how long nobody asks after somebody has asked.
	again = 10 * time.Second
	// patience is how long an issuer may take.
	patience = 10 * time.Second
	// maxDocument bounds what an issuer answers, in bytes, and maxKeys its keys.
	maxDocument = 256 << 10
	maxKeys     = 100
)

// keys are the public keys of an issuer. They are fetched while somebody waits, or in
// the background, by one goroutine at a time.
type keys struct {
	of     *Issuer
	client *http.Client // nil where a file has the keys
	now    func() time.Time

	mu    sync.Mutex
	have  []key         // nil before the first were had
	at    time.Time     // when that was
	tried time.Time     // when somebody asked last
	err   error         // why that failed, nil if it did not
	done  chan struct{} // closed when who asks now has asked; nil if nobody asks
}

// key is one of them.
type key struct {
	jose.JSONWebKey
	print string // what it is known by, whatever it is called
}

func newKeys(i *Issuer, transport func(*Issuer) (http.RoundTripper, error)) (*keys, error) {
	k := &keys{of: i, now: time.Now}
	if i.JWKS != nil {
		var err error
		k.have, err = parseKeys(i.JWKS, i)
		return k, err
	}
	way, err := transport(i)
	if err != nil {
		return nil, err
	}
	k.client = &http.Client{Transport: way, Timeout: patience, CheckRedirect: noRedirect}
	return k, nil
}

// noRedirect leaves it at the answer: whom the configuration names is asked, and nobody
// else.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// takeOver has what others have fetched for the same issuer.
func (k *keys) takeOver(before *Issuers) {
	i := slices.IndexFunc(before.all, func(old *issuer) bool { return old.sameKeys(k.of) })
	if i < 0 || k.client == nil {
		return
	}
	old := before.all[i].keys
	old.mu.Lock()
	defer old.mu.Unlock()
	k.have, k.at, k.tried, k.err = old.have, old.at, old.tried, old.err
}

// CheckKeys reports why a file of keys has none that an issuer could sign with.
func CheckKeys(text []byte, i *Issuer) error {
	_, err := parseKeys(text, i)
	return err
}

// parseKeys reads a JWK Set (RFC 7517, section 5), but for keys that are of no use.
func parseKeys(text []byte, i *Issuer) (list []key, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("not a JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, errors.New("more than 100 keys")
	}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil || !usable(&k, i) {
			continue // "implementations SHOULD ignore JWKs … that use kty values … not understood"
		}
		print, err := json.Marshal(k.Public().Key)
		if err != nil {
			continue
		}
		list = append(list, key{k, k.KeyID + " " + string(print)})
	}
	if list == nil {
		return nil, errors.New("no public key that tokens could be signed with")
	}
	return list, nil
}

// usable reports whether a key is a public one, for signatures. Those of SPIFFE say
// that they are for JWT-SVIDs; the others of a bundle are for X.509.
func usable(k *jose.JSONWebKey, i *Issuer) bool {
	if k.Use != "" && k.Use != "sig" && (i.TrustDomain == "" || k.Use != "jwt-svid") {
		return false
	}
	return k.Valid() && slices.ContainsFunc(i.allowed(), func(a jose.SignatureAlgorithm) bool { return signs(k, string(a)) })
}

// signs reports whether a signature by an algorithm can be one of the key.
func signs(k *jose.JSONWebKey, algorithm string) bool {
	if k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch public := k.Key.(type) { // no other type: a secret, or a private key, is nobody's
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")) && bits >= 2048 && bits <= 8192
	case *ecdsa.PublicKey:
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[algorithm]
		return curve != nil && public.Curve == curve
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

var errUnknownKey = fault(Forged, "the token is signed with a key that its issuer does not have")

// find returns the keys by which a token can be signed that says so. ask lets the issuer
// be asked, which the caller waits for.
func (k *keys) find(ctx context.Context, id, algorithm string, ask bool) ([]key, error) {
	found, done, err := k.look(id, algorithm, ask)
	if done == nil {
		return found, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, k.unavailable(ctx.Err())
	}
	found, _, err = k.look(id, algorithm, false)
	return found, err
}

// look is find without waiting: where that could help, done is not nil.
func (k *keys) look(id, algorithm string, ask bool) (found []key, done <-chan struct{}, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.known()
	for _, key := range known {
		if signs(&key.JSONWebKey, algorithm) && (key.KeyID == id || id == "" && len(known) == 1) {
			found = append(found, key)
		}
	}
	switch {
	case k.client == nil && found == nil:
		return nil, nil, errUnknownKey
	case k.client == nil:
		return found, nil, nil
	case found != nil:
		if ask && k.now().Sub(k.at) >= fresh {
			k.ask()
		}
		return found, nil, nil
	case ask && k.ask():
		return nil, k.done, nil
	case known == nil:
		return nil, nil, k.unavailable(k.err)
	}
	return nil, nil, errUnknownKey
}

// known are the keys that may be used still.
func (k *keys) known() []key {
	if k.client != nil && k.now().Sub(k.at) >= stale {
		return nil
	}
	return k.have
}

// trusts reports whether a key is still one of the issuer's.
func (k *keys) trusts(print string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client != nil && k.now().Sub(k.at) >= fresh {
		k.ask() // in the background
	}
	return slices.ContainsFunc(k.known(), func(key key) bool { return key.print == print })
}

func (k *keys) unavailable(err error) error {
	e := &Error{Kind: Unusable, Reason: "nobody can tell whether a token is good: the keys of its issuer " + k.of.Name + " cannot be had"}
	if err != nil {
		e.Inside = e.Reason + ": " + err.Error()
	}
	return e
}

// ask has a goroutine ask the issuer, and reports whether one does; k.mu is held.
func (k *keys) ask() bool {
	now := k.now()
	switch {
	case k.done != nil:
		return true
	case now.Sub(k.tried) < again:
		return false
	}
	k.tried, k.done = now, make(chan struct{})
	go k.fetch(k.done)
	return true
}
