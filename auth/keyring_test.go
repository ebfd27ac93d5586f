package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// newKey reads a key as GitHub hands it out.
func newKey(t testing.TB, pem []byte) *auth.Key {
	t.Helper()
	private, err := auth.ParseKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	return auth.NewKey(private)
}

// fakeKey is a Signer that a test can replace the key of, or make fail.
type fakeKey struct {
	name string
	wait time.Duration // each signature takes this long

	random bool // each signature is another

	mu   sync.Mutex
	sig  string // the signature is this and the input
	err  error
	runs int
}

func newFakeKey(name string) *fakeKey { return &fakeKey{name: name, sig: name} }

func (k *fakeKey) Sign(ctx context.Context, input []byte) ([]byte, error) {
	select {
	case <-time.After(k.wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.runs++
	if k.random {
		return []byte(rand.Text()), nil
	}
	return []byte(k.sig + "|" + string(input)), k.err
}

func (k *fakeKey) String() string { return k.name }

func (k *fakeKey) change(sig string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sig, k.err = sig, err
}

// ran returns how often it was asked to sign since the last time.
func (k *fakeKey) ran() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer func() { k.runs = 0 }()
	return k.runs
}

// knowing is a GitHub that knows keys by their signatures.
type knowing struct {
	api
	mu    sync.Mutex
	known []string
	seen  []string // the keys of the JWTs that arrived
}

func (g *knowing) know(keys ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known = keys
}

// tried returns the keys of the JWTs that arrived since the last time.
func (g *knowing) tried() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer func() { g.seen = nil }()
	return strings.Join(g.seen, " ")
}

func newKnowing(keys ...string) *knowing {
	g := &knowing{known: keys}
	g.judge = func(r *http.Request) (reply, bool) {
		parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
		signature, err := base64.RawURLEncoding.DecodeString(parts[len(parts)-1])
		key, input, _ := strings.Cut(string(signature), "|")
		g.mu.Lock()
		defer g.mu.Unlock()
		g.seen = append(g.seen, key)
		if err != nil || len(parts) != 3 || input != parts[0]+"."+parts[1] || !slices.Contains(g.known, key) {
			return jwtRefused(auth.KeyComplaint), true
		}
		return reply{}, false
	}
	return g
}

// keyed returns a Source whose App has the keys, and for which every owner is
// mapped that a test mints for.
func keyed(t testing.TB, fake http.RoundTripper, keys ...*fakeKey) *auth.Source {
	app := newApp("ci-bot", 1)
	app.Signers = nil
	for _, key := range keys {
		app.Signers = append(app.Signers, key)
	}
	app.Installations = map[string]github.InstallationID{}
	for i := range 20 {
		app.Installations[fmt.Sprint("o", i)] = github.InstallationID(i + 1)
	}
	return newSource(t, fake, auth.FallbackRefuse, app)
}

