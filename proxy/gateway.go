package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/decide"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// gateway takes the requests for served hosts: it classifies them, finds their
// credential, and forwards or refuses them. It is plain net/http and knows
// nothing of CONNECT.
type gateway struct {
	opts         Options
	events       *event.Sink
	again        func(caller) (caller, *answer.Refusal) // by the policy in force
	forward      *forwarder
	placeholders *placeholders
}

// ServeHTTP takes a request from inside an intercepted connection.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, ok := r.Context().Value(sessionKey{}).(session)
	if !ok {
		http.Error(w, "ghapp-proxy: a request without a session", http.StatusInternalServerError)
		return
	}
	g.serve(w, r, s)
}

// exchange is one request on its way, and what became of it.
type exchange struct {
	id     string // in the log, in the audit log and in Proxy-Status
	start  time.Time
	events *event.Sink
	began  *event.Beginning // nil before it leaves
	out    *recorder        // what the client is answered by

	received answerBody // by it, where a host has answered
	session  session
	now      *state       // the policy when it came
	source   *auth.Source // nil for a host that is not served
	path     string       // of the request target, as sent
	query    string       // with its "?", "" if there is none

	decide.Verdict
	held          string       // the placeholder that the client sent, "" for none
	placeholder   *placeholder // which that is, or which the client is given; nil for none
	want          auth.Want    // what the credential was asked for, if it is an installation's
	credential    auth.Credential
	authorization []string   // what leaves as Authorization; nil for none
	keep          bool       // a host that is not served: the client's Authorization passes
	via           *NextProxy // through which such a host is reached, nil for none

	pushReport []byte // what git is told of a push that is refused

	cut      func() // ends a connection that is upgraded, nil if that need not end
	aging    *time.Timer
	answer   *ownAnswer    // where the request is not forwarded
	left     bool          // there was a connection to send the request on
	outgoing auth.Outgoing // how it was sent
	err      error         // why there was no complete answer

	interimLeak atomic.Bool // an interim answer had a secret in it
	recorded    bool        // its beginning is in the audit log

	uncovered *auth.NotInstalledError // why it left with less than it needed, nil if it did not

	githubRequestID string
	refs            []string // that a push moves
}

// serve handles one request, and writes its line to the log.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request, s session) {
	caller, refused := g.again(s.caller)
	s.caller = caller
	x := &exchange{id: event.NewID(), start: time.Now(), events: g.events, session: s, now: s.now, source: g.opts.Credentials}
	x.path, x.query = target(r)
	out := recorderOf(w)
	out.interim = func(fields http.Header) bool { return guardInterim(x, fields) }
	x.out = out
	defer x.end(r, out)()
	x.Route.Form = decide.FormFor(s.host)
	if refused != nil {
		out.Header().Set("Connection", "close")
	} else if refused = s.usage.begin(r.Context(), s.slot, g.opts.Patience); refused == nil {
		defer s.usage.done()
		r, refused = s.limit(w, r)
	}
	if refused == nil {
		refused = g.prepare(r, x)
	}
	if refused == nil && x.answer == nil {
		refused = x.recordFirst(r)
	}
	switch {
	case refused != nil:
		x.err = refused
		if x.pushReport != nil {
			refused.WithID(x.id).WriteReport(out, x.pushReport)
			return
		}
		refused.WithID(x.id).Write(out, x.Route.Form)
	case x.answer != nil:
		x.answer.write(out, x.id)
	default:
		g.forward.serve(out, r, x)
	}
}

// prepare decides about a request: it fills in the route and the credential,
// or says why the request is refused.
func (g *gateway) prepare(r *http.Request, x *exchange) *answer.Refusal {
	if refused := checkHost(r, x.session); refused != nil {
		return refused
	}
	if refused := ignoreUpgrade(r.Header); refused != nil {
		return refused
	}
	x.Verdict = decide.Decide(x.session.snapshot(), x.intake(r), g.effects(r, x))
	switch {
	case x.Refused != nil:
		return x.Refused
	case x.Revokes:
		return g.end(x)
	}
	return g.settle(r, x)
}

