package auth

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

const (
	maxTokens    = 15000   // tokens kept, as @octokit/auth-app does
	maxTokenSize = 8 << 10 // of one token; GitHub's have 40 or about 520 characters
)

// tokenPattern is what may be put into a header: both formats that GitHub
// mints (ghs_ and 36 characters, ghs_APPID_JWT), and whatever they become.
// It is the token68 of RFC 9110, section 11.2, and the underscore it lacks.
var tokenPattern = regexp.MustCompile(`^[0-9A-Za-z._~+/-]+=*$`)

// installation is one installation of one App, with the key of its token.
type installation struct {
	app   *appState
	id    InstallationID
	key   string
	quota *quota

	mappings []mapping             // the owners that the configuration gives it to
	watched  atomic.Bool           // that was compared with what GitHub says
	account  atomic.Pointer[Owner] // where GitHub says it is, nil if it was not asked

	settings   []string    // the keys that name it in the configuration, as "app.ci-bot.installations.acme"
	discovered bool        // GitHub told, rather than the configuration
	again      bool        // … and again a moment after it had said that it is gone
	gone       atomic.Bool // GitHub told so when asked for a token
}

func newInstallation(app *appState, id InstallationID) *installation {
	return &installation{app: app, id: id, key: fmt.Sprintf("token|%s%d", app.prefix, id), quota: app.quotas.of(id)}
}

func discovered(app *appState, id InstallationID) *installation {
	inst := newInstallation(app, id)
	inst.discovered = true
	_, inst.again = app.vanished.get(inst.key)
	return inst
}

// vanish notes that GitHub does not know an installation that it named itself.
// Where it names it again, that is believed for a moment only.
func (i *installation) vanish() {
	i.app.vanished.set(i.key, struct{}{}, refusedFor)
	i.gone.Store(true)
}

// tokenKey is what a token of the installation is filed under.
func (i *installation) tokenKey(narrow *Narrowing) string {
	if narrow == nil {
		return i.key
	}
	return i.key + "|" + narrow.key
}

// formerKey, after a token's key, files the one that it renewed: for Revoke.
const formerKey = "|former"

// held returns the installation's token if there is one, which is renewed in the
// background towards its end; else nil.
func (s *Source) held(inst *installation, narrow *Narrowing) *header {
	key, now := inst.tokenKey(narrow), inst.app.clock.now()
	m := s.cached(key, now)
	if m == nil {
		return nil
	}
	if m.due(now) {
		s.renew(key, m)
	}
	return m.header
}

// token returns the installation's token: the one that is held, or one that is
// minted once for everybody who is waiting. A waiter that leaves does not stop the
// mint.
func (s *Source) token(ctx context.Context, inst *installation, narrow *Narrowing) (*header, error) {
	if h := s.held(inst, narrow); h != nil {
		return h, nil
	}
	key := inst.tokenKey(narrow)
	if err := s.refusal(key); err != nil {
		return nil, err
	}
	m, err := asking(ctx, s, key, func(ctx context.Context) (*minted, error) {
		if m := s.cached(key, inst.app.clock.now()); m != nil {
			return m, nil
		}
		return s.mintAndKeep(ctx, key, inst, narrow)
	})
	if err != nil {
		return nil, err
	}
	return m.header, nil
}

// cached returns the token filed under key if it can be used, else nil.
func (s *Source) cached(key string, now time.Time) *minted {
	if m, ok := s.tokens.get(key); ok && now.Before(m.until) {
		return m
	}
	return nil
}

// mintAndKeep mints a token and files it, unless it cannot be used twice. What
// GitHub refused a moment ago it is not asked again.
func (s *Source) mintAndKeep(ctx context.Context, key string, inst *installation, narrow *Narrowing) (*minted, error) {
	if err := s.refusal(key); err != nil {
		return nil, err
	}
	h, expires, err := s.mint(ctx, inst, narrow)
	if err != nil {
		s.remember(key, err)
		return nil, err
	}
	now := inst.app.clock.now()
	m := newMinted(h, inst, narrow, expires, now)
	use := m.until.Sub(now)
	if use <= 0 {
		return m, nil // an old one may be good for longer
	}
	if old := s.cached(key, now); old != nil {
		s.keep(key+formerKey, old, old.expires.Sub(now)) // instead of its own former one, which has expired
	}
	s.keep(key, m, use)
	return m, nil
}

// mint creates an installation token: docs.github.com "Generating an
// installation access token for a GitHub App".
func (s *Source) mint(ctx context.Context, inst *installation, narrow *Narrowing) (*header, time.Time, error) {
	var answer mintAnswer
	c := apiCall{
		app: inst.app, method: "POST", path: fmt.Sprintf("/app/installations/%d/access_tokens", inst.id),
		action: fmt.Sprintf("mint a token for installation %d", inst.id), inst: inst,
	}
	if narrow != nil {
		c.body = narrow.body
		c.action += " narrowed to " + clean(narrow.String())
	}
	if err := s.do(ctx, c, &answer); err != nil {
		return nil, time.Time{}, err
	}
	if len(answer.token) > maxTokenSize || !tokenPattern.MatchString(answer.token) {
		return nil, time.Time{}, c.fail(errNoToken)
	}
	s.log.Info("minted a token", "app", inst.app.Name, "installation", int64(inst.id), "expires", answer.expires)
	h := newTokenHeader(inst.app.App, answer.token)
	h.grant = answer.grant()
	if !narrow.allows(h.grant) {
		return nil, time.Time{}, c.fail(errOtherRepository)
	}
	return h, answer.expires, nil
}

// mintAnswer is GitHub's answer to a mint.
type mintAnswer struct {
	token   string
	expires time.Time
	grantAnswer
}

// read implements listed.
func (a *mintAnswer) read(in *items) error {
	*a = mintAnswer{} // not of an attempt before
	return in.fields(func(name string) error {
		switch name {
		case "token":
			return in.next(&a.token)
		case "expires_at":
			return a.readExpiry(in)
		default:
			return a.grantAnswer.read(in, name)
		}
	})
}

// dateForms are those of ISO 8601, beside RFC 3339's, in which an instance might
// say when a token ends. All of them may have fractions of seconds.
var dateForms = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST"}

// readExpiry reads when the token ends.
func (a *mintAnswer) readExpiry(in *items) error {
	var text string
	if err := in.next(&text); err != nil || text == "" {
		return err
	}
	for _, form := range dateForms {
		expires, err := time.Parse(form, strings.ToUpper(text)) // RFC 3339, section 5.6: t and z are as good
		if err == nil && (form != "2006-01-02 15:04:05 MST" || expires.Location() == time.UTC) {
			a.expires = expires
			return nil
		}
	}
	return errNotJSON
}
