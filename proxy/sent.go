package proxy

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// event is what is known by now of a request.
func (x *exchange) event(r *http.Request, w *recorder) event.Event {
	takes := time.Since(x.start)
	e := event.Event{
		Kind: event.Request, ID: x.id, Time: x.start, Duration: takes,
		Queued: x.shares.queued, GitHub: x.shares.github, Own: x.shares.own(x.start, takes),
		Address: r.RemoteAddr, Method: r.Method, Host: x.session.host.Name, Path: x.path,
		Decision: event.Forwarded, Rule: x.Route.Rule, Err: x.err,
		Operation: x.Route.Operation, OtherOwners: len(x.Route.Others), GraphQL: graphQLKind(x.Document), Refs: x.refs,
		Credential: credentialName(x), Installation: int64(x.credential.Installation),
		Placeholder: x.placeholder != nil, OtherSite: x.OtherSite, Fallback: x.credential.Fallback, Tries: x.outgoing.Tries,
		Status: w.status, GitHubRequestID: x.githubRequestID, GitHubStatus: x.githubStatus, Received: w.bytes, Cache: x.cacheWord(),
	}
	x.session.sign(&e)
	if x.Document != nil {
		e.Fields = x.Document.Fields
	}
	if x.Route.Subject.Named() {
		e.Subject = x.Route.Subject.String()
	}
	if x.credential.App != nil {
		e.App = x.credential.App.Name
	}
	if x.uncovered != nil {
		e.Uncovered = x.uncovered
	}
	if !x.unserved && x.Route.Credential != rules.Keep {
		e.Replaced = x.replaced
	}
	refused, _ := errors.AsType[*answer.Refusal](x.err)
	if refused != nil {
		e.DecidedBy, e.Unrecorded = refused.DecidedBy, refused.Quiet
	}
	switch {
	case x.answer != nil:
		e.Decision = event.Answered
	case x.sent && x.authorization != nil:
		e.Fingerprint = x.credential.Fingerprint()
	case x.sent:
	case refused != nil:
		e.Decision = decisionOf(refused)
	default: // the client has left before
		e.Decision = event.Failed
	}
	return e
}

// graphQLKind is what a document does, "" if there is none. What may change
// something is a mutation.
func graphQLKind(d *graphql.Document) string {
	switch {
	case d == nil:
		return ""
	case d.Mutation:
		return "mutation"
	}
	return "query"
}

// schemeOf names the scheme of an Authorization field, if it is a known one: a
// token without a scheme must not be taken for it. It is "" for no field.
func schemeOf(authorization string) string {
	name, _, _ := strings.Cut(authorization, " ")
	switch name = strings.ToLower(name); name {
	case "":
		return ""
	case "basic", "bearer", "token", "remoteauth":
		return name
	}
	return "other"
}

// credentialName says what leaves: "none" also where nothing was found.
func credentialName(x *exchange) string {
	if x.authorization == nil {
		return "none"
	}
	return x.Route.Credential.String()
}

// longRequest is from when on a request has a record of its beginning.
const longRequest = 5 * time.Second

// noteSent notes that the request is sent, and has that recorded if it takes long.
func (x *exchange) noteSent(r *http.Request) {
	if x.sent {
		return // it is tried again
	}
	x.sent = true
	if x.events.Audit() != nil && !x.recorded {
		e := x.event(r, &recorder{})
		x.began = x.events.BeginAfter(longRequest, &e)
	}
}

// decisionOf tells what is not allowed from what does not work: a server's fault
// by its status, save for what the proxy does not implement.
func decisionOf(f *answer.Refusal) event.Decision {
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented {
		return event.Failed
	}
	return event.Refused
}

// passInterim passes an interim answer on.
func (x *exchange) passInterim(status int, fields http.Header) {
	x.interims.mu.Lock()
	defer x.interims.mu.Unlock()
	if x.interims.over {
		return
	}
	h := x.out.Header()
	for name, values := range fields {
		h[name] = append(h[name], values...)
	}
	x.out.WriteHeader(status)
	clear(h)
}
