package auth

import (
	"context"
	"fmt"
	"regexp"
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
	app *appState
	id  InstallationID
	key string

	discovered bool        // GitHub told, rather than the configuration
	gone       atomic.Bool // GitHub told so when asked for a token
}

func newInstallation(app *appState, id InstallationID) *installation {
	return &installation{app: app, id: id, key: fmt.Sprintf("token|%s%d", app.prefix, id)}
}

func discovered(app *appState, id InstallationID) *installation {
	inst := newInstallation(app, id)
	inst.discovered = true
	return inst
}

// token returns the installation's token: the cached one, or one that is
// minted once for everybody who is waiting. A waiter that leaves does not stop
// the mint.
func (s *Source) token(ctx context.Context, inst *installation, narrow *Narrowing) (*header, error) {
	key := inst.key
	if narrow != nil {
		key += "|" + string(narrow.body)
	}
	if token, ok := s.tokens.get(key); ok {
		return token, nil
	}
	return once(ctx, s, key, func(ctx context.Context) (*header, error) {
		if token, ok := s.tokens.get(key); ok {
			return token, nil
		}
		token, expires, err := s.mint(ctx, inst, narrow)
		if err != nil {
			return nil, err
		}
		token.key, token.narrow, token.minted = key, narrow, time.Now()
		s.tokens.set(key, token, usable(time.Until(expires)))
		return token, nil
	})
}

// usable is how long a token that expires after left is handed out: up to a
// minute before it expires, or for half its life where that is shorter. It is
// negative if the token expired long ago, or GitHub did not say when it will.
func usable(left time.Duration) time.Duration {
	if left < 2*time.Minute {
		return left / 2
	}
	return left - time.Minute
}

// mint creates an installation token: docs.github.com "Generating an
// installation access token for a GitHub App".
func (s *Source) mint(ctx context.Context, inst *installation, narrow *Narrowing) (*header, time.Time, error) {
	var answer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	c := apiCall{
		app: inst.app, method: "POST", path: fmt.Sprintf("/app/installations/%d/access_tokens", inst.id),
		action: fmt.Sprintf("mint a token for installation %d", inst.id),
	}
	if narrow != nil {
		c.body = narrow.body
		c.action += " narrowed to " + string(narrow.body)
	}
	if err := s.do(ctx, c, &answer); err != nil {
		return nil, time.Time{}, err
	}
	if len(answer.Token) > maxTokenSize || !tokenPattern.MatchString(answer.Token) {
		return nil, time.Time{}, c.fail(errNoToken)
	}
	s.log.Info("minted a token", "app", inst.app.Name, "installation", int64(inst.id), "expires", answer.ExpiresAt)
	return newTokenHeader(answer.Token), answer.ExpiresAt, nil
}
