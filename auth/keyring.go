package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/github"

	"github.com/golang-jwt/jwt/v5"
)

// GitHub accepts a JWT whose exp is at most ten minutes ahead of its own clock
// and whose iat is not in the future; docs.github.com "Generating a JSON Web
// Token (JWT) for a GitHub App" recommends to date iat 60 seconds back.
const (
	jwtBackdate = 60 * time.Second
	jwtLifetime = 9 * time.Minute // from now; the rest is for a clock ahead of GitHub's
	jwtReserve  = time.Minute     // a JWT is renewed when it has less than this left
)

// keyRetry is after how long a key that GitHub refused, or that could not sign, is
// tried again.
const keyRetry = 10 * time.Second

// KeyComplaint is in the message of the 401 for a JWT whose signature is by
// none of the App's keys: octokit/auth-app.js issue 375.
const KeyComplaint = "A JSON web token could not be decoded"

// keyring makes and keeps one App's JWT, signed by the first of its keys that
// GitHub accepts. It is safe for concurrent use.
type keyring struct {
	name    string // the App's
	issuer  string // the iss claim of its JWTs
	signers []Signer
	remedy  string // for the log, where GitHub accepts none
	clock   *clock
	log     *slog.Logger

	current atomic.Pointer[signed] // nil before the first, and after a refusal

	mu              sync.Mutex
	claims          *claims
	generation      int       // counts refusals: a JWT that is being signed may be one of the generation before
	accepted        int       // index of the key that GitHub accepted last
	allRefusedUntil time.Time // until then the keys are not tried in turn

	failure      error // why nothing could be signed
	failureUntil time.Time
}

// claims are a JWT without its signature.
type claims struct {
	signingInput []byte               // RFC 7515, section 2
	made, until  time.Time            // by GitHub's clock: it is used between these
	skew         time.Duration        // of the clock when it was made
	refused      map[string]time.Time // signature that GitHub does not accept → when that may have changed
}

// signed is a JWT.
type signed struct {
	*header
	*claims
	key       int // index of the Signer
	signature []byte
}

// usable returns the JWT, nil if it is about to expire, or the clock was set
// back or found to be wrong since it was made.
func (k *keyring) usable() *header {
	j := k.current.Load()
	if j == nil || !j.valid(k.clock) {
		return nil
	}
	return j.header
}

func (c *claims) valid(clock *clock) bool {
	now := clock.now()
	return !now.Before(c.made) && now.Before(c.until) && (clock.skew()-c.skew).Abs() <= jwtSkew
}

// currentGeneration changes with each refusal.
func (k *keyring) currentGeneration() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.generation
}

// allRefused reports whether GitHub refused every key a moment ago.
func (k *keyring) allRefused() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Before(k.allRefusedUntil)
}

// accept notes that GitHub knows the key of a JWT.
func (k *keyring) accept(h *header) {
	if j := k.current.Load(); j != nil && j.header == h {
		k.mu.Lock()
		k.accepted = j.key
		k.mu.Unlock()
	}
}

// refuse notes that GitHub does not know the key of a JWT, and reports whether
// there may be another.
func (k *keyring) refuse(h *header) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	j := k.current.Load()
	switch {
	case time.Now().Before(k.allRefusedUntil):
		return false
	case j != nil && j.header == h: // else another has taken its place, or is being made
		j.claims.refused[string(j.signature)] = time.Now().Add(keyRetry)
		k.generation++
		k.current.Store(nil)
	}
	return true
}

// sign makes the JWT. It holds no lock while a Signer works. The error is a
// *SigningError.
func (k *keyring) sign(ctx context.Context) (*header, error) {
	if h := k.usable(); h != nil {
		return h, nil
	}
	c, err := k.claimsNow()
	if err != nil {
		return nil, err
	}
	signatures := make([][]byte, len(k.signers))
	var failed error
	for i, signer := range k.signers {
		signature, err := signer.Sign(ctx, c.signingInput)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
			k.log.Warn("could not sign with a key of the App", "app", k.name, "key", signer.String(), "error", github.Redact(err.Error()))
		case !k.isRefused(c, signature):
			return k.use(c, i, signature), nil
		default:
			signatures[i] = signature
		}
	}
	return k.useRefused(c, signatures, failed)
}

