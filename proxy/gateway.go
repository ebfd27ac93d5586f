package proxy

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/rules"
)

// gateway takes the requests for served hosts: it classifies them, finds their
// credential, and forwards or refuses them. It is plain net/http and knows
// nothing of CONNECT.
type gateway struct {
	opts         Options
	forward      *forwarder
	placeholders *placeholders // nil where none are given out
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
	session session
	client  string       // who sent it, "" where clients are not told apart
	source  *auth.Source // nil for a host that is not served
	path    string       // of the request target, as sent
	query   string       // with its "?", "" if there is none

	route         rules.Route
	held          string       // the placeholder that the client sent, "" for none
	placeholder   *placeholder // which that is, or which the client is given; nil for none
	want          auth.Want    // what the credential was asked for, if it is an installation's
	credential    auth.Credential
	authorization []string // what leaves as Authorization; nil for none
	keep          bool     // a host that is not served: the client's Authorization passes
	viaProxy      bool     // such a host is reached through another proxy

	blankCloneTokens bool       // the answer is filtered
	decideRef        refDecider // nil if pushes are not looked into
	pushReport       []byte     // what git is told of a push that is refused

	answer *answer // where the request is not forwarded
	err    error   // why there was no complete answer
}

// serve handles one request, and writes its line to the log.
func (g *gateway) serve(w http.ResponseWriter, r *http.Request, s session) {
	x := &exchange{session: s, source: g.opts.Credentials, decideRef: g.opts.decideRef}
	x.path, x.query = target(r)
	out := newRecorder(w)
	defer g.logLine(r, x, out)()
	r = guardBody(w, r)

	refused := g.prepare(r, x)
	switch {
	case refused != nil:
		x.err = refused
		if x.pushReport != nil {
			refused.writeReport(out, x.pushReport)
			return
		}
		refused.write(out, x.route.Form)
	case x.answer != nil:
		x.answer.write(out)
	default:
		g.forward.serve(out, r, x)
	}
}

// prepare decides about a request: it fills in the route and the credential,
// or says why the request is refused.
func (g *gateway) prepare(r *http.Request, x *exchange) *refusal {
	x.route.Form = formFor(x.session.host)
	if refused := cmp.Or(checkHost(r, x.session), checkMethod(r)); refused != nil {
		return refused
	}
	if r.Header["Upgrade"] != nil {
		return &refusal{
			status: http.StatusNotImplemented, code: "http_upgrade_failed", title: "Upgrade is not supported on served hosts",
			remedy: "GitHub needs none: leave the Upgrade field out",
		}
	}
	req := rules.Request{Method: r.Method, Host: x.session.host, Path: x.path, Query: strings.TrimPrefix(x.query, "?"), Client: x.client}
	route, err := rules.Classify(req)
	if err != nil {
		return &refusal{status: http.StatusBadRequest, code: "http_request_error", title: err.Error()}
	}
	x.route = route
	if route.Operation == "graphql" && r.Method == http.MethodPost {
		x.route.SetDocument(readDocument(r))
	}
	if g.placeholders != nil {
		g.heedPlaceholder(r, x)
	}
	if g.opts.Rules.LookAtSubjects() {
		g.nameSubjects(r.Context(), x)
	}
	g.opts.Rules.Decide(req, &x.route)
	return g.settle(r, x)
}

