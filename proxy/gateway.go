package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/event"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// What the rules refuse, and what they cannot read.
var (
	badTarget = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title: "%v", About: "the request target is not clear",
	})
	badDocument = answer.Define(answer.Kind{
		Status: http.StatusBadRequest, Code: answer.RequestError,
		Title: "the document could not be read: %v",
	})
	handedToNobody = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied, DecidedBy: "allow_anonymous",
		Title:  "this operation hands out a credential, and nobody knows who asks for it",
		Remedy: "send it as a client, and name that in the rule's clients",
	})
	byRule = answer.Define(answer.Kind{
		Status: http.StatusForbidden, Code: answer.RequestDenied,
		Title: "%s", About: "a rule, or the built-in table, refuses the operation",
	})
	revoked = answer.Define(answer.Kind{
		Status: http.StatusNoContent, Code: answer.RequestDenied,
		Title: string(rules.RefusedRevoke),
	})
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

	route         rules.Route
	asked         rules.Subject // whom the request names, before ids were named
	held          string        // the placeholder that the client sent, "" for none
	placeholder   *placeholder  // which that is, or which the client is given; nil for none
	want          auth.Want     // what the credential was asked for, if it is an installation's
	credential    auth.Credential
	authorization []string   // what leaves as Authorization; nil for none
	keep          bool       // a host that is not served: the client's Authorization passes
	via           *NextProxy // through which such a host is reached, nil for none
	reads         bool       // the request changes nothing, whatever its method

	blankCloneTokens bool       // the answer is filtered
	decideRef        refDecider // nil if pushes are not looked into
	pushReport       []byte     // what git is told of a push that is refused

	cut      func() // ends a connection that is upgraded, nil if that need not end
	aging    *time.Timer
	answer   *ownAnswer    // where the request is not forwarded
	left     bool          // there was a connection to send the request on
	outgoing auth.Outgoing // how it was sent
	err      error         // why there was no complete answer

	interimLeak atomic.Bool // an interim answer had a secret in it
	recorded    bool        // its beginning is in the audit log
	otherSite   bool        // it is for a web page of another site, and gets no credential

	uncovered *auth.NotInstalledError // why it left with less than it needed, nil if it did not

	githubRequestID string
	refs            []string        // that a push moves
	document        *rules.Document // of GraphQL, nil if none was read
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
	x.route.Form = formFor(s.host)
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
		refused.WithID(x.id).Write(out, x.route.Form)
	case x.answer != nil:
		x.answer.write(out, x.id)
	default:
		g.forward.serve(out, r, x)
	}
}

// prepare decides about a request: it fills in the route and the credential,
// or says why the request is refused.
func (g *gateway) prepare(r *http.Request, x *exchange) *answer.Refusal {
	if refused := cmp.Or(checkHost(r, x.session), checkMethod(r)); refused != nil {
		return refused
	}
	if refused := ignoreUpgrade(r.Header); refused != nil {
		return refused
	}
	req := rules.Request{Method: r.Method, Host: x.session.host, Path: x.path, Query: strings.TrimPrefix(x.query, "?"), Client: x.session.clientName()}
	route, err := rules.Classify(req)
	if err != nil {
		return badTarget.Refuse(err)
	}
	x.route = route
	if denial := x.denyByPath(req); denial != nil {
		return denied(denial)
	}
	document, refused := x.readDocument(r)
	if refused != nil {
		return refused
	}
	if refused := x.readBody(r); refused != nil {
		return refused
	}
	if refused := g.heedPlaceholder(r, x); refused != nil {
		return refused
	}
	x.reads = route.Read || document != nil && !document.Mutation
	asked := x.route
	x.asked = x.route.Subject
	if x.looksAtNames() {
		if refused := g.nameSubjects(r.Context(), x); refused != nil {
			return refused
		}
	}
	x.now.Rules.Decide(req, &x.route)
	if refused := g.settleRefused(x); refused != nil || x.answer != nil {
		return refused
	}
	client := x.session.client
	if denial := client.Decide(req, &x.route, document); denial != nil {
		if client.IsGranted(req, &x.route, document) {
			return denied(denial)
		}
		// What GitHub calls an id is not for everybody who can count.
		nameless := x.route
		nameless.Subject, nameless.Others = asked.Subject, asked.Others
		return denied(cmp.Or(client.Decide(req, &nameless, document), denial))
	}
	if client.LimitsRefs() && route.Operation == "git-receive-pack" {
		x.decideRef = func(u policy.RefUpdate) *answer.Refusal { return denied(client.DecideRef(u)) }
	}
	x.withholdFromPages(r)
	x.blankCloneTokens = client.Limited() && x.route.CloneToken && x.route.Credential == rules.Installation
	return g.settle(r, x)
}

// readDocument reads a GraphQL document for the route; nil if there is none, or
// none that can be read.
func (x *exchange) readDocument(r *http.Request) (*rules.Document, *answer.Refusal) {
	if x.route.Operation != "graphql" {
		return nil, nil
	}
	denial := x.session.client.DecideGraphQLRequest(r.Method, strings.TrimPrefix(x.query, "?"), r.Header)
	if denial != nil {
		return nil, denied(denial)
	}
	if r.Method != http.MethodPost {
		x.route.SetDocument(nil) // a server might take one from elsewhere
		return nil, nil
	}
	document, err := parseDocument(r)
	if unread, ok := errors.AsType[*bodyError](err); ok {
		return nil, unread.refusal(x.session.usage)
	}
	if err != nil {
		return nil, badDocument.Refuse(err)
	}
	x.document = document
	x.route.SetDocument(document)
	return document, nil
}

