package proxy

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/replay"
	"ghapp-proxy/rules"
)

var healKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// refuser is a GitHub within the process: it mints, and answers everything
// else as the test says.
type refuser struct {
	mu     sync.Mutex // of what is counted: the Source also asks in the background
	mints  int
	gone   bool // the installation: nothing is minted, nothing found
	answer func(token, body string) (status int, text string)
	asked  []string // "token: body" of each request that is no mint
	skew   time.Duration

	covering int            // the installation that covers repositories, 0 for none
	own      map[string]int // "GET /path" → how often the Source asked that
	sight    func() int     // the status of what the Source asks with a token, nil for 404
	granted  string         // JSON of the installation's permissions, and of tokens minted from now on
	minting  string         // those of the tokens, where they differ
}

func (g *refuser) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	status, text := http.StatusCreated, ""
	own := r.Method == "GET" && r.URL.Path != "/x"
	if own {
		g.mu.Lock()
		if g.own == nil {
			g.own = map[string]int{}
		}
		g.own["GET "+r.URL.Path]++
		g.mu.Unlock()
		status = http.StatusOK
	}
	if strings.HasSuffix(r.URL.Path, "/installation") && g.covering != 0 {
		text = fmt.Sprintf(`{"id":%d,"account":{"login":%q},"repository_selection":"all"}`, g.covering, []string{"acme", "globex"}[g.covering-1])
	} else if strings.HasPrefix(r.URL.Path, "/app/installations/") && own && !g.gone {
		text = fmt.Sprintf(`{"id":1,"account":{"login":"acme"},"permissions":%s}`, cmp.Or(g.granted, "{}"))
	} else if own && g.sight != nil && !strings.HasSuffix(r.URL.Path, "/installation") {
		status, text = g.sight(), "{}"
	} else if own {
		status, text = http.StatusNotFound, `{"message":"Not Found"}`
	} else if g.gone && strings.HasPrefix(r.URL.Path, "/app/") {
		status, text = http.StatusNotFound, `{"message":"Not Found"}`
	} else if strings.HasSuffix(r.URL.Path, "/access_tokens") {
		g.mints++
		text = fmt.Sprintf(`{"token":"ghs_%d","expires_at":%q,"permissions":%s}`, g.mints, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), cmp.Or(g.minting, g.granted, "null"))
	} else {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		g.mu.Lock()
		g.asked = append(g.asked, token+": "+body)
		g.mu.Unlock()
		status, text = g.answer(token, body)
	}
	date := http.Header{"Date": {time.Now().Add(g.skew).UTC().Format(http.TimeFormat)}}
	return &http.Response{StatusCode: status, Header: date, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// newSource has one App that maps acme, with the named keys or a real one. The
// caller closes it.
func newSource(g *refuser, keys ...string) *auth.Source {
	signers := []auth.Signer{auth.NewKey(healKey())}
	if keys != nil {
		signers = nil
		for _, name := range keys {
			signers = append(signers, namedKey(name))
		}
	}
	return auth.New([]*auth.App{{
		Name: "a", Instance: "github.com", API: &url.URL{Scheme: "https", Host: "api.github.com"}, ID: 1, Signers: signers,
		Installations: map[string]github.InstallationID{"acme": 1},
	}}, auth.Options{Transport: g})
}

var acme = auth.Want{Owner: github.Account{Login: "acme"}, Read: true}

// heal sends a request through the healer with a token that was minted age
// ago, and returns the answer's status and how long it took.
func heal(t *testing.T, g *refuser, age time.Duration, route rules.Route, body io.Reader) (status int, took time.Duration) {
	t.Helper()
	source := newSource(g)
	defer source.Close()
	cred, err := source.ForOwner(t.Context(), "github.com", github.Account{Login: "acme"}, true)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(age)
	return healWith(t, g, source, cred, route, body)
}

func healWith(t *testing.T, g *refuser, source *auth.Source, cred auth.Credential, route rules.Route, body io.Reader) (status int, took time.Duration) {
	t.Helper()
	x := &exchange{source: source, want: acme, credential: cred, authorization: cred.Bearer(), Verdict: decide.Verdict{Route: route, Asked: route.Subject, Reads: true}}
	return healExchange(t, g, x, body)
}

func healExchange(t *testing.T, g http.RoundTripper, x *exchange, body io.Reader) (status int, took time.Duration) {
	t.Helper()
	start := time.Now()
	req, err := http.NewRequestWithContext(context.WithValue(t.Context(), exchangeKey{}, x), "POST", "https://api.github.com/x", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = x.authorization
	resp, err := exchangeOf(req).send(g, req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Error(err)
	}
	synctest.Wait() // for what the Source asks in the background
	return resp.StatusCode, time.Since(start)
}

const badCredentials = `{"message":"Bad credentials","status":"401"}`

// until answers 200 after a time, and before as it is told.
func until(d time.Duration, status int, text string) func(string, string) (int, string) {
	good := time.Now().Add(d)
	return func(string, string) (int, string) {
		if time.Now().Before(good) {
			return status, text
		}
		return 200, "ok"
	}
}

func TestHealYoungToken(t *testing.T) {
	const inaccessible = `{"message":"Resource not accessible by integration"}`
	for _, test := range []struct {
		name   string
		route  rules.Route
		lag    time.Duration
		status int
		text   string
		want   int
		took   time.Duration
	}{
		{"401", rules.Route{}, 2500 * time.Millisecond, 401, badCredentials, 200, 3 * time.Second},
		{"401 for long", rules.Route{}, 14 * time.Second, 401, badCredentials, 200, 15 * time.Second},
		{"401 of another kind", rules.Route{}, time.Hour, 401, `{"message":"Requires authentication"}`, 401, 0},
		{"403", rules.Route{}, 2500 * time.Millisecond, 403, inaccessible, 200, 3 * time.Second},
		{"403 of another kind", rules.Route{}, time.Hour, 403, `{"message":"Forbidden"}`, 403, 0},
		{"403 for users only", rules.Route{UserOnly: true}, time.Hour, 403, inaccessible, 403, 0},
		{"404 of what is no repository", rules.Route{}, time.Hour, 404, `{"message":"Not Found"}`, 404, 0},
		{"401 of git", rules.Route{GitAuth: true}, 500 * time.Millisecond, 401, "", 200, time.Second},
		{"500", rules.Route{}, time.Hour, 500, "", 500, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{answer: until(test.lag, test.status, test.text)}
			status, took := heal(t, g, 0, test.route, strings.NewReader("body"))
			if status != test.want || took != test.took || g.mints != 1 {
				t.Errorf("%s: %d after %v with %d mints, want %d after %v with 1", test.name, status, took, g.mints, test.want, test.took)
			}
			for _, asked := range g.asked {
				if asked != "ghs_1: body" {
					t.Errorf("%s: GitHub was asked %q", test.name, asked)
				}
			}
		})
	}
}

// The complaint is read in a compressed answer too, which stays as it is.
func TestHealReadsGzip(t *testing.T) {
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	io.WriteString(zw, badCredentials)
	zw.Close()
	for encoding, want := range map[string]bool{"gzip": true, "br": false, "": false} {
		resp := &http.Response{Header: http.Header{"Content-Encoding": {encoding}}, Body: io.NopCloser(bytes.NewReader(zipped.Bytes()))}
		if got := strings.Contains(replay.Peek(resp), "Bad credentials"); got != want {
			t.Errorf("encoding %q: %v, want %v", encoding, got, want)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(body, zipped.Bytes()) {
			t.Errorf("encoding %q: the answer changed: %q, %v", encoding, body, err)
		}
	}
}

// A token that was revoked is replaced, once.
func TestHealRevokedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{answer: func(token, _ string) (int, string) {
			if token == "ghs_1" {
				return 401, badCredentials
			}
			return 200, "ok"
		}}
		if status, took := heal(t, g, time.Minute, rules.Route{}, strings.NewReader("body")); status != 200 || took != 0 || g.mints != 2 {
			t.Errorf("%d after %v with %d mints, want 200 at once with 2", status, took, g.mints)
		}
	})
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// replaceToken has GitHub refuse a token, and accept the next.
func replaceToken(t *testing.T, source *auth.Source, cred *auth.Credential) {
	t.Helper()
	old := *cred
	refuse := roundTripper(func(r *http.Request) (*http.Response, error) {
		status := 401
		if r.Header.Get("Authorization") != old.Bearer()[0] {
			status = 200
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(badCredentials)), Request: r}, nil
	})
	req := httptest.NewRequestWithContext(t.Context(), "GET", "https://github.com/x", nil)
	resp, err := source.Send(refuse, req, &auth.Outgoing{Instance: "github.com", Want: acme, Credential: cred, Scheme: auth.SchemeBearer})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if *cred == old {
		t.Error("the token was not replaced")
	}
}

