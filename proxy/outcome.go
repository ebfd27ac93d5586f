package proxy

import (
	"errors"
	"net/http"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/panics"
)

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
		Kind: event.Connect, Early: true, ID: refused.ID, Time: time.Now(), Address: r.RemoteAddr,
		Method: r.Method, Host: r.URL.Host,
		Decision: decisionOf(refused), DecidedBy: refused.DecidedBy, Err: refused, Status: refused.Status,
		Unrecorded: refused.Quiet || refused.Challenge, Level: levelOf(refused),
	}
	c.sign(e)
	if r.Method != http.MethodConnect {
		e.Kind = event.Request
		e.Path, _ = target(r)
	}
	return e
}

// githubRequestID is GitHub's id of an answer: docs.github.com,
// "Troubleshooting the REST API".
func githubRequestID(h http.Header) string {
	id := h.Get("X-Github-Request-Id")
	return id[:min(len(id), 100)]
}

// end writes what became of a request when it ends. It is deferred, and passes a panic on.
func (x *exchange) end(r *http.Request, w *recorder) {
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
	x.began = nil // nobody writes that any more
	x.events.End(e)
	if aborted != nil {
		panic(aborted) // net/http closes the connection
	}
}