// TestKeys mints for one owner after the other.
func TestKeys(t *testing.T) {
	type step struct {
		wait  time.Duration
		known string // keys that GitHub knows from now on, "" for no change
		tried string // what arrives for one mint
		fails bool
	}
	tests := []struct {
		name  string
		keys  string
		steps []step
	}{
		{"the only one", "a", []step{{known: "a", tried: "a"}, {tried: "a"}, {wait: 9 * time.Minute, tried: "a"}}},
		{"the newest", "new old", []step{{known: "old new", tried: "new"}, {known: "new", tried: "new"}}},
		{"old one removed", "old new", []step{{known: "old new", tried: "old"}, {known: "new", tried: "old new"}, {tried: "new"}}},
		{"not yet added", "new old", []step{
			{known: "old", tried: "new old"}, {tried: "old"},
			{wait: 9 * time.Minute, tried: "new old"}, // with each JWT
			{known: "new old", tried: "old"},
			{wait: 9 * time.Minute, tried: "new"},
			{known: "new", tried: "new"},
		}},
		{"several removed", "a b c d", []step{{known: "d", tried: "a b c d"}, {tried: "d"}}},
		{"added since", "new old", []step{{known: "old", tried: "new old"}, {wait: 10 * time.Second, known: "new", tried: "old new"}}},
		{"none known", "a b", []step{
			{known: "x", tried: "a b", fails: true},
			{tried: "a", fails: true}, // each request asks once
			{tried: "a", fails: true},
			{wait: 9 * time.Second, tried: "a", fails: true},
			{wait: time.Second, tried: "a b", fails: true},
			{known: "b", wait: 9 * time.Second, tried: "a", fails: true},
			{wait: time.Second, tried: "a b"},
		}},
		{"GitHub errs once", "new old", []step{
			{known: "old", tried: "new old"},
			{known: "x", tried: "old", fails: true},
			{known: "old", tried: "old"}, // not the new one, which it never knew
		}},
		{"the same twice", "a a b", []step{{known: "b", tried: "a b"}}},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			fake := newKnowing()
			var keys []*fakeKey
			for _, name := range strings.Fields(test.keys) {
				keys = append(keys, newFakeKey(name))
			}
			s := keyed(t, fake, keys...)
			for i, step := range test.steps {
				time.Sleep(step.wait)
				if step.known != "" {
					fake.know(strings.Fields(step.known)...)
				}
				_, err := s.ForOwner(t.Context(), "github.com", owner(fmt.Sprint("o", i)), true)
				if tried := fake.tried(); (err != nil) != step.fails || tried != step.tried {
					t.Errorf("%s, step %d: GitHub was asked with %q, error %v; want %q, an error %t", test.name, i+1, tried, err, step.tried, step.fails)
				}
			}
		})
	}
}

// TestKeyIsReplaced: the only Signer has another key behind it.
func TestKeyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, key := newKnowing("a"), newFakeKey("a")
		s := keyed(t, fake, key)
		mustToken(t, s, "o1")
		key.change("b", nil)
		mustToken(t, s, "o2")
		if tried := fake.tried(); tried != "a a" {
			t.Errorf("GitHub was asked with %q, want the JWT that it knows", tried)
		}
		fake.know("b")
		mustToken(t, s, "o3")
		if tried, runs := fake.tried(), key.ran(); tried != "a b" || runs != 2 {
			t.Errorf("GitHub was asked with %q, %d signatures; want a and b, 2", tried, runs)
		}
	})
}

// strangeKey is a key that no GitHub knows.
func strangeKey(t testing.TB) *auth.Key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return auth.NewKey(private)
}

// TestKeysOfNobody is about the fake GitHub, which verifies JWTs by itself.
func TestKeysOfNobody(t *testing.T) {
	server, app := seeded(t)
	app.Signers = []auth.Signer{strangeKey(t), strangeKey(t)}
	s := reach(t, server, app)
	for range 20 {
		_, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
		wantError(t, err, `App ci-bot could not mint a token for installation 111: GitHub answered 401 "A JSON web token could not be decoded"`,
			"check that one of the 2 private keys belongs to the App, whose page shows the fingerprints that `ghapp-proxy check` prints, and that id or client_id is the App's")
	}
	if n := len(server.Requests()); n != 2 {
		t.Errorf("GitHub was asked %d times, want once with each key", n)
	}
}

// TestSignerFails: it is asked again after ten seconds, and what it says
// arrives without what could be a credential.
func TestSignerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, key := newKnowing("a"), newFakeKey("a")
		key.change("a", remedied{errors.New("not signed in\nto eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln-_")})
		s := keyed(t, fake, key)
		for range 90 {
			for _, o := range []string{"o1", "o2"} {
				_, err := s.ForOwner(t.Context(), "github.com", owner(o), true)
				wantError(t, err, fmt.Sprintf("App ci-bot could not mint a token for installation %d: sign a JWT: not signed in to [redacted]", o[1]-'0'+1), "sign in")
				var signing *auth.SigningError
				if !errors.As(err, &signing) {
					t.Errorf("error %T, want a *SigningError in it", err)
				}
			}
			_, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
			wantError(t, err, "App ci-bot could not authenticate: sign a JWT: not signed in to [redacted]", "sign in")
			time.Sleep(time.Second / 3)
		}
		if runs := key.ran(); runs != 3 || fake.tried() != "" {
			t.Errorf("the signer was asked %d times in half a minute, want 3, and GitHub never", runs)
		}
		key.change("a", nil)
		time.Sleep(10 * time.Second)
		mustToken(t, s, "o1")
	})
}