// git is told why GitHub refuses a token.
func TestHealRefusalSaysWhy(t *testing.T) {
	for _, test := range []struct {
		name string
		age  time.Duration // of the token that is refused
		next bool          // it took the place of another
		body io.Reader
		want string
	}{
		{"just minted", time.Second, false, nil, "not known everywhere"},
		{"revoked, and the one after it", time.Minute, false, nil, "not known everywhere"},
		{"revoked a second time within a minute", 10 * time.Second, true, nil, "less than a minute ago"},
		{"too large to send again", time.Minute, false, strings.NewReader(strings.Repeat("x", maxReplay+1)), "another token takes the place"},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{answer: func(string, string) (int, string) { return 401, badCredentials }}
			source := newSource(g)
			defer source.Close()
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			if test.next {
				time.Sleep(time.Minute)
				replaceToken(t, source, &cred)
			}
			time.Sleep(test.age)
			x := &exchange{source: source, want: acme, credential: cred, Verdict: decide.Verdict{Route: rules.Route{GitAuth: true}}}
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), exchangeKey{}, x), "POST", "https://github.com/x", test.body)
			resp, err := exchangeOf(r).send(g, r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if f := unauthorizedRefusal(x); !strings.Contains(f.Remedy, test.want) {
				t.Errorf("%s: %q, want %q in it", test.name, f.Remedy, test.want)
			}
		})
	}
}

