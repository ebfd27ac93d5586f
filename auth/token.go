package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const (
	maxTokens    = 15000   // tokens kept, as @octokit/auth-app does
	maxTokenSize = 8 << 10 // of one token; GitHub's have 40 or about 520 characters
)

// tokenPattern is what may be put into a header: both formats that GitHub
// mints (ghs_ and 36 characters, ghs_APPID_JWT), and whatever they become.
var tokenPattern = regexp.MustCompile(`^[0-9A-Za-z._~+/=-]+$`)

// installation is one installation of one App, with the key of its token.
type installation struct {
	app *appState
	id  InstallationID
	key string
}

func newInstallation(app *appState, id InstallationID) *installation {
	return &installation{app, id, "token|" + app.Host + "|" + app.Name + "|" + strconv.FormatInt(int64(id), 10)}
}

// token returns the installation's token: the cached one, or one that is
// minted once for everybody who is waiting. A waiter that leaves does not stop
// the mint.
func (s *Source) token(ctx context.Context, inst *installation) (*header, error) {
	if token, ok := s.tokens.get(inst.key); ok {
		return token, nil
	}
	return once(ctx, s, inst.key, func(ctx context.Context) (*header, error) {
		if token, ok := s.tokens.get(inst.key); ok {
			return token, nil
		}
		token, expires, err := s.mint(ctx, inst)
		if err != nil {
			return nil, err
		}
		s.tokens.set(inst.key, token, usable(time.Until(expires)))
		return token, nil
	})
}

// usable is how long a token that expires after left is handed out: up to a
// minute before it expires, or for half its life where that is shorter.
func usable(left time.Duration) time.Duration {
	return max(left-time.Minute, left/2)
}

// mint creates an installation token.
func (s *Source) mint(ctx context.Context, inst *installation) (*header, time.Time, error) {
	var answer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	action := fmt.Sprintf("mint a token for installation %d", inst.id)
	path := fmt.Sprintf("/app/installations/%d/access_tokens", inst.id)
	if err := s.call(ctx, inst.app, "POST", path, nil, action, &answer); err != nil {
		return nil, time.Time{}, err
	}
	if !tokenPattern.MatchString(answer.Token) || len(answer.Token) > maxTokenSize {
		return nil, time.Time{}, &Error{App: inst.app.Name, Action: action, Err: errors.New("GitHub's answer contains no usable token")}
	}
	s.log.Info("minted a token", "app", inst.app.Name, "installation", int64(inst.id), "expires", answer.ExpiresAt)
	return newTokenHeader(answer.Token), answer.ExpiresAt, nil
}

// newTokenHeader makes the forms in which an installation token is sent.
func newTokenHeader(token string) *header {
	return &header{
		secret: Secret(token),
		bearer: []string{"Bearer " + token},
		token:  []string{"token " + token},
		basic:  []string{basic("x-access-token", token)},
	}
}

// basic is RFC 7617's credential.
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
