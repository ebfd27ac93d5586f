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
func sealing(t *testing.T, name, host string, signers ...auth.Signer) *auth.Source {
	app := newApp(name, 1)
	app.Host, app.Signers = host, signers
	return newSource(t, &api{}, auth.FallbackRefuse, app)
}

// TestSeal: who opens what was sealed.
func TestSeal(t *testing.T) {
	mine, other := auth.NewKey(testKey()), auth.NewKey(otherKey())
	text := []byte("installation 111")
	const host = "github.com"
	sealed, err := sealing(t, "a", host, mine, other).Seal(t.Context(), host, "a", text, "agent")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, text) {
		t.Error("what is sealed can be read")
	}
	for _, test := range []struct {
		name   string
		source *auth.Source
		host   string
		about  string
		want   bool
	}{
		{"the same key", sealing(t, "a", host, mine), host, "agent", true},
		{"the same key, as an older one", sealing(t, "a", host, other, mine), host, "agent", true},
		{"the same key behind a command", sealing(t, "a", host, &remote{Key: mine}), host, "agent", true},
		{"another key", sealing(t, "a", host, other), host, "agent", false},
		{"no key", sealing(t, "a", host), host, "agent", false},
		{"another App", sealing(t, "b", host, mine), host, "agent", false},
		{"another host", sealing(t, "a", "ghe.example.com", mine), "ghe.example.com", "agent", false},
		{"about somebody else", sealing(t, "a", host, mine), host, "agent2", false},
	} {
		for range 2 {
			app, got, ok := test.source.Open(t.Context(), test.host, sealed, test.about)
			if ok != test.want || ok && (app != "a" || !bytes.Equal(got, text)) {
				t.Errorf("%s: Open = %q, %q, %v, want %v", test.name, app, got, ok, test.want)
			}
		}
	}

	s := sealing(t, "a", host, mine)
	for i := range sealed { // each octet counts
		changed := slices.Clone(sealed)
		changed[i] ^= 1
		if _, _, ok := s.Open(t.Context(), host, changed, "agent"); ok {
			t.Errorf("it opens with octet %d changed", i)
		}
		if _, _, ok := s.Open(t.Context(), host, sealed[:i], "agent"); ok {
			t.Errorf("%d octets of it open", i)
		}
	}
	again, err := s.Seal(t.Context(), host, "a", text, "agent")
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
