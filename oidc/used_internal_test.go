package oidc

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// filedUses is a Shared that keeps what is filed, and says nothing where it is away.
type filedUses struct {
	away   bool
	values map[string][]byte
	ttl    time.Duration // of the last
}

func (f *filedUses) Claim(_ context.Context, key string, besides uint64) ([]byte, func([]byte, time.Duration)) {
	switch value := f.values[key]; {
	case f.away:
		return nil, nil
	case value != nil && binary.BigEndian.Uint64(value) != besides:
		return value, nil
	}
	return nil, func(value []byte, ttl time.Duration) { f.values[key], f.ttl = bytes.Clone(value), ttl }
}

// TestUsedElsewhere: a token that one replica has taken no other takes, as long as it lives, but where nobody can tell; one of the same
// jti of another issuer is another token.
func TestUsedElsewhere(t *testing.T) {
	now, all := time.Now(), &filedUses{values: make(map[string][]byte)}
	tokenOf := func(url, domain string) *token {
		return &token{issuer: &issuer{Issuer: &Issuer{URL: url, TrustDomain: domain}}, id: "the-jti", expires: now.Add(time.Hour)}
	}
	one, two := newUsed(), newUsed()
	use := func(u *used, token *token) error { return u.use(t.Context(), token, now, all) }
	if err := use(one, tokenOf("https://a", "")); err != nil {
		t.Fatal(err)
	}
	if len(all.values) != 1 || all.ttl != time.Hour {
		t.Errorf("%d tokens are filed, for %s", len(all.values), all.ttl)
	}
	for i := range 2 {
		if err := use(two, tokenOf("https://a", "")); err != errUsed {
			t.Errorf("at another replica, %d: %v", i, err)
		}
	}
	for _, other := range []*token{tokenOf("https://b", ""), tokenOf("https://a", "b"), tokenOf("", "https://a")} {
		if err := use(two, other); err != nil {
			t.Errorf("of %+v: %v", other.issuer.Issuer, err)
		}
	}
	for key := range all.values {
		if strings.Contains(key, "the-jti") {
			t.Errorf("the store is told a jti: %s", key)
		}
	}
	all.away = true
	third := newUsed()
	if err := use(third, tokenOf("https://a", "")); err != nil {
		t.Errorf("where nobody can tell: %v", err)
	}
	if err := use(third, tokenOf("https://a", "")); err != errUsed {
		t.Errorf("once more where nobody can tell: %v", err)
	}
}

// TestUsedIsBounded: where no more can be remembered nothing is good once, until something has ended.
func TestUsedIsBounded(t *testing.T) {
	u, now := newUsed(), time.Now()
	hash := func(i int) (h [32]byte) {
		binary.BigEndian.PutUint64(h[:], uint64(i))
		return h
	}
	for i := range maxUsed {
		if err := u.useHere(hash(i), now.Add(time.Duration(1+i%2)*time.Minute), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.useHere(hash(maxUsed), now.Add(time.Hour), now); err == nil || err == errUsed {
		t.Errorf("one more: %v", err)
	}
	later := now.Add(time.Minute)
	if err := u.useHere(hash(0), later.Add(time.Hour), later); err != nil {
		t.Errorf("one that has ended: %v", err)
	}
	if err := u.useHere(hash(1), later.Add(time.Hour), later); err != errUsed {
		t.Errorf("one that has not ended: %v", err)
	}
	if err := u.useHere(hash(maxUsed), later.Add(time.Hour), later); err != nil || len(u.by) != maxUsed/2+2 {
		t.Errorf("one more after half have ended: %v, %d are remembered", err, len(u.by))
	}
}
