package auth

import (
	"context"
	"fmt"
	"net/http"

	"ghapp-proxy/github"
)

// minter is where the tokens of one installation of an App come from.
type minter struct {
	*caller
	id      github.InstallationID
	key     string // within this Source
	filed   string // under which its token is filed: the same for all who have the App
	quota   *quota
	unknown func() string // the remedy where GitHub does not know the installation
}

func newMinter(c *caller, id github.InstallationID) minter {
	return minter{
		caller: c, id: id, key: fmt.Sprintf("installation|%s%d", c.prefix, id),
		filed: filedUnder(c.App, id), quota: c.quotas.of(id),
	}
}

// filedUnder is what the tokens of an installation are filed under that are not
// narrowed.
func filedUnder(app *App, id github.InstallationID) string {
	return fmt.Sprintf("token|%s|%d", app.identifier(), id)
}

// tokenKey is what a token of the installation is filed under.
func (m *minter) tokenKey(narrow *github.Narrowing) string {
	if narrow == nil {
		return m.filed
	}
	return m.filed + "|" + narrow.Key()
}

// flight is the question for a token that is filed under key. The same App is asked
// with the keys that it has now.
func (m *minter) flight(key string) string { return m.prefix + key }

// keep is the grant as it is kept: that of the App's last mint where both are the same, as for most
// installations of an App.
func (c *caller) keep(g *Grant) *Grant {
	if g.Repositories != nil {
		return g
	}
	if last := c.granted.Load(); last != nil && last.equal(g) {
		return last
	}
	c.granted.Store(g)
	return g
}

// mint creates an installation token: docs.github.com "Generating an
// installation access token for a GitHub App".
func (m *minter) mint(ctx context.Context, narrow *github.Narrowing) (*Token, error) {
	var answer mintAnswer
	call := apiCall{
		method: http.MethodPost, path: fmt.Sprintf("/app/installations/%d/access_tokens", m.id),
		action: fmt.Sprintf("mint a token for installation %d", m.id), unknown: m.unknown,
	}
	if narrow != nil {
		call.body = []byte(narrow.String())
		call.action += " narrowed to " + github.Redact(narrow.String())
	}
	if err := m.do(ctx, call, &answer); err != nil {
		return nil, err
	}
	if !isToken(answer.token) {
		return nil, m.failed(call, errNoToken)
	}
	m.log.Info("minted a token", "app", m.Name, "installation", int64(m.id), "expires", answer.expires)
	grant := answer.grant()
	if grant.exceeds(narrow) {
		e := m.failed(call, errOtherRepository)
		e.lasting = true
		return nil, e
	}
	token := newToken(answer.token, m.keep(grant), answer.expires, m.clock.now())
	token.header(m.Signers)
	return token, nil
}
