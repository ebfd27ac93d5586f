package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// nameAccount names the account whose installation the client's placeholder chooses
// in a route that names nobody.
func (g *gateway) nameAccount(ctx context.Context, x *exchange, route *rules.Route) *answer.Refusal {
	p := x.placeholder
	want := auth.Want{App: p.app, Installation: p.installation, Narrow: p.narrow, Within: x.session.scope}
	cred, err := x.source.Token(ctx, p.instance, want)
	if err != nil {
		return credentialRefusal(err)
	}
	account, err := x.source.AccountOf(ctx, cred)
	if err != nil {
		return credentialRefusal(err)
	}
	route.Subject, route.Source = github.Account{Login: account.Login, Enterprise: account.Enterprise}, "placeholder"
	return nil
}

// chooseApp makes the route take the JWT of the App that the client's own
// names. Nobody could verify that, and nobody has to: any client may have it.
func (g *gateway) chooseApp(r *http.Request, x *exchange) *answer.Refusal {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") {
		return nil
	}
	issuer := auth.Issuer(strings.TrimSpace(token))
	if issuer == "" {
		return nil
	}
	app, err := x.source.AppOf(r.Context(), x.session.host.Instance, issuer)
	if err != nil {
		return credentialRefusal(err)
	}
	if x.Route.App != "" && x.Route.App != app {
		return otherApp.Refuse(app, x.Route.Rule, x.Route.App)
	}
	x.Route.App = app
	return nil
}

// What is refused to a program that authenticates as an App by itself.
var (
	otherApp = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title:  "the JWT is that of App %s, and rule[%d] chooses App %s",
		Remedy: "give the program the id of that one, or change the rule",
	})
	placeholderEnded = answer.Define(answer.Kind{
		Status: http.StatusUnauthorized, Code: answer.RequestDenied,
		Title:  "Bad credentials: this placeholder token has ended, or is not one of this proxy for this client and this host",
		Remedy: "ask for another one with POST /app/installations/{installation_id}/access_tokens",
	})
	badNarrowing = answer.Define(answer.Kind{
		Status: http.StatusUnprocessableEntity, Code: answer.RequestError,
		Title:  "%s",
		Remedy: "the body may have repositories, repository_ids and permissions; leave a list of repositories out rather than empty",
		About:  "the body of a request for an installation token is not clear",
	})
)

// endedRefusal answers who holds a placeholder that is not good. On the API it
// has the status by which programs know that they need another token, and no
// WWW-Authenticate, which GitHub does not send either.
func endedRefusal(route *rules.Route) *answer.Refusal {
	f := placeholderEnded.Refuse()
	if route.Form != answer.JSON {
		f.Status = http.StatusForbidden // git would ask for a password
	}
	return f
}

// issue answers a request for an installation token with a placeholder. The token
// behind it is minted at once: the program is told now what GitHub grants, or why
// it refuses.
func (g *gateway) issue(r *http.Request, x *exchange) *answer.Refusal {
	narrow, refused := readTokenRequest(r.Body, x.session.usage)
	if refused != nil {
		return refused
	}
	instance := x.session.host.Instance
	p := &placeholder{
		instance: instance, client: x.session.clientName(), installation: x.Route.InstallationID, narrow: narrow,
		app: decide.AppFor(x.source, &x.Route, instance, x.session.client),
	}
	want := decide.WantOf(&x.Route)
	want.Within = x.session.scope
	err := p.choose(&want, &x.Route)
	if err == nil {
		x.credential, err = x.source.Token(r.Context(), instance, want)
	}
	if err != nil {
		return issueRefusal(err, p)
	}
	g.give(r.Context(), x.source, p)
	x.placeholder = p
	x.answer = &ownAnswer{http.StatusCreated, tokenAnswer(p, x.credential.Grant())}
	return nil
}

// end answers a request that revokes its own token. Only a placeholder ends:
// what stands in for it is shared.
func (g *gateway) end(x *exchange) *answer.Refusal {
	switch {
	case x.sentPlaceholder == "":
		return decide.Revoked.Refuse()
	case x.placeholder == nil:
		return endedRefusal(&x.Route)
	}
	g.placeholders.end(x.placeholder)
	x.answer = &ownAnswer{status: http.StatusNoContent}
	return nil
}

