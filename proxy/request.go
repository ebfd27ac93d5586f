package proxy

import (
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/decide"
	"ghapp-proxy/event"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// ServeHTTP takes a request from inside an intercepted connection.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in := inboundOf(r.Context())
	if in == nil || in.session == nil {
		http.Error(w, "ghapp-proxy: a request without a session", http.StatusInternalServerError)
		return
	}
	g.serve(w, r, *in.session)
}

// serve handles one request, and writes its line to the log.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request, s session) {
	by := g.use()
	defer by.release()
	caller, refused := g.again(by.state, s.caller, s.host)
	s.caller = caller
	out := recorderOf(w)
	x := memoryOf(out.ResponseWriter).newExchange()
	x.id, x.start, x.events = event.NewID(), time.Now(), g.events
	x.session, x.now, x.source = s, s.now, by.parts.Credentials
	x.path, x.query = target(r)
	x.replaced = schemeOf(r.Header.Get("Authorization"))
	out.interim = x
	x.out = out
	defer x.end(r, out)
	x.Route.Form = decide.FormFor(s.host)
	if refused != nil {
		out.Header().Set("Connection", "close")
	} else if refused = x.queue(r, g.patience); refused == nil {
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
			s.refusal(refused, x.id).WriteReport(out, x.pushReport)
			return
		}
		s.refusal(refused, x.id).Write(out, x.Route.Form)
	case x.answer != nil:
		x.answer.write(out, x.id)
	default:
		by.forward.serve(out, r, x)
	}
}

// queue counts a request as one of its client's, when it is its turn.
func (x *exchange) queue(r *http.Request, patience time.Duration) *answer.Refusal {
	defer since(&x.shares.queued, time.Now())
	if refused := x.session.keepGrantPace(); refused != nil {
		return refused
	}
	return x.session.usage.begin(r.Context(), x.session.slot, patience)
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
	return g.carryOut(r, x)
}

// carryOut does what was decided about a request: it finds the credential, or
// the answer.
func (g *gateway) carryOut(r *http.Request, x *exchange) *answer.Refusal {
	switch {
	case x.Route.Credential == rules.JWT && x.now.Rules.Exchange:
		if refused := g.chooseApp(r, x); refused != nil {
			return refused
		}
	case x.Route.Credential == rules.Installation && x.sentPlaceholder != "" && x.placeholder == nil:
		return endedRefusal(&x.Route)
	}
	if x.Route.Exchange {
		defer since(&x.shares.github, time.Now())
		return g.issue(r, x)
	}
	if refused := x.checkPush(r); refused != nil {
		return refused
	}
	defer since(&x.shares.github, time.Now())
	if err := g.authorize(r, x); err != nil {
		return credentialRefusal(err)
	}
	return nil
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

// noBody is the body of a request that has none.
func noBody(int64) ([]byte, *answer.Refusal) { return []byte{}, nil }

// effects are whom a decision about a request may ask.
func (g *gateway) effects(r *http.Request, x *exchange) decide.Effects {
	effects := decide.Effects{
		Body:      noBody,
		Documents: g.documents,
		Name:      func(s *github.Account) *answer.Refusal { return g.nameSubject(r.Context(), x, s) },
	}
	if r.ContentLength != 0 {
		effects.Body = func(most int64) ([]byte, *answer.Refusal) {
			defer since(&x.shares.client, time.Now())
			return peekBody(r, most, x.session.usage)
		}
	}
	if x.sentPlaceholder = placeholderIn(r.Header["Authorization"]); x.sentPlaceholder != "" && x.now.Rules.Exchange {
		// Where no placeholders are given any more, none is good: it would leave with a
		// token for more than it was narrowed to.
		x.placeholder = g.findPlaceholder(r.Context(), x.source, x.sentPlaceholder, x.session.host.Instance, x.session.clientName())
		if x.placeholder != nil {
			effects.Account = func(route *rules.Route) *answer.Refusal { return g.nameAccount(r.Context(), x, route) }
		}
	}
	return effects
}
