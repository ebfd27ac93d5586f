package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/governor"
	"ghapp-proxy/replay"
)

// replaceInterval is how often the token of an installation may be replaced
// because GitHub refused it: no client can make us mint in a loop.
const replaceInterval = time.Minute

// reissueInterval is how often a token may be replaced because its installation was
// granted more.
const reissueInterval = 10 * time.Second

// cached returns the installation's token if there is one, which is renewed in the
// background towards its end; else nil.
func (t *tokens) cached(m *minter, narrow *github.Narrowing) *Token {
	key, now := m.tokenKey(narrow), m.clock.now()
	token := t.valid(key, now)
	if token != nil && token.due(now) {
		t.renew(key, token, m, narrow)
	}
	return token
}

// get returns the installation's token: the one that is cached, or one that is
// minted once for everybody who is waiting. A waiter that leaves does not stop the
// mint.
func (t *tokens) get(ctx context.Context, m *minter, narrow *github.Narrowing) (*Token, error) {
	if token := t.cached(m, narrow); token != nil {
		return token, nil
	}
	key := m.tokenKey(narrow)
	if err := t.refusal(m.flight(key)); err != nil {
		return nil, err
	}
	return onceLimited(ctx, t.flights, m.flight(key), func(ctx context.Context) (*Token, error) {
		return t.mint(ctx, key, m, narrow, 0)
	})
}

// renew replaces a token that is still good, while it is used on. A failure
// changes nothing until the token's end; a request after some time tries again.
func (t *tokens) renew(key string, token *Token, m *minter, narrow *github.Narrowing) {
	t.spawn(func(ctx context.Context) {
		err := t.mintInsteadOf(ctx, key, token, m, narrow)
		if err == nil || ctx.Err() != nil {
			return
		}
		wait := token.postpone(m.clock.now())
		t.log.Warn("could not renew a token, which is used until its end",
			"app", m.Name, "installation", int64(m.id), "until", token.until, "again in", wait, "error", err)
	})
}

// mintInsteadOf mints another token in place of one that stays good.
func (t *tokens) mintInsteadOf(ctx context.Context, key string, token *Token, m *minter, narrow *github.Narrowing) error {
	_, err := once(ctx, t.flights, m.flight(key), func(ctx context.Context) (*Token, error) {
		return t.mint(ctx, key, m, narrow, token.Generation)
	})
	return err
}

// mint returns a token of another generation than one: that which somebody has
// minted meanwhile, or one that is minted and filed, unless it cannot be used
// twice. What GitHub refused a moment ago it is not asked again.
func (t *tokens) mint(ctx context.Context, key string, m *minter, narrow *github.Narrowing, besides uint64) (*Token, error) {
	unlock, err := t.memory.lock(ctx, key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if token := t.valid(key, m.clock.now()); token != nil && token.Generation != besides {
		return token, nil
	}
	if err := t.refusal(m.flight(key)); err != nil {
		return nil, err
	}
	if refused, ok := t.replaced.get(key); ok && besides == 0 {
		besides = refused // which may be there again, where the store has lost a few seconds
	}
	return t.mintForAll(ctx, key, m, narrow, besides)
}

// reissue mints another token in place of one that stays good, unless that was
// done a moment ago.
func (t *tokens) reissue(ctx context.Context, m *minter, narrow *github.Narrowing, old *Token) error {
	key := m.tokenKey(narrow)
	if current := t.valid(key, m.clock.now()); current == nil || current.Generation != old.Generation {
		return nil // somebody else has
	}
	_, err := once(ctx, t.flights, "regrant|"+m.flight(key), func(ctx context.Context) (struct{}, error) {
		if _, ok := t.replaced.get(key + "|grant"); ok {
			return struct{}{}, nil
		}
		t.replaced.set(key+"|grant", old.Generation, reissueInterval)
		t.log.Info("the installation was granted more than its token: minting another", "app", m.Name, "installation", int64(m.id))
		return struct{}{}, t.mintInsteadOf(ctx, key, old, m, narrow)
	})
	return err
}

// discard sees to it that a refused token is not handed out again. It reports
// false where that happened less than a minute ago to the one before.
func (t *tokens) discard(ctx context.Context, m *minter, narrow *github.Narrowing, refused *Token) bool {
	key := m.tokenKey(narrow)
	t.discarding.Lock() // all that were refused at once get the same answer
	defer t.discarding.Unlock()
	current := t.memory.get(key)
	if current == nil || current.Generation != refused.Generation {
		return true // by somebody else
	}
	if _, ok := t.replaced.get(key); ok {
		return false
	}
	if may, ok := m.vault.Replace(ctx, sharedToken(key), refused.Generation, replaceInterval); ok && !may {
		return false // another replica has replaced the one before
	}
	t.replaced.set(key, refused.Generation, replaceInterval)
	t.memory.delete(key, refused.Generation)
	t.issued.delete(refused.name())
	m.vault.tellDrop(refused.Generation)
	t.log.Warn("GitHub refuses a token that should be good: minting another", "app", m.Name, "installation", int64(m.id))
	return true
}

// tokenAuthority sends an installation token: where GitHub may not know it yet it
// waits, else it takes another one, once.
type tokenAuthority struct {
	tokens   *tokens
	minter   *minter
	narrow   *github.Narrowing
	token    *Token
	waits    waits
	replaced bool
	fixed    bool // the token is not replaced
}

func (a *tokenAuthority) authorization() ([]string, error) {
	return a.token.header(a.minter.Signers).authorization(SchemeBearer)
}

// bucket is asked before it is sent.
func (a *tokenAuthority) bucket() *governor.Bucket { return a.minter.quota.bucket }

func (a *tokenAuthority) observe(resp *http.Response) {
	a.minter.clock.observe(resp.Header.Get("Date"), resp.Header.Get("Age"))
	a.minter.observeQuota(resp.Header)
}

func (a *tokenAuthority) complaint(resp *http.Response) complaints {
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return aboutToken
	case resp.StatusCode == http.StatusForbidden && a.token.young() && isInaccessible(replay.Peek(resp)):
		return aboutGrant
	}
	return 0
}

