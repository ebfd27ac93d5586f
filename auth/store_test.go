package auth_test

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// encoded is a Store that keeps nothing but octets, as one outside the process does.
type encoded struct {
	mu     sync.Mutex
	tokens map[string][]byte
	ends   map[string]time.Time
	locks  map[string]chan struct{}
	down   error // what Lock comes to
}

func newEncoded() *encoded {
	return &encoded{tokens: map[string][]byte{}, ends: map[string]time.Time{}, locks: map[string]chan struct{}{}}
}

func (e *encoded) Get(_ context.Context, key string) *auth.Token {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, ok := e.tokens[key]
	if !ok || time.Now().After(e.ends[key]) {
		return nil
	}
	t := new(auth.Token)
	if err := t.UnmarshalBinary(text); err != nil {
		panic(err)
	}
	return t
}

func (e *encoded) Put(_ context.Context, key string, t *auth.Token, ttl time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, err := t.MarshalBinary()
	if err != nil {
		panic(err)
	}
	e.tokens[key], e.ends[key] = text, time.Now().Add(ttl)
}

func (e *encoded) Delete(ctx context.Context, key string, generation uint64) bool {
	if t := e.Get(ctx, key); t == nil || t.Generation != generation {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.tokens, key)
	return true
}

func (e *encoded) Lock(ctx context.Context, key string) (func(), error) {
	e.mu.Lock()
	if e.locks[key] == nil {
		e.locks[key] = make(chan struct{}, 1)
	}
	lock, down := e.locks[key], e.down
	e.mu.Unlock()
	if down != nil {
		return nil, down
	}
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// sharing are two Sources with one Store, as two processes have.
func sharing(t *testing.T, fake http.RoundTripper, store auth.Store) (both [2]*auth.Source) {
	for i := range both {
		app := newApp("ci-bot", 12345)
		app.Installations = map[string]github.InstallationID{"acme": 111}
		both[i] = auth.New([]*auth.App{app}, auth.Options{Transport: fake, Fallback: auth.FallbackRefuse, Store: store})
		t.Cleanup(both[i].Close)
	}
	return both
}

// TestSharedStore: who shares a Store mints once, and knows what another replaced.
func TestSharedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{before: func(*http.Request) { time.Sleep(time.Second) }}
		both := sharing(t, fake, newEncoded())
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if got := mustToken(t, both[i%2], "acme"); got != "ghs_1" {
					t.Errorf("token = %q, want ghs_1", got)
				}
			})
		}
		wg.Wait()
		want := auth.Want{Owner: owner("acme")}
		var creds [2]auth.Credential
		for i, s := range both {
			var err error
			if creds[i], err = s.Token(t.Context(), "github.com", want); err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range both { // GitHub refuses it to both of them
			fresh, err := s.Replace(t.Context(), creds[i], want)
			if err != nil || fresh.Bearer()[0] != "Bearer ghs_2" {
				t.Errorf("Replace = %v, %v, want ghs_2", fresh.Bearer(), err)
			}
		}
		if n := fake.minted(); n != 2 {
			t.Errorf("%d mints, want 2", n)
		}
		time.Sleep(50 * time.Minute) // one renews it, and the other takes that
		for range 3 {
			for _, s := range both {
				mustToken(t, s, "acme")
				time.Sleep(10 * time.Second)
			}
		}
		if n := fake.minted(); n != 3 {
			t.Errorf("%d mints after a renewal, want 3", n)
		}
	})
}

// TestStoreIsDown: where nobody knows whether another one mints, nothing is minted.
func TestStoreIsDown(t *testing.T) {
	fake := &api{}
	store := newEncoded()
	store.down = errors.New("the store is down")
	_, err := sharing(t, fake, store)[0].ForOwner(t.Context(), "github.com", owner("acme"), true)
	if !errors.Is(err, store.down) || fake.minted() != 0 {
		t.Errorf("ForOwner: %v with %d mints, want the Store's error and none", err, fake.minted())
	}
}

// TestRevokeEmptiesTheStore: what GitHub has forgotten is handed out to nobody.
func TestRevokeEmptiesTheStore(t *testing.T) {
	fake := &api{}
	fake.set(revoke, reply{status: 204})
	both := sharing(t, fake, newEncoded())
	mustToken(t, both[0], "acme")
	if err := both[1].Revoke(t.Context()); err != nil { // it has minted none
		t.Errorf("Revoke: %v", err)
	}
	if got := mustToken(t, both[1], "acme"); got != "ghs_1" {
		t.Errorf("token = %q, want the other's", got)
	}
	if err := both[0].Revoke(t.Context()); err != nil {
		t.Errorf("Revoke: %v", err)
	}
	if got := mustToken(t, both[1], "acme"); got != "ghs_2" {
		t.Errorf("token = %q after it was revoked, want another", got)
	}
}

// TestTokenEncoding: a token comes back whole, in what is meant for a Store alone.
func TestTokenEncoding(t *testing.T) {
	store := newEncoded()
	s := sharing(t, &api{}, store)[0]
	first, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
	if err != nil || second.Bearer()[0] != first.Bearer()[0] || second.Basic()[0] != first.Basic()[0] || second.Fingerprint() != first.Fingerprint() ||
		second.Grant().Permissions["contents"] != "read" || !second.Marks().Covers(first.Marks()) || !first.Marks().Covers(second.Marks()) {
		t.Errorf("decoded, the token is %v with %v, %v", second.Bearer(), second.Grant(), err)
	}
	for key, text := range store.tokens {
		var token auth.Token
		if err := token.UnmarshalBinary(text); err != nil {
			t.Fatal(err)
		}
		asJSON, _ := json.Marshal(&token)
		asText, _ := encoding.TextMarshaler(&token).MarshalText()
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", &token)
		for _, got := range []string{key, string(asJSON), string(asText), log.String(), fmt.Sprintf("%v %+v %#v %s %d %x", &token, &token, &token, &token, &token, &token)} {
			if strings.Contains(got, "ghs_1") {
				t.Errorf("%q has the token in it", got)
			}
		}
	}
	for _, bad := range []string{"", "x", "{}", `{"Text":"ghs_1\r\nX: y"}`, `{"Text":"` + strings.Repeat("x", 9<<10) + `"}`} {
		if err := new(auth.Token).UnmarshalBinary([]byte(bad)); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("UnmarshalBinary(%.40q) = %v, want an error that does not quote it", bad, err)
		}
	}
}
