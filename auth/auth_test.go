package auth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// testKey is made once: it takes longer than the tests.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var githubAPI = &url.URL{Scheme: "https", Host: "api.github.com"}

// newApp returns an App of github.com without installations.
func newApp(name string, id int64) *auth.App {
	return &auth.App{Name: name, Instance: "github.com", API: githubAPI, ID: id, Signers: []auth.Signer{auth.NewKey(testKey())}}
}

// reply is an answer of api; the zero value is a 404.
type reply struct {
	status   int
	body     string
	location string
	header   http.Header // further fields
	err      error
}

// api is a GitHub within the process, because a synctest bubble has no
// network. It mints for every installation unless told otherwise, and does not
// look at the JWT.
type api struct {
	answers map[string]reply                                   // "GET /path?query" → answer
	before  func(r *http.Request)                              // runs before an answer, if set
	mint    func(n int, path string) reply                     // replaces the minting, if set
	clock   func() time.Time                                   // dates the answers, if set
	judge   func(r *http.Request) (answer reply, refused bool) // of the JWT, if set

	mu    sync.Mutex
	calls []string // "GET /path?query", in the order of arrival
	mints int
}

func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	call := r.Method + " " + r.URL.RequestURI()
	a.mu.Lock()
	a.calls = append(a.calls, call)
	isMint := strings.HasSuffix(call, "/access_tokens")
	if isMint {
		a.mints++
	}
	n := a.mints
	answer, ok := a.answers[call]
	a.mu.Unlock()
	if a.before != nil {
		a.before(r)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if a.judge != nil {
		if refusal, refused := a.judge(r); refused {
			answer, ok = refusal, true
		}
	}
	switch {
	case ok:
	case isMint && a.mint != nil:
		answer = a.mint(n, r.URL.Path)
	case isMint:
		answer = minted(fmt.Sprintf("ghs_%d", n), time.Hour)
	}
	if answer.err != nil {
		return nil, answer.err
	}
	if answer.status == 0 {
		answer = reply{status: 404, body: `{"message":"Not Found"}`}
	}
	header := answer.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if a.clock != nil {
		header.Set("Date", a.clock().UTC().Format(http.TimeFormat))
	}
	if answer.location != "" {
		header.Set("Location", answer.location)
	}
	return &http.Response{StatusCode: answer.status, Header: header, Body: io.NopCloser(strings.NewReader(answer.body)), Request: r}, nil
}

func (a *api) set(call string, answer reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answers == nil {
		a.answers = make(map[string]reply)
	}
	a.answers[call] = answer
}

// take returns the calls since the last take.
func (a *api) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.calls = nil }()
	return a.calls
}

func (a *api) minted() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mints
}

// minted is GitHub's answer to a mint.
func minted(token string, life time.Duration) reply {
	return reply{status: 201, body: fmt.Sprintf(`{"token":%q,"expires_at":%q,"permissions":{"contents":"read"}}`,
		token, time.Now().Add(life).UTC().Format(time.RFC3339))}
}

// installed is GitHub's answer to a look-up.
func installed(id int64, login, selection string) reply {
	return reply{status: 200, body: fmt.Sprintf(`{"id":%d,"account":{"login":%q},"repository_selection":%q,"suspended_at":null}`, id, login, selection)}
}

// newSource returns a Source that is closed when the test ends.
func newSource(t testing.TB, transport http.RoundTripper, fallback auth.Fallback, apps ...*auth.App) *auth.Source {
	t.Helper()
	s := auth.New(apps, auth.Options{Transport: transport, Fallback: fallback})
	t.Cleanup(s.Close)
	return s
}

// owner reads "login", "login/repo" or "enterprises/slug".
func owner(s string) github.Account {
	if slug, ok := strings.CutPrefix(s, "enterprises/"); ok {
		return github.Account{Login: slug, Enterprise: true}
	}
	login, repo, _ := strings.Cut(s, "/")
	return github.Account{Login: login, Repo: repo}
}

// whose asks for the token of an owner and says whose it got: "111 of ci-bot",
// "anonymous", "refused" or "error".
func whose(t testing.TB, s *auth.Source, o string, read bool) string {
	t.Helper()
	cred, err := s.ForOwner(context.Background(), "github.com", owner(o), read)
	var missing *auth.NotInstalledError
	switch {
	case errors.As(err, &missing):
		return "refused"
	case err != nil:
		t.Logf("ForOwner(%q): %v", o, err)
		return "error"
	case cred.Anonymous():
		return "anonymous"
	}
	if cred.Bearer() == nil || cred.Token() == nil || cred.Basic() == nil {
		t.Errorf("ForOwner(%q): a form is missing", o)
	}
	return fmt.Sprintf("%d of %s", cred.Installation, cred.App.Name)
}

func wantCalls(t testing.TB, a *api, want ...string) {
	t.Helper()
	if got := a.take(); !slices.Equal(got, want) {
		t.Errorf("GitHub was asked\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func mustToken(t testing.TB, s *auth.Source, o string) string {
	t.Helper()
	cred, err := s.ForOwner(context.Background(), "github.com", owner(o), true)
	if err != nil || cred.Anonymous() {
		t.Fatalf("ForOwner(%q) = %v, %v, want a token", o, cred, err)
	}
	return strings.TrimPrefix(cred.Bearer()[0], "Bearer ")
}