// snapshot is by what is decided about a session's requests.
func (s *session) snapshot() *decide.Snapshot {
	return &decide.Snapshot{
		Rules: s.now.Rules, Client: s.client, Anonymous: s.anonymous, DefaultOwner: s.now.DefaultOwner, Origins: s.now.Origins,
	}
}

// intake is what is looked at of a request.
func (x *exchange) intake(r *http.Request) *decide.Intake {
	return &decide.Intake{
		Method: r.Method, Host: x.session.host, Path: x.path, Query: strings.TrimPrefix(x.query, "?"), Header: r.Header, Length: r.ContentLength,
	}
}

// effects are whom a decision about a request may ask.
func (g *gateway) effects(r *http.Request, x *exchange) decide.Effects {
	effects := decide.Effects{
		Body: func(most int64) ([]byte, *answer.Refusal) { return peekBody(r, most, x.session.usage) },
		Name: func(s *github.Account) *answer.Refusal { return g.nameSubject(r.Context(), x, s) },
	}
	if x.held = placeholderIn(r.Header["Authorization"]); x.held != "" && x.now.Rules.Exchange {
		// Where no placeholders are given any more, none is good: it would leave with a
		// token for more than it was narrowed to.
		x.placeholder = g.findPlaceholder(r.Context(), x.held, x.session.host.Instance, x.session.clientName())
		if x.placeholder != nil {
			effects.Account = func(route *rules.Route) *answer.Refusal { return g.nameAccount(r.Context(), x, route) }
		}
	}
	return effects
}

// settle does what was decided about a request: it finds the credential, or
// the answer.
func (g *gateway) settle(r *http.Request, x *exchange) *answer.Refusal {
	switch {
	case x.Route.Credential == rules.JWT && x.now.Rules.Exchange:
		if refused := g.chooseApp(r, x); refused != nil {
			return refused
		}
	case x.Route.Credential == rules.Installation && x.held != "" && x.placeholder == nil:
		return endedRefusal(&x.Route)
	}
	if x.Route.Exchange {
		return g.issue(r, x)
	}
	if refused := x.checkPush(r); refused != nil {
		return refused
	}
	if err := g.authorize(r, x); err != nil {
		return credentialRefusal(err)
	}
	return nil
}

// nameSubject asks GitHub for the name of what is known by id only. What cannot be
// named stays as it is, unless GitHub may not be asked.
func (g *gateway) nameSubject(ctx context.Context, x *exchange, s *github.Account) *answer.Refusal {
	named, err := g.opts.Credentials.NameOf(ctx, string(x.session.host.Instance), *s)
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
	route, host := &x.Route, string(x.session.host.Instance)
	switch route.Credential {
	case rules.None:
		return nil
	case rules.Keep:
		x.authorization = firstValue(r.Header["Authorization"])
		return nil
	case rules.JWT:
		x.credential, err = g.opts.Credentials.ForApp(r.Context(), host, decide.AppFor(g.opts.Credentials, &x.Route, host, x.session.client), github.InstallationID(route.InstallationID), route.Subject)
	case rules.ClientSecret:
		x.credential, err = g.opts.Credentials.ForClient(host, route.App, route.ClientID)
	case rules.Installation:
		if x.want, err = g.wantOf(x); err == nil {
			x.credential, err = g.opts.Credentials.Token(r.Context(), host, x.want)
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
	want, err := decide.WantOf(&x.Route)
	if x.placeholder != nil && err == nil {
		err = x.placeholder.choose(&want, &x.Route)
	}
	want.Within = x.session.scope
	return want, err
}

// firstValue is the field's first value: exactly one Authorization leaves.
func firstValue(values []string) []string { return values[:min(len(values), 1)] }

// target splits the request target into path and query as they were sent. Of
// an absolute form it drops scheme, userinfo and host.
func target(r *http.Request) (path, query string) {
	path = r.RequestURI
	if r.URL.IsAbs() {
		_, path, _ = strings.Cut(path, "://")
		if i := strings.IndexAny(path, "/?"); i >= 0 {
			path = path[i:]
		} else {
			path = ""
		}
	}
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, query = path[:i], path[i:]
	}
	if path == "" && r.URL.IsAbs() {
		path = "/" // RFC 9112, section 3.2.1
	}
	return path, query
}
