package event

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"
)

// writeLine writes the line of the log about an Event that has ended: "request",
// "tunnel" or "refused".
func writeLine(log *slog.Logger, e *Event) {
	ctx := context.Background()
	if !log.Enabled(ctx, e.Level) {
		return
	}
	l := line(make([]slog.Attr, 0, 24))
	l.text("id", e.ID)
	l.text("client", cmp.Or(e.Client, e.Address))
	l.flag("transparent", e.Transparent)
	l.some("grant", e.grantPath())
	if e.Token != nil {
		l.text("issuer", e.Token.Issuer)
		l.text("subject", e.Token.Subject)
	}
	l.some("actor", e.Actor)
	l.some("purpose", e.Purpose)
	l.text("method", Clip(e.Method))
	l.text("host", Clip(e.Host))
	message := e.message()
	switch message {
	case "request":
		l.request(e)
	case "tunnel":
		l.number("bytes_in", e.Sent)
		l.number("bytes_out", e.Received)
		l.duration(e)
	default:
		l.some("address", e.Destination)
		if e.Kind != Tunnel {
			l.number("status", int64(e.Status))
		}
	}
	l.some("decided_by", e.DecidedBy)
	if e.Err != nil {
		l.text("error", Clip(e.Err.Error()))
	}
	if e.Fault != nil {
		l.text("stack", string(e.Fault.Stack))
	}
	r := slog.NewRecord(time.Now(), e.Level, message, 0) // a Logger would look from where it is called
	r.AddAttrs(l...)
	_ = log.Handler().Handle(ctx, r) // as a Logger does
}

// grantPath are the ids of a grant's links, from the root on.
func (e *Event) grantPath() string {
	var ids []string
	for _, link := range e.Grant {
		ids = append(ids, link.ID)
	}
	return strings.Join(ids, "/")
}

// message is that of an Event's line.
func (e *Event) message() string {
	switch {
	case e.Kind == Request && !e.Early:
		return "request"
	case e.Kind == Tunnel && e.Decision == Forwarded:
		return "tunnel"
	}
	return "refused"
}

// IsMessage reports whether a line of the log with this message is that of an Event.
func IsMessage(message string) bool {
	return message == "request" || message == "tunnel" || message == "refused"
}

// line collects the fields of a line.
type line []slog.Attr

func (l *line) text(key, value string) { *l = append(*l, slog.String(key, value)) }

func (l *line) number(key string, value int64) { *l = append(*l, slog.Int64(key, value)) }

func (l *line) duration(e *Event) {
	*l = append(*l, slog.Duration("duration", e.Duration.Round(time.Microsecond)))
}

func (l *line) some(key, value string) {
	if value != "" {
		l.text(key, value)
	}
}

func (l *line) flag(key string, value bool) {
	if value {
		*l = append(*l, slog.Bool(key, true))
	}
}

func (l *line) count(key string, value, above int64) {
	if value > above {
		l.number(key, value)
	}
}

// request are the fields of a request's line.
func (l *line) request(e *Event) {
	l.text("path", Clip(e.Path))
	l.text("route", e.Operation)
	l.text("credential", e.Credential)
	l.some("replaced", e.Replaced)
	l.some("owner", Clip(e.Subject))
	l.count("other_owners", int64(e.OtherOwners), 0)
	l.count("rule", int64(e.Rule), 0)
	l.flag("placeholder", e.Placeholder)
	l.flag("other_site", e.OtherSite) // why there is no credential
	l.flag("fallback", e.Fallback)
	if e.Uncovered != nil {
		l.text("uncovered", Clip(e.Uncovered.Error()))
	}
	l.some("app", e.App)
	l.count("installation", e.Installation, 0)
	l.count("tries", int64(e.Tries), 1) // GitHub did not take the credential at once
	l.number("status", int64(e.Status))
	l.duration(e)
	l.number("bytes", e.Received)
	l.some("cache", e.Cache)
}
