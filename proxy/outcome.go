package proxy

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/panics"
	"ghapp-proxy/rules"
)

// event is what is known by now of a request.
func (x *exchange) event(r *http.Request, w *recorder) event.Event {
	takes := time.Since(x.start)
	e := event.Event{
		Kind: event.Request, ID: x.id, Time: x.start, Duration: takes,
		Queued: x.shares.queued, GitHub: x.shares.github, Own: x.shares.own(x.start, takes),
		Client: x.session.clientName(), Address: r.RemoteAddr, Method: r.Method, Host: x.session.host.Name, Path: x.path,
		Decision: event.Forwarded, Rule: x.Route.Rule, Err: x.err,
		Operation: x.Route.Operation, OtherOwners: len(x.Route.Others), GraphQL: graphQLKind(x.Document), Refs: x.refs,
		Credential: credentialName(x), Installation: int64(x.credential.Installation),
		Placeholder: x.placeholder != nil, OtherSite: x.OtherSite, Fallback: x.credential.Fallback, Tries: x.outgoing.Tries,
		Status: w.status, GitHubRequestID: x.githubRequestID, GitHubStatus: x.githubStatus, Received: w.bytes,
	}
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
	if own := r.Header.Get("Authorization"); own != "" && !x.unserved && x.Route.Credential != rules.Keep {
		e.Replaced = scheme(own)
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

// scheme names the scheme of an Authorization field, if it is a known one: a
// token without a scheme must not be taken for it.
func scheme(authorization string) string {
	name, _, _ := strings.Cut(authorization, " ")
	switch name = strings.ToLower(name); name {
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

// recordFirst writes the record of a request's beginning before it leaves, where
// none may leave without.
func (x *exchange) recordFirst(r *http.Request) *answer.Refusal {
	if !x.events.Audit().Required() {
		return nil
	}
	e := x.event(r, &recorder{})
	e.Decision = event.Forwarded
	if x.authorization != nil {
		e.Fingerprint = x.credential.Fingerprint()
	}
	refused := begin(x.events, &e)
	x.recorded = refused == nil
	return refused
}

var noRecord = answer.Define(answer.Kind{
	Status: http.StatusServiceUnavailable, Code: answer.InternalError,
	Title:     "the audit log cannot be written",
	Remedy:    "tell those who run the proxy",
	DecidedBy: "audit_required",
})

// begin records that something is about to leave, or refuses it.
func begin(events *event.Sink, e *event.Event) *answer.Refusal {
	err := events.Begin(e)
	if err == nil {
		return nil
	}
	refused := noRecord.Refuse()
	refused.Inside = refused.Title + ": " + err.Error()
	return refused
}

// refusedEarly is the event of what is refused before it is a gateway's.
func refusedEarly(r *http.Request, c caller, refused *answer.Refusal) *event.Event {
	e := &event.Event{
		Kind: event.Connect, Early: true, ID: refused.ID, Time: time.Now(), Client: c.clientName(), Address: r.RemoteAddr,
		Method: r.Method, Host: r.URL.Host,
		Decision: decisionOf(refused), DecidedBy: refused.DecidedBy, Err: refused, Status: refused.Status,
		Unrecorded: refused.Quiet || refused.Challenge, Level: levelOf(refused),
	}
	if r.Method != http.MethodConnect {
		e.Kind = event.Request
		e.Path, _ = target(r)
	}
	return e
}

// decisionOf tells what is not allowed from what does not work: a server's fault
// by its status, save for what the proxy does not implement.
func decisionOf(f *answer.Refusal) event.Decision {
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusNotImplemented {
		return event.Failed
	}
	return event.Refused
}

// githubRequestID is GitHub's id of an answer: docs.github.com,
// "Troubleshooting the REST API".
func githubRequestID(h http.Header) string {
	id := h.Get("X-Github-Request-Id")
	return id[:min(len(id), 100)]
}

// end returns the function that writes what became of a request when it ends. It
// is deferred, and passes a panic on.
func (x *exchange) end(r *http.Request, w *recorder) func() {
	return func() {
		aborted := recover()
		if x.err == nil && x.interimLeak.Load() {
			x.err = errInterimLeak
		}
		var fault *panics.Fault
		if aborted != nil && aborted != http.ErrAbortHandler {
			fault = panics.Recovered(aborted)
			aborted, x.err = w.answerFault(r, x.id, x.Route.Form, fault), fault
		}
		if aborted != nil && x.err == nil {
			x.err = x.cutOff()
		}
		x.became = x.event(r, w)
		e := &x.became
		e.Level = levelOf(x.err)
		if outside, ok := errors.AsType[*panics.Fault](x.err); ok {
			fault = outside // of this goroutine, perhaps
		}
		e.Fault = fault
		if long := x.began.Ended() || x.recorded; long {
			e.Phase = event.End
		}
		x.events.End(e)
		if aborted != nil {
			panic(aborted) // net/http closes the connection
		}
	}
}
