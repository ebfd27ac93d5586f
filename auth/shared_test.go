package auth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
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

// octets is a Shared that keeps nothing but octets, as one outside the process does.
type octets struct {
	mu       sync.Mutex
	values   map[string][]byte
	ends     map[string]time.Time
	leases   map[string]chan struct{}
	replaced map[string]uint64
	hear     map[string][]func([]byte)
	back     []func()
	told     func(topic string, says []byte) // is told what all are
	away     bool
	dropped  int
	claims   int
}

func newOctets() *octets {
	return &octets{values: map[string][]byte{}, ends: map[string]time.Time{}, leases: map[string]chan struct{}{}, replaced: map[string]uint64{}, hear: map[string][]func([]byte){}}
}

func (o *octets) Claim(ctx context.Context, key string, besides uint64) ([]byte, func([]byte, time.Duration)) {
	for {
		o.mu.Lock()
		o.claims++
		value, lease := o.value(key), o.leases[key]
		switch {
		case o.away:
			o.mu.Unlock()
			return nil, nil
		case value != nil && (len(value) < 8 || binary.BigEndian.Uint64(value) != besides):
			o.mu.Unlock()
			return value, nil
		case lease == nil:
			mine := make(chan struct{})
			o.leases[key] = mine
			o.mu.Unlock()
			return nil, func(value []byte, ttl time.Duration) {
				o.put(key, value, ttl)
				o.mu.Lock()
				defer o.mu.Unlock()
				delete(o.leases, key)
				close(mine)
			}
		}
		o.mu.Unlock()
		select {
		case <-lease:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// value is what is there. o.mu is held.
func (o *octets) value(key string) []byte {
	if time.Now().After(o.ends[key]) {
		return nil
	}
	return o.values[key]
}

func (o *octets) Get(_ context.Context, key string) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		return nil
	}
	return o.value(key)
}

func (o *octets) put(key string, value []byte, ttl time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if value != nil && !o.away {
		o.values[key], o.ends[key] = value, time.Now().Add(ttl)
	}
}

func (o *octets) Put(key string, value []byte, ttl time.Duration) { o.put(key, value, ttl) }

func (o *octets) Offer(key string, value []byte, ttl time.Duration) {
	if o.Get(context.Background(), key) == nil {
		o.put(key, value, ttl)
	}
}

func (o *octets) Delete(key string, generation uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if value := o.value(key); value != nil && binary.BigEndian.Uint64(value) == generation {
		delete(o.values, key)
	}
}

func (o *octets) Replace(_ context.Context, key string, generation uint64, _ time.Duration) (may, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	value := o.value(key)
	switch {
	case o.away:
		return false, false
	case value != nil && binary.BigEndian.Uint64(value) != generation, o.replaced[key] == generation:
		return true, true
	case o.replaced[key] != 0:
		return false, true
	}
	o.replaced[key] = generation
	delete(o.values, key)
	return true, true
}

func (o *octets) Tell(topic string, says []byte) {
	o.mu.Lock()
	hear := o.hear[topic]
	if o.away {
		hear = nil
	} else if o.told != nil {
		o.told(topic, says)
	}
	o.mu.Unlock()
	for _, f := range hear {
		f(says)
	}
}

func (o *octets) Hear(topic string, f func([]byte)) { o.hear[topic] = append(o.hear[topic], f) }
func (o *octets) Back(f func())                     { o.back = append(o.back, f) }
func (o *octets) Dropped() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped++
}

// isAway says whether the store can be reached.
func (o *octets) isAway(is bool) {
	o.mu.Lock()
	o.away = is
	o.mu.Unlock()
	if !is {
		for _, f := range o.back {
			f()
		}
	}
}

// count is how often GitHub was asked something.
func (a *api) count(call string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.calls {
		if c == call {
			n++
		}
	}
	return n
}

