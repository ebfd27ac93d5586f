package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

// KeyComplaint is in the message of the 401 for a JWT whose signature is by
// none of the App's keys: octokit/auth-app.js issue 375.
const KeyComplaint = "A JSON web token could not be decoded"

// keyring makes and keeps one App's JWT, signed by the first of its keys that
// GitHub accepts. It is safe for concurrent use.
type keyring struct {
	app   *App
	clock *clock
	log   *slog.Logger

	current atomic.Pointer[signed] // nil before the first, and after a refusal

	mu      sync.Mutex
	draft   *draft
	refused int       // how often a JWT was: work done before says nothing
	good    int       // index of the key that GitHub accepted last
	settled time.Time // GitHub refused all keys: they are not tried in turn before this

	failure error // why nothing could be signed, which is believed until a time
	until   time.Time
}

// draft is a JWT without its signature.
type draft struct {
	input       []byte               // header and claims, as they are signed
	made, until time.Time            // by GitHub's clock: it is used between these
	skew        time.Duration        // of the clock when it was made
	refused     map[string]time.Time // signature that GitHub does not accept → when that may have changed
}

// signed is a JWT.
type signed struct {
	*header
	*draft
	key       int // index of the Signer
	signature []byte
}

// jwt returns an App's JWT, which is signed once for everybody who is waiting.
// The error is a *SigningError or about ctx.
func (s *Source) jwt(ctx context.Context, app *appState) (*header, error) {
	if h := app.keyring.usable(); h != nil {
		return h, nil
	}
	flight := fmt.Sprintf("jwt|%s%d", app.prefix, app.keyring.refusals())
	return once(ctx, s, flight, app.keyring.sign)
}

// jwtInsteadOf returns a JWT by another key for one that GitHub refused, or by
// the same Signer if it has another key now; nil if all have been refused.
func (s *Source) jwtInsteadOf(ctx context.Context, app *appState, refused *header) (*header, error) {
	if !app.keyring.refuse(refused) {
		return nil, nil
	}
	h, err := s.jwt(ctx, app)
	if err != nil || app.keyring.isSettled() {
		return nil, err
	}
	return h, nil
}

// authenticate makes the call once, as the App unless the call says otherwise;
// where GitHub does not know the key, once with each.
func (s *Source) authenticate(ctx context.Context, c apiCall, out any) *Error {
	if !c.as.Anonymous() {
		return s.try(ctx, c, out)
	}
	jwt, err := s.jwt(ctx, c.app)
	if err != nil {
		return c.unsigned(err)
	}
	for tries := 0; ; tries++ {
		c.as = Credential{header: jwt}
		refused := s.try(ctx, c, out)
		if refused == nil {
			c.app.keyring.accept(jwt)
			return nil
		}
		if !refused.blamesKey() {
			return refused
		}
		jwt, err = s.jwtInsteadOf(ctx, c.app, jwt)
		if jwt == nil || err != nil || tries == len(c.app.Signers) {
			return refused // GitHub's own words say it best
		}
	}
}

// otherKey is jwtInsteadOf for a Credential, which it returns for nil.
func (s *Source) otherKey(ctx context.Context, refused Credential) (Credential, error) {
	apps := s.candidates(refused.App.Host, refused.App.Name)
	if len(apps) == 0 {
		return refused, nil
	}
	h, err := s.jwtInsteadOf(ctx, apps[0], refused.header)
	if h != nil {
		refused.header = h
	}
	return refused, err
}

// blamesKey reports whether GitHub refused a JWT because of its signature.
func (e *Error) blamesKey() bool {
	return e.Status == http.StatusUnauthorized && strings.Contains(e.Message, KeyComplaint)
}

// usable returns the JWT, nil if it is about to expire, or the clock was set
// back or found to be wrong since it was made.
func (k *keyring) usable() *header {
	j := k.current.Load()
	if j == nil || !j.good(k.clock) {
		return nil
	}
	return j.header
}

func (d *draft) good(clock *clock) bool {
	now := clock.now()
	return !now.Before(d.made) && now.Before(d.until) && (clock.skew()-d.skew).Abs() <= jwtSkew
}

func (k *keyring) refusals() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refused
}

func (k *keyring) isSettled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Before(k.settled)
}

// accept notes that GitHub knows the key of a JWT.
func (k *keyring) accept(h *header) {
	if j := k.current.Load(); j != nil && j.header == h {
		k.mu.Lock()
		k.good = j.key
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
	case time.Now().Before(k.settled):
		return false
	case j != nil && j.header == h: // else another has taken its place, or is being made
		j.draft.refused[string(j.signature)] = time.Now().Add(refusedFor)
		k.refused++
		k.current.Store(nil)
	}
	return true
}