// GitHub's 401 for an installation that is gone blames the client's
// credentials: ours says what to correct.
func TestHealGoneInstallation(t *testing.T) {
	for _, form := range []rules.Route{{}, {GitAuth: true, Form: answer.Text, Scheme: rules.Basic}} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{answer: func(string, string) (int, string) { return 401, badCredentials }}
			source := newSource(g)
			defer source.Close()
			cred, err := source.Token(t.Context(), "github.com", acme)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			g.gone = true
			x := &exchange{source: source, want: acme, credential: cred, Verdict: decide.Verdict{Route: form}}
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), exchangeKey{}, x), "GET", "https://api.github.com/x", nil)
			_, err = exchangeOf(r).send(g, r)
			if err == nil {
				t.Fatal("GitHub's 401 is passed on")
			}
			w := httptest.NewRecorder()
			x.out = newRecorder(w, &Options{stalls: maxStalls})
			x.answerError(r, err)
			const cause = `App a could not mint a token for installation 1: GitHub answered 404`
			const remedy = "check app.a.installations.acme = 1 in the configuration"
			if text := w.Body.String(); w.Code != 500 || !strings.Contains(text, cause) || !strings.Contains(text, remedy) {
				t.Errorf("%d %s, want 500 with %q and %q", w.Code, text, cause, remedy)
			}
		})
	}
}

// An owner that no installation covers any more is served as the fallback says.
func TestHealAnonymously(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{answer: func(token, _ string) (int, string) {
			if token != "" {
				return 401, badCredentials
			}
			return 200, "public"
		}}
		source := auth.New([]*auth.App{{
			Name: "a", Instance: "github.com", API: &url.URL{Scheme: "https", Host: "api.github.com"}, ID: 1, Signers: []auth.Signer{auth.NewKey(healKey())},
		}}, auth.Options{Transport: installedOnce{g}})
		defer source.Close()
		cred, err := source.Token(t.Context(), "github.com", acme)
		if err != nil || cred.Anonymous() {
			t.Fatalf("Token = %v, %v, want an installation's", cred, err)
		}
		time.Sleep(time.Minute)
		g.gone = true
		if status, _ := healWith(t, g, source, cred, rules.Route{}, nil); status != 200 {
			t.Errorf("status %d, want 200 without a credential", status)
		}
	})
}

// installedOnce is a GitHub on which the App is installed until it is gone.
type installedOnce struct{ *refuser }

func (g installedOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/installation") {
		return g.refuser.RoundTrip(r)
	}
	status, text := http.StatusOK, `{"id":1,"account":{"login":"acme"},"repository_selection":"all"}`
	if g.gone {
		status, text = http.StatusNotFound, `{"message":"Not Found"}`
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// Whatever GitHub refuses and whoever asks, a minute sees one replacement.
func TestHealNeverLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{answer: func(string, string) (int, string) { return 401, badCredentials }}
		source := newSource(g)
		defer source.Close()
		start := time.Now()
		for time.Since(start) < 10*time.Minute {
			cred, err := source.ForOwner(t.Context(), "github.com", github.Account{Login: "acme"}, true)
			if err != nil {
				t.Fatal(err)
			}
			if status, _ := healWith(t, g, source, cred, rules.Route{}, nil); status != 401 {
				t.Fatalf("status %d", status)
			}
			time.Sleep(time.Second)
		}
		if g.mints > 11 {
			t.Errorf("%d mints in ten minutes", g.mints)
		}
	})
}

// A body that is not kept is not sent again.
func TestHealLargeBody(t *testing.T) {
	for _, size := range []int{maxReplay, maxReplay + 1} {
		synctest.Test(t, func(t *testing.T) {
			g := &refuser{answer: until(time.Second, 401, badCredentials)}
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", size))) // of unknown length
			status, _ := heal(t, g, 0, rules.Route{}, body)
			want := 200
			if size > maxReplay {
				want = 401
			}
			if status != want {
				t.Errorf("a body of %d bytes: %d, want %d", size, status, want)
			}
			for _, asked := range g.asked {
				if len(asked) != len("ghs_1: ")+size {
					t.Errorf("%d bytes were sent, want %d", len(asked)-len("ghs_1: "), size)
				}
			}
		})
	}
}

// A client that leaves is not waited for.
func TestHealClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &refuser{answer: func(string, string) (int, string) { return 401, badCredentials }}
		source := newSource(g)
		defer source.Close()
		cred, err := source.ForOwner(t.Context(), "github.com", github.Account{Login: "acme"}, true)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		x := &exchange{source: source, want: acme, credential: cred, authorization: cred.Bearer()}
		req, err := http.NewRequestWithContext(context.WithValue(ctx, exchangeKey{}, x), "GET", "https://api.github.com/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if resp, err := exchangeOf(req).send(g, req); err == nil {
			resp.Body.Close() // nobody reads it
		}
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}
