package auth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

var otherKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// remote is a Signer that shows no key, as a command or a service.
type remote struct {
	*auth.Key
	signed atomic.Int64
	fails  atomic.Bool
}

func (r *remote) Sign(ctx context.Context, input []byte) ([]byte, error) {
	r.signed.Add(1)
	if r.fails.Load() {
		return nil, errors.New("out of order")
	}
	return r.Key.Sign(ctx, input)
}

// sealing is a Source of one App with these Signers.
func sealing(t *testing.T, name string, instance github.Instance, signers ...auth.Signer) *auth.Source {
	app := newApp(name, 1)
	app.Instance, app.Signers = instance, signers
	return newSource(t, &api{}, auth.FallbackRefuse, app)
}

// TestSeal: who opens what was sealed.
func TestSeal(t *testing.T) {
	mine, other := auth.NewKey(testKey()), auth.NewKey(otherKey())
	text := []byte("installation 111")
	const instance = github.GitHubCom
	sealed, err := sealing(t, "a", instance, mine, other).Seal(t.Context(), instance, "a", text, "agent")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, text) {
		t.Error("what is sealed can be read")
	}
	for _, test := range []struct {
		name     string
		source   *auth.Source
		instance github.Instance
		about    string
		want     bool
	}{
		{"the same key", sealing(t, "a", instance, mine), instance, "agent", true},
		{"the same key, as an older one", sealing(t, "a", instance, other, mine), instance, "agent", true},
		{"the same key behind a command", sealing(t, "a", instance, &remote{Key: mine}), instance, "agent", true},
		{"another key", sealing(t, "a", instance, other), instance, "agent", false},
		{"no key", sealing(t, "a", instance), instance, "agent", false},
		{"another App", sealing(t, "b", instance, mine), instance, "agent", false},
		{"another host", sealing(t, "a", "ghe.example.com", mine), "ghe.example.com", "agent", false},
		{"about somebody else", sealing(t, "a", instance, mine), instance, "agent2", false},
	} {
		for range 2 {
			app, got, ok := test.source.Open(t.Context(), test.instance, sealed, test.about)
			if ok != test.want || ok && (app != "a" || !bytes.Equal(got, text)) {
				t.Errorf("%s: Open = %q, %q, %v, want %v", test.name, app, got, ok, test.want)
			}
		}
	}

	s := sealing(t, "a", instance, mine)
	for i := range sealed { // each octet counts
		changed := slices.Clone(sealed)
		changed[i] ^= 1
		if _, _, ok := s.Open(t.Context(), instance, changed, "agent"); ok {
			t.Errorf("it opens with octet %d changed", i)
		}
		if _, _, ok := s.Open(t.Context(), instance, sealed[:i], "agent"); ok {
			t.Errorf("%d octets of it open", i)
		}
	}
	again, err := s.Seal(t.Context(), instance, "a", text, "agent")
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed again: %v, the same: %v, want another", err, bytes.Equal(again, sealed))
	}
}

// TestSealNewest: the newest key seals, unless it cannot sign.
func TestSealNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newest, old := &remote{Key: auth.NewKey(testKey())}, auth.NewKey(otherKey())
		onlyNewest, onlyOld := sealing(t, "a", "github.com", newest.Key), sealing(t, "a", "github.com", old)
		s := sealing(t, "a", "github.com", newest, old)
		opens := func(by *auth.Source) bool {
			t.Helper()
			sealed, err := s.Seal(t.Context(), "github.com", "a", nil, "")
			if err != nil {
				t.Fatal(err)
			}
			_, _, ok := by.Open(t.Context(), "github.com", sealed, "")
			return ok
		}
		newest.fails.Store(true)
		for range 10 {
			if !opens(onlyOld) {
				t.Error("the newest fails: what was sealed does not open with the old one")
			}
		}
		newest.fails.Store(false)
		time.Sleep(11 * time.Second)
		for range 10 {
			if !opens(onlyNewest) {
				t.Error("what was sealed does not open with the newest")
			}
		}
		if n := newest.signed.Load(); n != 2 {
			t.Errorf("the newest was asked %d times, want twice", n)
		}
		if _, err := sealing(t, "a", "github.com").Seal(t.Context(), "github.com", "a", nil, ""); err == nil {
			t.Error("it seals without a key")
		}
	})
}
