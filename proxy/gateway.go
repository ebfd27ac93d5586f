package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// gateway takes the requests for served hosts: it classifies them, finds their
// credential, and forwards or refuses them. It is plain net/http and knows
// nothing of CONNECT.
type gateway struct {
	patience     time.Duration
	events       *event.Sink
	use          func() lease                                                // of what is in force
	again        func(*state, caller, github.Host) (caller, *answer.Refusal) // by it
	placeholders *placeholders
	documents    *graphql.Cache
}

// nameSubject asks GitHub for the name of what is known by id only. What cannot be
// named stays as it is, unless GitHub may not be asked.
func (g *gateway) nameSubject(ctx context.Context, x *exchange, s *github.Account) *answer.Refusal {
	defer since(&x.shares.github, time.Now())
	named, err := x.source.NameOf(ctx, x.session.host.Instance, *s)
	if limited, ok := errors.AsType[*answer.Refusal](err); ok {
		return limited
	}
	if err == nil && named.Login != "" {
		*s = github.Account{Login: named.Login, Repo: named.Repo}
	}
	return nil
}

// authorize finds the credential that the route needs.
func (g *gateway) authorize(r *http.Request, x *exchange) (err error) {
	route, instance := &x.Route, x.session.host.Instance
	switch route.Credential {
	case rules.None:
		return nil
	case rules.Keep:
		x.authorization = firstValue(r.Header["Authorization"])
		return nil
	case rules.JWT:
		x.credential, err = x.source.ForApp(r.Context(), instance, decide.AppFor(x.source, &x.Route, instance, x.session.client), route.InstallationID, route.Subject)
	case rules.ClientSecret:
		x.credential, err = x.source.ForClient(instance, route.App, route.ClientID)
	case rules.Installation:
		if x.want, err = g.wantOf(x); err == nil {
			x.credential, err = x.source.Token(r.Context(), instance, x.want)
		}
	default:
		err = fmt.Errorf("route %s needs a credential of an unknown kind", route.Operation)
	}
	if err != nil || x.credential.Anonymous() {
		return err
	}
	if denial := x.session.client.DecideApp(x.credential.App.Name); denial != nil {
		return decide.Denied(denial)
	}
	if x.authorization, err = x.credential.Authorization(schemes[route.Scheme]); err != nil {
		return fmt.Errorf("authorize %s: %w", route.Operation, err)
	}
	return nil
}

// wantOf is what package auth is asked for a request.
func (g *gateway) wantOf(x *exchange) (auth.Want, error) {
	if x.placeholder == nil {
		decide.ApplyDefaultOwner(&x.Route, x.session.client.OwnerOr(x.now.DefaultOwner))
	}
	want := decide.WantOf(&x.Route)
	want.Within = x.session.scope
	if x.placeholder == nil {
		return want, nil
	}
	err := x.placeholder.choose(&want, &x.Route)
	return want, err
}