// readTokenRequest reads the body of a request for a token: docs.github.com
// "Create an installation access token for an app". What is not understood is
// refused: it may have been meant to narrow the token.
func readTokenRequest(body io.Reader, u *usage) (*github.Narrowing, *answer.Refusal) {
	text, err := io.ReadAll(io.LimitReader(body, maxTokenRequest+1))
	var unread *bodyError
	switch {
	case errors.As(err, &unread):
		return nil, unread.refusal(u)
	case err != nil:
		return nil, badTokenRequest(http.StatusBadRequest, "the body could not be read: "+err.Error())
	case len(text) > maxTokenRequest:
		return nil, badTokenRequest(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxTokenRequest))
	case len(bytes.TrimSpace(text)) == 0:
		return nil, nil
	}
	var asked struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&asked); err != nil {
		return nil, badTokenRequest(http.StatusBadRequest, fmt.Sprintf("Problems parsing JSON: %.300v", err)) // it quotes the body
	}
	if _, err := in.Token(); err != io.EOF {
		return nil, badTokenRequest(http.StatusBadRequest, "Problems parsing JSON: there is something behind it")
	}
	// What is empty narrows nothing at GitHub: PyGithub sends no permissions, others
	// one list beside the other. Where no repository is listed at all, none may be
	// meant, and that would be a token for every one.
	if len(asked.Permissions) == 0 {
		asked.Permissions = nil
	}
	if len(asked.Repositories) > 0 && len(asked.RepositoryIDs) == 0 {
		asked.RepositoryIDs = nil
	}
	if len(asked.RepositoryIDs) > 0 && len(asked.Repositories) == 0 {
		asked.Repositories = nil
	}
	if asked.Repositories == nil && asked.RepositoryIDs == nil && asked.Permissions == nil {
		return nil, nil // also for null, which ghinstallation sends
	}
	narrow, err := github.NewNarrowing(asked.Repositories, asked.RepositoryIDs, asked.Permissions)
	if err != nil {
		return nil, badTokenRequest(http.StatusUnprocessableEntity, err.Error())
	}
	return narrow, nil
}

func badTokenRequest(status int, title string) *answer.Refusal {
	f := badNarrowing.Refuse(title)
	f.Status = status
	return f
}

// issueRefusal is credentialRefusal for somebody who has chosen the
// installation: GitHub's own status tells the program what is wrong.
func issueRefusal(err error, p *placeholder) *answer.Refusal {
	f := credentialRefusal(err)
	theirs, ok := errors.AsType[*auth.Error](err)
	switch {
	case !ok:
	case theirs.Status == http.StatusUnprocessableEntity:
		f.Status = theirs.Status
	case theirs.Status == http.StatusNotFound && theirs.Message == "Not Found":
		f.Status, f.Remedy = theirs.Status, fmt.Sprintf("check the installation id %d in the program: it does not exist, or is not App %s's", p.installation, p.app)
	}
	return f
}

// tokenAnswer is GitHub's answer with the placeholder for the token. Of
// repositories it has what tells them apart.
func tokenAnswer(p *placeholder, grant *auth.Grant) []byte {
	type owner struct {
		Login string `json:"login"`
	}
	type repository struct {
		ID       int64  `json:"id"`
		NodeID   string `json:"node_id"`
		Name     string `json:"name"`
		FullName string `json:"full_name"`
		Private  bool   `json:"private"`
		Owner    owner  `json:"owner"`
	}
	answer := struct {
		Token        string            `json:"token"`
		ExpiresAt    time.Time         `json:"expires_at"`
		Permissions  map[string]string `json:"permissions"`
		Selection    string            `json:"repository_selection,omitempty"`
		Repositories []repository      `json:"repositories,omitempty"`
	}{Token: p.token, ExpiresAt: p.expires.UTC().Truncate(time.Second), Permissions: map[string]string{}}
	if grant != nil {
		answer.Selection = grant.Selection
		if grant.Permissions != nil {
			answer.Permissions = grant.Permissions
		}
		for _, r := range grant.Repositories {
			answer.Repositories = append(answer.Repositories, repository{r.ID, r.NodeID, r.Name, r.Owner + "/" + r.Name, r.Private, owner{r.Owner}})
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return append(body, '\n')
}