func (a *tokenAuthority) abandon(complaints) {}

func (a *tokenAuthority) tally() *counts { return &a.minter.counts }

// heal waits, or takes another token. The error is that of a mint.
func (a *tokenAuthority) heal(ctx context.Context, _ *http.Response, about complaints) (again bool, err error) {
	switch {
	case about == aboutGrant:
		return a.waits < maxGrantWaits && a.waits.wait(ctx), nil
	case (a.token.young() || a.waits > 0) && a.waits < maxTokenWaits:
		return a.waits.wait(ctx), nil
	case a.replaced || a.fixed:
		return false, nil
	}
	a.replaced = true
	if !a.tokens.discard(ctx, a.minter, a.narrow, a.token) {
		return false, nil
	}
	a.token, err = a.tokens.get(ctx, a.minter, a.narrow)
	return err == nil, err
}

// proofAuthority sends a token as it is, to see whether GitHub knows it.
type proofAuthority struct{ tokenAuthority }

func (a *proofAuthority) complaint(*http.Response) complaints { return 0 }

// metadataOnly is what a token needs to list its repositories, or to name one.
var metadataOnly = func() *github.Narrowing {
	n, err := github.NewNarrowing(nil, nil, map[string]string{"metadata": "read"})
	if err != nil {
		panic(err)
	}
	return n
}()

// doAs is caller.do with an installation's token. One that was revoked is replaced:
// it may be one that nobody else uses.
func (t *tokens) doAs(ctx context.Context, call apiCall, m *minter, narrow *github.Narrowing, out any) error {
	token, err := t.get(ctx, m, narrow)
	if err != nil {
		return err
	}
	return m.doAs(ctx, call, out, func() (authority, error) {
		return &tokenAuthority{tokens: t, minter: m, narrow: narrow, token: token}, nil
	})
}

// try waits until GitHub knows a token, once for everybody who waits.
func (t *tokens) try(ctx context.Context, m *minter, token *Token) error {
	call := apiCall{method: http.MethodGet, path: "/rate_limit", action: "try a token"}
	flight := "prove|" + token.header(m.Signers).fingerprint
	_, err := once(ctx, t.flights, flight, func(ctx context.Context) (ignored struct{}, err error) {
		return ignored, m.doAs(ctx, call, &ignored, func() (authority, error) {
			return &tokenAuthority{minter: m, token: token, fixed: true}, nil
		})
	})
	return err
}

// blamesToken reports whether GitHub refused a token that it may not know yet,
// or not with its permissions.
func (e *Error) blamesToken() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden && strings.Contains(e.Message, "not accessible by integration")
}