// sign makes the JWT. It holds no lock while a Signer works.
func (k *keyring) sign(ctx context.Context) (*header, error) {
	if h := k.usable(); h != nil {
		return h, nil
	}
	d, err := k.begin()
	if err != nil {
		return nil, err
	}
	signatures := make([][]byte, len(k.app.Signers))
	var failed error
	for i, signer := range k.app.Signers {
		signature, err := signer.Sign(ctx, d.input)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
			k.log.Warn("could not sign with a key of the App", "app", k.app.Name, "key", signer.String(), "error", clean(err.Error()))
		case !k.isRefused(d, signature):
			return k.keep(d, i, signature), nil
		default:
			signatures[i] = signature
		}
	}
	return k.settle(d, signatures, failed)
}

// begin returns what is to be signed: the same until it expires, so that a key
// that was tried is recognized.
func (k *keyring) begin() (*draft, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil && time.Now().Before(k.until) {
		return nil, k.failure
	}
	if k.draft == nil || !k.draft.good(k.clock) {
		d, err := newDraft(k.app, k.clock)
		if err != nil {
			return nil, err
		}
		k.draft = d
	}
	return k.draft, nil
}

func newDraft(app *App, clock *clock) (*draft, error) {
	now, skew := clock.now(), clock.skew()
	// GitHub wants whole seconds; a map keeps aud, nbf and the like out.
	input, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iat": now.Add(-jwtBackdate).Unix(),
		"exp": now.Add(jwtLifetime).Unix(),
		"iss": app.issuer(),
	}).SigningString()
	if err != nil {
		return nil, &SigningError{Err: err}
	}
	return &draft{input: []byte(input), made: now, until: now.Add(jwtLifetime - jwtReserve), skew: skew, refused: make(map[string]time.Time)}, nil
}

// keep makes a JWT the current one.
func (k *keyring) keep(d *draft, key int, signature []byte) *header {
	text := string(d.input) + "." + base64.RawURLEncoding.EncodeToString(signature)
	j := &signed{header: newJWTHeader(k.app, text), draft: d, key: key, signature: signature}
	k.mu.Lock()
	k.current.Store(j)
	k.failure = nil
	another := key > 0 && len(d.refused) > 0
	k.mu.Unlock()
	if another {
		k.log.Warn("GitHub refuses a key of the App: using another", "app", k.app.Name, "key", k.app.Signers[key].String())
	}
	return j.header
}

// settle ends a search without success. Where GitHub refused all keys, the JWT
// by the one that it accepted last is kept, in case that GitHub was wrong: each
// request finds out for itself, but for a moment none tries all keys.
func (k *keyring) settle(d *draft, signatures [][]byte, failed error) (*header, error) {
	k.mu.Lock()
	key := k.good
	for i, signature := range signatures {
		if signatures[key] == nil && signature != nil {
			key = i
		}
	}
	if len(signatures) == 0 || signatures[key] == nil {
		k.failure, k.until = &SigningError{Err: cmp.Or(failed, errNoKey)}, time.Now().Add(refusedFor)
		err := k.failure
		k.mu.Unlock()
		return nil, err
	}
	clear(d.refused)
	k.settled = time.Now().Add(refusedFor)
	k.mu.Unlock()
	k.log.Warn("GitHub accepts no key of the App", "app", k.app.Name, "keys", len(signatures), "remedy", k.app.keyRemedy())
	return k.keep(d, key, signatures[key]), nil
}

// isRefused reports whether GitHub refused a signature a moment ago, or so many
// that a Signer must be making another one each time, as for RSASSA-PSS.
func (k *keyring) isRefused(d *draft, signature []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(d.refused, func(_ string, until time.Time) bool { return !now.Before(until) })
	_, refused := d.refused[string(signature)]
	return refused || len(d.refused) > len(k.app.Signers)
}

// errNoKey is for an App without a Signer, which can be planned for only.
var errNoKey = errors.New("the App has no private key")

// unsigned is fail where there is no JWT to make the call with.
func (c apiCall) unsigned(err error) *Error {
	e := c.fail(err)
	if signing, ok := errors.AsType[*SigningError](err); ok {
		e.Remedy = signing.Remedy()
	}
	return e
}

// keyRemedy says what to do where GitHub accepts no key.
func (a *App) keyRemedy() string {
	which := "the private key belongs"
	if n := len(a.Signers); n > 1 {
		which = fmt.Sprintf("one of the %d private keys belongs", n)
	}
	return "check that " + which + " to the App, whose page shows the fingerprints that `ghapp-proxy check` prints, and that id or client_id is the App's" + a.oldServer()
}