// looksAtNames reports whether anybody will look at whom the request names.
func (x *exchange) looksAtNames() bool {
	return x.now.Rules.LookAtSubjects() || x.session.client.LooksAtNames()
}

// settleRefused answers what the rules refuse.
func (g *gateway) settleRefused(x *exchange) *answer.Refusal {
	switch refused := x.route.Refused; {
	case refused == rules.RefusedRevoke && x.now.Rules.Exchange:
		return g.end(x)
	case refused == rules.RefusedRevoke:
		return revoked.Refuse() // to the client it has ended; it never had it
	case refused == "" && x.session.anonymous && x.route.HandsOut && !x.route.Exchange:
		return handedToNobody.Refuse()
	case refused != "":
		f := byRule.Refuse(refused)
		if x.route.Rule != 0 {
			f.DecidedBy = fmt.Sprintf("rule[%d]", x.route.Rule)
		}
		return f
	}
	return nil
}

// settle does what was decided about a request: it finds the credential, or
// the answer.
func (g *gateway) settle(r *http.Request, x *exchange) *answer.Refusal {
	switch {
	case x.route.Credential == rules.JWT && x.now.Rules.Exchange:
		if refused := g.chooseApp(r, x); refused != nil {
			return refused
		}
	case x.route.Credential == rules.Installation && x.held != "" && x.placeholder == nil:
		return endedRefusal(&x.route)
	}
	if x.route.Exchange {
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

// nameSubjects finds the names of what a request names by id only, for the
// rules that look at names. What cannot be named stays as it is, unless GitHub
// may not be asked.
func (g *gateway) nameSubjects(ctx context.Context, x *exchange) *answer.Refusal {
	x.route.Others = slices.Clone(x.route.Others)
	if refused := g.nameSubject(ctx, x, &x.route.Subject); refused != nil {
		return refused
	}
	for i := range x.route.Others {
		if refused := g.nameSubject(ctx, x, &x.route.Others[i]); refused != nil {
			return refused
		}
	}
	return nil
}

func (g *gateway) nameSubject(ctx context.Context, x *exchange, s *rules.Subject) *answer.Refusal {
	if s.Owner != "" || !s.Named() {
		return nil
	}
	named, err := g.opts.Credentials.NameOf(ctx, string(x.session.host.Instance), owner(*s))
	if limited, ok := errors.AsType[*answer.Refusal](err); ok {
		return limited
	}
	if err == nil && named.Login != "" {
		*s = rules.Subject{Owner: named.Login, Repo: named.Repo}
	}
	return nil
}

// authorize finds the credential that the route needs.
func (g *gateway) authorize(r *http.Request, x *exchange) (err error) {
	route, host := &x.route, string(x.session.host.Instance)
	switch route.Credential {
	case rules.None:
		if !isStoredObject(r, x) {
			return nil
		}
		route.Credential = rules.Keep
		fallthrough
	case rules.Keep:
		x.authorization = firstValue(r.Header["Authorization"])
		return nil
	case rules.JWT:
		x.credential, err = g.opts.Credentials.ForApp(r.Context(), host, g.appFor(x), auth.InstallationID(route.InstallationID), owner(route.Subject))
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
		return denied(denial)
	}
	if x.authorization, err = x.credential.Authorization(schemes[route.Scheme]); err != nil {
		return fmt.Errorf("authorize %s: %w", route.Operation, err)
	}
	return nil
}

// appFor is the App whose JWT a request gets: the one that is meant if the client
// may use it, else the first of those that it may.
func (g *gateway) appFor(x *exchange) string {
	route, host, client := &x.route, string(x.session.host.Instance), x.session.client
	installation := auth.InstallationID(route.InstallationID)
	meant := g.opts.Credentials.AppFor(host, route.App, installation, owner(route.Subject))
	if route.App != "" || client == nil || client.DecideApp(meant) == nil {
		return meant
	}
	for _, name := range client.Apps {
		if app := g.opts.Credentials.AppFor(host, name, installation, owner(route.Subject)); app != "" {
			return app
		}
	}
	return meant
}

// wantOf is what package auth is asked for a request.
func (g *gateway) wantOf(x *exchange) (auth.Want, error) {
	if x.placeholder == nil {
		ApplyDefaultOwner(&x.route, x.session.client.OwnerOr(x.now.DefaultOwner))
	}
	want, err := WantOf(&x.route)
	if x.placeholder != nil && err == nil {
		err = x.placeholder.choose(&want, &x.route)
	}
	want.Within = x.session.scope
	return want, err
}

// isStoredObject reports whether a request fetches or stores an object of Git
// LFS at a GHES. Its batch call names the URL, on the instance's own host, and an
// Authorization of the scheme RemoteAuth that is good for that object and that
// nothing else could be put in place of.
func isStoredObject(r *http.Request, x *exchange) bool {
	return x.session.host.Service == rules.GHES && x.route.Operation == "web" && x.route.Rule == 0 &&
		len(r.Header["Authorization"]) == 1 && scheme(r.Header["Authorization"][0]) == "remoteauth"
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
