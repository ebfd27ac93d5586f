package githubtest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// TokenFormat is the form of a minted token.
type TokenFormat int

// The forms of tokens:
// https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
const (
	TokenAlternate TokenFormat = iota // classic and stateless in turn
	TokenClassic                      // ghs_ and 36 characters
	TokenStateless                    // ghs_APPID_JWT, about 520 characters
)

// Canary is contained in every secret the fake makes up, private keys
// excepted.
const Canary = "CANARY"

// token is an installation access token.
type token struct {
	value        string
	app          int64
	installation int64
	minted       time.Time // by the unskewed clock
	expires      time.Time
	revoked      bool
	repos        []int64           // nil: all of the installation
	permissions  map[string]string // as asked for, or nil: those of the installation
}

// tokenStore holds every token ever minted, for a test may run an hour of fake
// time and still want to know whose an expired token was.
type tokenStore struct {
	byValue map[string]*token
	order   []*token
	mints   int
	classic bool // the format of the last token, for TokenAlternate
}

func newTokenStore() tokenStore { return tokenStore{byValue: make(map[string]*token)} }

// Mints returns how many tokens were minted over HTTP since the last Reset.
func (s *Server) Mints() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.mints
}

// MintToken mints a token for the installation directly, without an HTTP request,
// with all its permissions. It does not count as one of Mints.
func (s *Server) MintToken(installation int64) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.world.installations[installation]
	if in == nil {
		return "", fmt.Errorf("mint token: no installation %d", installation)
	}
	return s.newToken(in, s.nextFormat()).value, nil
}

// RevokeAll makes every token minted so far unknown.
func (s *Server) RevokeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens.order {
		t.revoked = true
	}
}

// ExpireAll makes every token minted so far expire now.
func (s *Server) ExpireAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	for _, t := range s.tokens.order {
		if t.expires.After(now) {
			t.expires = now
		}
	}
}

// SetTokenLifetime changes how long tokens minted from now on are good for.
func (s *Server) SetTokenLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.TokenLifetime = d
}

// nextFormat chooses the form of the next token.
func (s *Server) nextFormat() TokenFormat {
	if s.opts.TokenFormat != TokenAlternate {
		return s.opts.TokenFormat
	}
	s.tokens.classic = !s.tokens.classic
	if s.tokens.classic {
		return TokenClassic
	}
	return TokenStateless
}

func (s *Server) newToken(in *Installation, format TokenFormat) *token {
	now := s.clock()
	t := &token{
		app: in.App, installation: in.ID,
		minted: s.opts.Now(),
		// expires_at has a resolution of a second.
		expires: now.Add(s.opts.TokenLifetime).Truncate(time.Second),
	}
	if format == TokenStateless {
		t.value = statelessToken(in, t.expires)
	} else {
		t.value = "ghs_" + Canary + randomText(30, alphanumeric)
	}
	s.tokens.byValue[t.value] = t
	s.tokens.order = append(s.tokens.order, t)
	s.secret = append(s.secret, t.value)
	return t
}

// statelessToken imitates the stateless format: a JWT of an internal issuer
// that only GitHub can verify. About 520 characters, with dots, dashes and
// underscores, says GitHub's changelog of 2026-04-24.
func statelessToken(in *Installation, expires time.Time) string {
	header := `{"alg":"ES256","typ":"JWT","kid":"` + randomText(16, alphanumeric) + `"}`
	payload, err := json.Marshal(map[string]any{
		"iss": "https://token.actions.github.internal", "aud": "github-api",
		"sub": fmt.Sprintf("installation:%d", in.ID), "exp": expires.Unix(),
		"jti": randomText(36, alphanumeric), "ctx": randomText(100, alphanumeric),
	})
	if err != nil {
		panic(err) // a map of text and numbers always marshals
	}
	enc := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf("ghs_%d_%s.%s.%s-_%s", in.App, enc([]byte(header)), enc(payload),
		Canary, randomText(78, alphanumeric+"-_"))
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomText returns n random characters of alphabet, nearly uniformly.
func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// effective returns the token's permissions: what it was minted with, as far as
// the installation still has it.
func (s *Server) effective(t *token) map[string]string {
	in := s.world.installations[t.installation]
	if in == nil {
		return nil
	}
	if t.permissions == nil {
		return in.Permissions
	}
	out := make(map[string]string)
	for name, level := range t.permissions {
		if granted, ok := in.Permissions[name]; ok {
			out[name] = level
			if levels[granted] < levels[level] {
				out[name] = granted
			}
		}
	}
	return out
}

// inScope reports whether the token covers the repository.
func (s *Server) inScope(t *token, r *repository) bool {
	in := s.world.installations[t.installation]
	if in == nil || !in.covers(r) {
		return false
	}
	return t.repos == nil || slices.Contains(t.repos, r.id)
}

func (s *Server) scopeOf(t *token) *Scope {
	sc := &Scope{Permissions: maps.Clone(s.effective(t))}
	for _, id := range t.repos {
		if r := s.world.repos[id]; r != nil {
			sc.Repositories = append(sc.Repositories, r.fullName())
		}
	}
	return sc
}