// change changes all values.
func (o *octets) change(how func(key string, value []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, value := range o.values {
		o.values[key] = how(key, bytes.Clone(value))
	}
}

// replicas are Sources that share something, as several processes do. Their App is installed where change says.
func replicas(t *testing.T, n int, fake http.RoundTripper, shared auth.Shared, change func(*auth.App)) (all []*auth.Source) {
	for range n {
		app := newApp("ci-bot", 12345)
		app.Installations = map[string]github.InstallationID{"acme": 111, "globex": 222}
		if change != nil {
			change(app)
		}
		s := auth.New([]*auth.App{app}, auth.Options{Transport: fake, Fallback: auth.FallbackRefuse, Shared: shared})
		t.Cleanup(s.Close)
		all = append(all, s)
	}
	return all
}

// TestReplicas: replicas mint once, and know what another has replaced and renewed.
func TestReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{before: func(*http.Request) { time.Sleep(time.Second) }}
		store := newOctets()
		all := replicas(t, 3, fake, store, nil)
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				if got := mustToken(t, all[i%3], "acme"); got != "ghs_1" {
					t.Errorf("token = %q, want ghs_1", got)
				}
			})
		}
		wg.Wait()
		claims := store.claims
		want := auth.Want{Owner: owner("acme")}
		creds := make([]auth.Credential, len(all))
		for i, s := range all {
			var err error
			if creds[i], err = s.Token(t.Context(), "github.com", want); err != nil {
				t.Fatal(err)
			}
		}
		if store.claims != claims {
			t.Errorf("the store was asked for a token that is held")
		}
		for i, s := range all { // GitHub refuses it to all of them
			fresh, err := s.Replace(t.Context(), creds[i], want)
			if err != nil || fresh.Bearer()[0] != "Bearer ghs_2" {
				t.Errorf("Replace = %v, %v, want ghs_2", fresh.Bearer(), err)
			}
		}
		if n := fake.minted(); n != 2 {
			t.Errorf("%d mints, want 2", n)
		}
		time.Sleep(50 * time.Minute) // one renews it, and the others take that
		for range 3 {
			for _, s := range all {
				mustToken(t, s, "acme")
				time.Sleep(10 * time.Second)
			}
		}
		if n := fake.minted(); n != 3 {
			t.Errorf("%d mints after a renewal, want 3", n)
		}
	})
}

// TestReplacedOnce: what GitHub refuses again, within a minute, is not replaced by the next replica.
func TestReplacedOnce(t *testing.T) {
	fake := &api{}
	all := replicas(t, 2, fake, newOctets(), nil)
	want := auth.Want{Owner: owner("acme")}
	for i, s := range []*auth.Source{all[0], all[1], all[0]} {
		cred, err := s.Token(t.Context(), "github.com", want)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Replace(t.Context(), cred, want); err != nil {
			t.Fatal(err)
		}
		if n := fake.minted(); n != 2 {
			t.Errorf("%d mints after refusal %d, want 2", n, i)
		}
	}
}

// TestWithoutTheStore: replicas go on by themselves, and the others get what one has minted when the store is back.
func TestWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		store := newOctets()
		all := replicas(t, 3, fake, store, nil)
		store.isAway(true)
		mustToken(t, all[0], "acme")
		mustToken(t, all[1], "globex")
		store.isAway(false)
		for _, s := range all {
			for _, login := range []string{"acme", "globex"} {
				mustToken(t, s, login)
			}
		}
		if n := fake.minted(); n != 2 {
			t.Errorf("%d mints, want 2", n)
		}
	})
}