// settle does what was decided about a request: it finds the credential, or
// the answer.
func (g *gateway) settle(r *http.Request, x *exchange) *refusal {
	switch refused := x.route.Refused; {
	case refused == rules.RefusedRevoke && g.placeholders != nil:
		return g.end(x)
	case refused == rules.RefusedRevoke:
		return revokeRefusal()
	case refused != "":
		return &refusal{status: http.StatusForbidden, code: "http_request_denied", title: string(refused)}
	}
	switch {
	case g.placeholders == nil:
	case x.route.Credential == rules.JWT:
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
// rules that look at names. What cannot be named stays as it is.
func (g *gateway) nameSubjects(ctx context.Context, x *exchange) {
	name := func(s *rules.Subject) {
		if s.Owner != "" || !s.Named() {
			return
		}
		if named, ok := g.opts.Credentials.NameOf(ctx, string(x.session.host.Instance), owner(*s)); ok {
			*s = rules.Subject{Owner: named.Login, Repo: named.Repo}
		}
	}
	name(&x.route.Subject)
	x.route.Others = slices.Clone(x.route.Others)
	for i := range x.route.Others {
		name(&x.route.Others[i])
	}
}

// checkHost refuses a request that means another host than its connection
// (RFC 9110, section 15.5.20): the credential would follow it there.
func checkHost(r *http.Request, s session) *refusal {
	if r.TLS != nil && r.TLS.ServerName != "" {
		if name, _ := rules.SplitHost(r.TLS.ServerName); name != s.host.Name {
			return misdirected("TLS server name", r.TLS.ServerName, s)
		}
	}
	name, port := rules.SplitHost(r.Host) // for absolute-form targets this is their host
	plainPort := s.plain && port == defaultPort(r.URL.Scheme)
	if name != s.host.Name || port != "" && port != "443" && !plainPort {
		return misdirected("host", r.Host, s)
	}
	// HTTP/2 has room for three different hosts in one request.
	if r.URL.IsAbs() && r.URL.Host != r.Host {
		return misdirected("target's host", r.URL.Host, s)
	}
	for _, host := range r.Header["Host"] {
		if name, _ := rules.SplitHost(host); name != s.host.Name {
			return misdirected("Host field", host, s)
		}
	}
	return nil
}

// RefusesMethod says why no request with a method is served, "" if some are.
func RefusesMethod(method string) string {
	if method == http.MethodConnect || strings.ToUpper(method) != method {
		return fmt.Sprintf("the method %q is not served", method)
	}
	return ""
}

// overrides are fields by which some servers take one method for another.
var overrides = [...]string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// checkMethod refuses requests that could be carried out as something else
// than they were classified as.
func checkMethod(r *http.Request) *refusal {
	if reason := RefusesMethod(r.Method); reason != "" {
		return &refusal{
			status: http.StatusMethodNotAllowed, code: "http_request_error",
			title: reason, remedy: "methods are written in capitals, and CONNECT goes to the proxy",
		}
	}
	for _, name := range overrides {
		if r.Header[name] != nil {
			return &refusal{
				status: http.StatusBadRequest, code: "http_request_error",
				title: "the field " + name + " asks for another method than the request's", remedy: "send the request with that method",
			}
		}
	}
	return nil
}

func misdirected(what, got string, s session) *refusal {
	return &refusal{
		status: http.StatusMisdirectedRequest, code: "http_request_error",
		title:  fmt.Sprintf("the request's %s is %q, but the connection is to %s", what, got, s.host.Name),
		remedy: "open a connection of its own for each host",
	}
}

// authorize finds the credential that the route needs.
func (g *gateway) authorize(r *http.Request, x *exchange) (err error) {
	route, host := &x.route, string(x.session.host.Instance)
	switch route.Credential {
	case rules.None:
		return nil
	case rules.Keep:
		x.authorization = firstValue(r.Header["Authorization"])
		return nil
	case rules.JWT:
		x.credential, err = g.opts.Credentials.ForApp(r.Context(), host, route.App, auth.InstallationID(route.InstallationID), owner(route.Subject))
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
	if x.authorization = authorizationOf(route, x.credential); x.authorization == nil {
		return fmt.Errorf("route %s needs its %s in a form that it does not have", route.Operation, route.Credential)
	}
	return nil
}

// wantOf is what package auth is asked for a request.
func (g *gateway) wantOf(x *exchange) (auth.Want, error) {
	if x.placeholder != nil {
		return x.placeholder.want(&x.route)
	}
	ApplyDefaultOwner(&x.route, g.opts.DefaultOwner)
	return WantOf(&x.route)
}

// authorizationOf is the credential in the form that the route needs, nil if
// it has no such form.
func authorizationOf(route *rules.Route, cred auth.Credential) []string {
	switch route.Scheme {
	case rules.Bearer:
		return cred.Bearer()
	case rules.Token:
		return cred.Token()
	case rules.Basic:
		return cred.Basic()
	}
	return nil
}

// firstValue is the field's first value: exactly one Authorization leaves.
func firstValue(values []string) []string { return values[:min(len(values), 1)] }

// ApplyDefaultOwner names the default owner where a route names nobody.
func ApplyDefaultOwner(route *rules.Route, login string) {
	nobody := !route.Named() || route.TeamID != 0 // GitHub tells an App nothing of a team by id
	if login != "" && nobody && route.ForcedInstallation == 0 {
		route.Subject, route.Source = rules.Subject{Owner: login}, "default owner"
	}
}

// WantOf is what package auth is asked for a route that takes an installation
// token. The error is a narrowing that GitHub would not take.
func WantOf(route *rules.Route) (auth.Want, error) {
	want := auth.Want{
		Owner: owner(route.Subject), Read: route.Read,
		App: route.App, Installation: auth.InstallationID(route.ForcedInstallation),
		Resource: resourceOf(route),
	}
	for _, other := range route.Others {
		want.Others = append(want.Others, owner(other))
	}
	var err error
	if want.Narrow, err = narrowingOf(route); err != nil {
		return auth.Want{}, err
	}
	return want, nil
}

// narrowingOf is what a rule narrows the route's token to, nil for nothing.
func narrowingOf(route *rules.Route) (*auth.Narrowing, error) {
	n := route.Narrow
	if n.IsZero() {
		return nil, nil
	}
	return auth.NewNarrowing(n.Repositories, n.RepositoryIDs, n.Permissions)
}

// resourceOf is the limit that GitHub counts a route against: docs.github.com
// "Rate limits for the REST API". git, archives and raw files have none of its.
func resourceOf(route *rules.Route) auth.Resource {
	switch {
	case route.Scheme != rules.Bearer:
		return auth.ResourceNone
	case route.Operation == "graphql":
		return auth.ResourceGraphQL
	case route.Operation == "search/code":
		return auth.ResourceCodeSearch
	case strings.HasPrefix(route.Operation, "search/"):
		return auth.ResourceSearch
	default:
		return auth.ResourceCore
	}
}

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