// claimsNow returns what is to be signed: the same until it expires, so that a key
// that was tried is recognized.
func (k *keyring) claimsNow() (*claims, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil && time.Now().Before(k.failureUntil) {
		return nil, k.failure
	}
	if k.claims == nil || !k.claims.valid(k.clock) {
		c, err := newClaims(k.issuer, k.clock)
		if err != nil {
			return nil, err
		}
		k.claims = c
	}
	return k.claims, nil
}

func newClaims(issuer string, clock *clock) (*claims, error) {
	now, skew := clock.now(), clock.skew()
	// GitHub wants whole seconds; a map keeps aud, nbf and the like out.
	input, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iat": now.Add(-jwtBackdate).Unix(),
		"exp": now.Add(jwtLifetime).Unix(),
		"iss": issuer,
	}).SigningString()
	if err != nil {
		return nil, &SigningError{Err: err}
	}
	return &claims{signingInput: []byte(input), made: now, until: now.Add(jwtLifetime - jwtReserve), skew: skew, refused: make(map[string]time.Time)}, nil
}

// use makes a JWT the current one.
func (k *keyring) use(c *claims, key int, signature []byte) *header {
	text := string(c.signingInput) + "." + base64.RawURLEncoding.EncodeToString(signature)
	j := &signed{header: newHeader(KindJWT, "", text, "", k.signers), claims: c, key: key, signature: signature}
	k.mu.Lock()
	k.current.Store(j)
	k.failure = nil
	another := key > 0 && len(c.refused) > 0
	k.mu.Unlock()
	if another {
		k.log.Warn("GitHub refuses a key of the App: using another", "app", k.name, "key", k.signers[key].String())
	}
	return j.header
}

// useRefused ends a search without success. Where GitHub refused all keys, the JWT
// by the one that it accepted last is used, in case that GitHub was wrong: each
// request finds out for itself, but for a moment none tries all keys.
func (k *keyring) useRefused(c *claims, signatures [][]byte, failed error) (*header, error) {
	k.mu.Lock()
	key := k.accepted
	for i, signature := range signatures {
		if signatures[key] == nil && signature != nil {
			key = i
		}
	}
	if len(signatures) == 0 || signatures[key] == nil {
		k.failure, k.failureUntil = &SigningError{Err: cmp.Or(failed, errNoKey)}, time.Now().Add(keyRetry)
		err := k.failure
		k.mu.Unlock()
		return nil, err
	}
	clear(c.refused)
	k.allRefusedUntil = time.Now().Add(keyRetry)
	k.mu.Unlock()
	k.log.Warn("GitHub accepts no key of the App", "app", k.name, "keys", len(signatures), "remedy", k.remedy)
	return k.use(c, key, signatures[key]), nil
}

// isRefused reports whether GitHub refused a signature a moment ago, or so many
// that a Signer must be making another one each time, as for RSASSA-PSS.
func (k *keyring) isRefused(c *claims, signature []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(c.refused, func(_ string, until time.Time) bool { return !now.Before(until) })
	_, refused := c.refused[string(signature)]
	return refused || len(c.refused) > len(k.signers)
}

// errNoKey is for an App without a Signer, which can be planned for only.
var errNoKey = errors.New("the App has no private key")

// SigningError says that none of an App's Signers could sign its JWT.
type SigningError struct{ Err error }

// Error implements error.
func (e *SigningError) Error() string { return "sign a JWT: " + github.Redact(e.Err.Error()) }

// Unwrap returns what the Signers said.
func (e *SigningError) Unwrap() error { return e.Err }

// Remedy says what the person who runs the proxy can do, "" if the Signer does not.
func (e *SigningError) Remedy() string {
	if remedied, ok := errors.AsType[interface {
		error
		Remedy() string
	}](e.Err); ok {
		return remedied.Remedy()
	}
	return ""
}