// TestHostileStore: values that were changed, or put in another's place, are of no use, and nobody gets
// another's token.
func TestHostileStore(t *testing.T) {
	fake := &api{}
	store := newOctets()
	all := replicas(t, 4, fake, store, nil)
	mustToken(t, all[0], "acme") // ghs_1
	mustToken(t, all[0], "globex")
	var values [][]byte
	store.change(func(_ string, value []byte) []byte { values = append(values, value); return value })
	store.change(func(_ string, value []byte) []byte { // swapped
		if bytes.Equal(value, values[0]) {
			return values[1]
		}
		return values[0]
	})
	if got := mustToken(t, all[1], "acme"); got != "ghs_3" {
		t.Errorf("with values swapped: token = %q, want another", got)
	}
	for name, change := range map[string]func([]byte) []byte{
		"generation": func(v []byte) []byte { v[3]++; return v },
		"text":       func(v []byte) []byte { v[len(v)-20] ^= 1; return v },
		"cut":        func(v []byte) []byte { return v[:12] },
		"short":      func([]byte) []byte { return []byte("x") },
		"empty":      func([]byte) []byte { return []byte{} },
	} {
		store.change(func(_ string, value []byte) []byte {
			if len(value) < 40 { // it was spoilt before
				return value
			}
			return change(value)
		})
		before, dropped := fake.minted(), store.dropped
		fresh := replicas(t, 1, fake, store, nil)[0]
		if got := mustToken(t, fresh, "acme"); got != fmt.Sprintf("ghs_%d", before+1) {
			t.Errorf("%s: token = %q, want another", name, got)
		}
		if store.dropped == dropped {
			t.Errorf("%s: it is not counted", name)
		}
	}
}

// TestSpoiledOnce: what is in the place of a token and does not open is replaced by one replica for all.
func TestSpoiledOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{before: func(*http.Request) { time.Sleep(time.Second) }}
		store := newOctets()
		mustToken(t, replicas(t, 1, fake, store, nil)[0], "acme")
		store.change(func(_ string, value []byte) []byte { value[len(value)-1] ^= 1; return value })
		var wg sync.WaitGroup
		for _, s := range replicas(t, 3, fake, store, nil) {
			wg.Go(func() { mustToken(t, s, "acme") })
		}
		wg.Wait()
		if n := fake.count("POST /app/installations/111/access_tokens"); n != 2 {
			t.Errorf("%d tokens were minted, want one before it was spoiled and one after", n)
		}
	})
}

// TestSharedWithOthers: what one App has shared opens for no other App, nor for who has another key.
func TestSharedWithOthers(t *testing.T) {
	fake := &api{}
	store := newOctets()
	mustToken(t, replicas(t, 1, fake, store, nil)[0], "acme")
	mine, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustToken(t, replicas(t, 1, fake, store, func(a *auth.App) { a.Signers = []auth.Signer{auth.NewKey(mine)} })[0], "acme"); got != "ghs_2" {
		t.Errorf("with another key: token = %q, want another", got)
	}
}

// TestFoundForAll: where an App is installed, or that it is not, one replica asks for all. What is wrong is
// asked anew.
func TestFoundForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		store := newOctets()
		fake.set("GET /repos/initech/site/installation", reply{status: 200, body: `{"id":333,"account":{"login":"initech"},"repository_selection":"all"}`})
		fake.set("GET /users/nobody/installation", reply{status: 404, body: `{"message":"Not Found"}`})
		all := replicas(t, 3, fake, store, nil)
		for _, s := range all {
			for _, repo := range []string{"site", "other"} {
				if _, err := s.ForOwner(t.Context(), "github.com", github.Account{Login: "initech", Repo: repo}, true); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.ForOwner(t.Context(), "github.com", owner("nobody"), true); err == nil {
				t.Error("there is a credential for nobody")
			}
		}
		if n := fake.count("GET /repos/initech/site/installation"); n != 1 {
			t.Errorf("it was asked %d times where the App is installed", n)
		}
		if n := fake.count("GET /repos/initech/other/installation"); n != 0 {
			t.Errorf("it was asked %d times for another repository of an account that is covered whole", n)
		}
		if n := fake.count("GET /users/nobody/installation"); n != 1 {
			t.Errorf("it was asked %d times for nobody", n)
		}
		if n := fake.minted(); n != 1 {
			t.Errorf("%d mints, want 1", n)
		}
	})
}

