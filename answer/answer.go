// Package answer is what the proxy says itself instead of passing on what
// GitHub says: refusals, with the cause and the remedy, in the form that the
// client can show.
//
//	var notASCII = answer.Define(answer.Kind{
//		Status: http.StatusBadRequest, Code: answer.RequestError,
//		Title: "the host name %q is not ASCII", Remedy: "write it in its xn-- form",
//	})
//	…
//	notASCII.Refuse(name).WithID(id).Write(w, answer.JSON)
//
// Refusals are defined beside those who refuse, each kind once; All has them all.
// An error that stands for a refusal is a Refuser.
package answer

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kind is what all refusals of one kind have in common.
type Kind struct {
	Status int
	Code   Code

	// Title is the cause, without a full stop: a format of package fmt.
	Title string

	// Remedy is what can be done about it; "" if it depends on the case, or
	// nothing is known.
	Remedy string

	// DecidedBy is the key of the configuration that decides; "" if none does,
	// or it depends on the case.
	DecidedBy string

	// About says in the list of all kinds what Title leaves to the case; "" if
	// Title says it.
	About string
}

var kinds []*Kind

// Define adds a kind to All. It is called when the program starts.
func Define(k Kind) *Kind {
	kinds = append(kinds, &k)
	return &k
}

// All returns the kinds of refusals that the packages of a program define, by
// status and title.
func All() []*Kind {
	return slices.SortedFunc(slices.Values(kinds), func(a, b *Kind) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), strings.Compare(a.Describe(), b.Describe()))
	})
}

// Describe is the cause with "…" for what depends on the case.
func (k *Kind) Describe() string {
	if k.About != "" {
		return k.About
	}
	return verbs.Replace(k.Title)
}

var verbs = strings.NewReplacer("%%", "%", "%.100q", "…", "%.200q", "…", "%q", "…", "%s", "…", "%v", "…", "%d", "…")

// Refuse returns a refusal of that kind; args are the operands of its Title.
func (k *Kind) Refuse(args ...any) *Refusal {
	title := k.Title
	if len(args) > 0 {
		title = fmt.Sprintf(title, args...)
	}
	return &Refusal{Status: k.Status, Code: k.Code, Title: title, Remedy: k.Remedy, DecidedBy: k.DecidedBy}
}

// Refusal is an answer that the proxy gives itself.
type Refusal struct {
	Status     int
	Code       Code
	Parameters string // of the code, "" or "; name=value"
	Title      string // the cause, without a full stop
	Remedy     string // what to do about it, "" if nothing is known

	Inside string // the cause as the log has it, "" for Title
	Fault  error  // a *panics.Fault, nil for none
	// Fields are further ones of the answer, nil for none, and DocumentationURL is what its JSON points to, "" for the
	// page about Apps.
	Fields           http.Header
	DocumentationURL string

	RetryAt   time.Time // when it may be tried again, zero if nothing is known
	DecidedBy string    // the key of the configuration, "" if none did
	ID        string    // of the request, "" before WithID
	Asker     string    // who asked, where that is not the client as a whole, "" where it is
	Quiet     bool      // there are many of the kind: it is in the log at the lowest level only
	Challenge bool      // the client may know the secret that it is asked for: nobody has to look
}

// Refuser is an error that says how a client is answered for it.
type Refuser interface {
	error
	Refusal() *Refusal
}

// Of returns the refusal that an error is or stands for; nil if it is none. Where a
// Refuser is wrapped, the cause is all that the error says.
func Of(err error) *Refusal {
	if refused, ok := errors.AsType[*Refusal](err); ok {
		return refused
	}
	if refuser, ok := errors.AsType[Refuser](err); ok {
		refused := refuser.Refusal()
		refused.Title = err.Error()
		return refused
	}
	return nil
}

// Error implements error, so that a refusal can be logged and returned.
func (f *Refusal) Error() string { return cmp.Or(f.Inside, f.Title) }

// Unwrap returns the fault, whose stack is logged.
func (f *Refusal) Unwrap() error { return f.Fault }

// WithID is the refusal as the answer to the request of that id. Several
// requests may share one refusal.
func (f *Refusal) WithID(id string) *Refusal {
	own := *f
	own.ID = id
	return &own
}

// WithRemedy is the refusal with another remedy.
func (f *Refusal) WithRemedy(remedy string) *Refusal {
	own := *f
	own.Remedy = remedy
	return &own
}

// Message is the cause, the remedy and who asked, with our name so that nobody blames GitHub.
func (f *Refusal) Message() string {
	message := "ghapp-proxy: " + f.Title
	if f.Remedy != "" {
		message += "; " + f.Remedy
	}
	if f.Asker != "" {
		message += " (" + f.Asker + ")"
	}
	return message
}