type remedied struct{ error }

func (remedied) Remedy() string { return "sign in" }

// TestSignerStandsIn: another key is used while the first fails.
func TestSignerStandsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, a, b := newKnowing("b"), newFakeKey("a"), newFakeKey("b")
		a.change("", errors.New("no"))
		mustToken(t, keyed(t, fake, a, b), "o1")
		if tried := fake.tried(); tried != "b" {
			t.Errorf("GitHub was asked with %q, want b", tried)
		}
	})
}

// TestSignerIsShared: many requests wait for one signature, and one that leaves
// does not stop it.
func TestSignerIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, key := newKnowing("a"), newFakeKey("a")
		key.wait = 29 * time.Second
		s := keyed(t, fake, key)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if _, err := s.ForOwner(t.Context(), "github.com", owner(fmt.Sprint("o", i%20)), true); err != nil {
					t.Error(err)
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.ForApp(ctx, "github.com", "", 0, github.Account{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
		begin := time.Now()
		wg.Wait()
		if runs, took := key.ran(), time.Since(begin); runs != 1 || took != 28*time.Second {
			t.Errorf("%d signatures after %v, want 1 after 28s", runs, took)
		}
		s.Close()
		time.Sleep(9 * time.Minute)
		if _, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{}); !errors.Is(err, context.Canceled) {
			t.Errorf("after Close: error %v, want context.Canceled", err)
		}
	})
}

func TestNoSigner(t *testing.T) {
	s := keyed(t, newKnowing())
	_, err := s.ForOwner(t.Context(), "github.com", owner("o1"), true)
	wantError(t, err, "App ci-bot could not mint a token for installation 2: sign a JWT: the App has no private key", "")
}

// TestRotation removes a key while requests are under way.
func TestRotation(t *testing.T) {
	t.Parallel()
	server, app := seeded(t)
	fake := server.App("ci-bot")
	pem, err := server.AddKey(fake)
	if err != nil {
		t.Fatal(err)
	}
	app.Signers = append(app.Signers, newKey(t, pem)) // the one that will be removed comes first
	s := reach(t, server, app)
	const clients, each = 16, 10
	var mints atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				n := mints.Add(1)
				if n == clients*each/2 {
					server.RemoveOldKeys(fake)
				}
				narrow, err := github.NewNarrowing(nil, []int64{n}, nil)
				if err != nil {
					t.Error(err)
				}
				_, err = s.Token(t.Context(), "github.com", auth.Want{Owner: owner("acme"), Narrow: narrow})
				if refused := (*auth.Error)(nil); err != nil && (!errors.As(err, &refused) || refused.Status != 422) { // no such repository
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	refusals := 0
	for _, r := range server.Requests() {
		if r.Status == 401 {
			refusals++
		}
	}
	if refusals == 0 || refusals > clients {
		t.Errorf("%d JWTs were refused, want one for each request under way at most", refusals)
	}
}

// TestSignerAtRandom: RSASSA-PSS, which GitHub does not take, gives another
// signature each time. GitHub locks out who fails to log in too often.
func TestSignerAtRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, key := newKnowing("a"), newFakeKey("")
		key.random = true
		s := keyed(t, fake, key)
		calls := 0
		for range 50 {
			cred, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{})
			if err != nil {
				t.Fatal(err)
			}
			for range 4 { // as the proxy does
				calls++
				other, err := s.Replace(t.Context(), cred, auth.Want{})
				if err != nil {
					t.Fatal(err)
				}
				if other == cred {
					break
				}
				cred = other
			}
		}
		if calls > 60 {
			t.Errorf("50 requests failed %d times, want hardly more than once each", calls)
		}
	})
}