// TestRefusedForAll: what GitHub refuses one replica it is not asked by the next, with the same words; a refused
// JWT may be the fault of one.
func TestRefusedForAll(t *testing.T) {
	for status, asked := range map[int]int{403: 1, 422: 1, 404: 1, 401: 2} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := &api{}
				mint := "POST /app/installations/111/access_tokens"
				fake.set(mint, reply{status: status, body: `{"message":"suspended it is"}`})
				var texts []string
				for _, s := range replicas(t, 2, fake, newOctets(), nil) {
					_, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
					refused, ok := errors.AsType[*auth.Error](err)
					if !ok || refused.Status != status {
						t.Fatalf("ForOwner: %v", err)
					}
					texts = append(texts, fmt.Sprint(refused, refused.Remedy))
				}
				if texts[0] != texts[1] {
					t.Errorf("one gets %q, the other %q", texts[0], texts[1])
				}
				if n := fake.count(mint); n != asked {
					t.Errorf("GitHub was asked %d times, want %d", n, asked)
				}
			})
		})
	}
}

// TestRevokeForAll: what GitHub has forgotten is handed out to nobody, and a replica revokes what is its own.
func TestRevokeForAll(t *testing.T) {
	fake := &api{}
	fake.set(revoke, reply{status: 204})
	all := replicas(t, 2, fake, newOctets(), nil)
	for _, s := range all {
		mustToken(t, s, "acme")
	}
	if err := all[1].Revoke(t.Context()); err != nil { // it has minted none
		t.Errorf("Revoke: %v", err)
	}
	if n := fake.count(revoke); n != 0 {
		t.Errorf("who has minted nothing has revoked %d", n)
	}
	if got := mustToken(t, all[1], "acme"); got != "ghs_1" {
		t.Errorf("token = %q, want the other's", got)
	}
	if err := all[0].Revoke(t.Context()); err != nil {
		t.Errorf("Revoke: %v", err)
	}
	if got := mustToken(t, all[1], "acme"); got != "ghs_2" {
		t.Errorf("token = %q after it was revoked, want another", got)
	}
}

// TestSharedQuota: what is left of a limit, all know.
func TestSharedQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &api{}
		store := newOctets()
		all := replicas(t, 2, fake, store, nil)
		for _, s := range all {
			mustToken(t, s, "acme")
		}
		reset := time.Now().Add(time.Hour).Unix()
		fake.set("GET /user", reply{status: 200, body: "{}", header: http.Header{
			"X-Ratelimit-Resource": {"core"}, "X-Ratelimit-Limit": {"5000"}, "X-Ratelimit-Remaining": {"17"}, "X-Ratelimit-Reset": {fmt.Sprint(reset)},
		}})
		ask(t, all[0], fake)
		late := replicas(t, 1, fake, store, nil)[0]
		mustToken(t, late, "acme")
		synctest.Wait()
		for i, s := range append(all, late) {
			if left := remaining(s); len(left) != 1 || left[0] != 17 {
				t.Errorf("replica %d knows of %v left, want 17", i, left)
			}
		}
	})
}

// TestNoTokenIsShared: neither a token nor a key is in what is shared, nor does a Token print.
func TestNoTokenIsShared(t *testing.T) {
	store := newOctets()
	s := replicas(t, 1, &api{}, store, nil)[0]
	mustToken(t, s, "acme")
	if len(store.values) == 0 {
		t.Fatal("nothing is shared")
	}
	for key, value := range store.values {
		if bytes.Contains(value, []byte("ghs_")) || strings.Contains(key, "ghs_") {
			t.Errorf("%q: %q has the token in it", key, value)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", &auth.Token{})
	if !strings.Contains(log.String(), "redacted") && !strings.Contains(log.String(), "REDACTED") {
		t.Errorf("a token prints as %s", log.String())
	}
}
