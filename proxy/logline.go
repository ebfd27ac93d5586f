package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/panics"
	"ghapp-proxy/rules"
)

// logLine returns the function that writes a request's line when it ends. It
// is deferred, and passes a panic on.
func (g *gateway) logLine(r *http.Request, x *exchange, w *recorder) func() {
	return func() {
		level := slog.LevelInfo
		aborted := recover()
		if x.err == nil && x.interimLeak.Load() {
			x.err = errInterimLeak
		}
		var fault *panics.Fault
		if aborted != nil && aborted != http.ErrAbortHandler {
			fault = panics.Recovered(aborted)
			aborted, x.err = w.answerFault(r, x.id, x.route.Form, fault), fault
		}
		if outside, ok := errors.AsType[*panics.Fault](x.err); ok {
			fault = outside // of this goroutine, perhaps
		}
		switch {
		case fault != nil:
			level = slog.LevelError
		case errors.Is(x.err, errLeak), errors.Is(x.err, errInterimLeak):
			level = slog.LevelError
		case aborted != nil && x.err == nil:
			level, x.err = slog.LevelWarn, x.cutOff()
		case isQuiet(x.err):
			level = slog.LevelDebug
		case x.err != nil:
			level = slog.LevelWarn
		}
		took := time.Since(x.start)
		attrs := x.describe(r, w, took)
		if fault != nil {
			attrs = append(attrs, stackOf(fault))
		}
		g.opts.Log.LogAttrs(r.Context(), level, "request", attrs...)
		if !isQuiet(x.err) {
			x.end(r, w, took)
		}
		if aborted != nil {
			panic(aborted) // net/http closes the connection
		}
	}
}

// isQuiet reports whether an error is one of very many.
func isQuiet(err error) bool {
	refused, ok := errors.AsType[*answer.Refusal](err)
	return ok && refused.Quiet
}

// maxLogged is how much is logged of a text that a client chooses, in bytes.
const maxLogged = 1 << 10

// describe is what the log says about a request. The path is logged without its
// query, which may hold secrets.
func (x *exchange) describe(r *http.Request, w *recorder, took time.Duration) []slog.Attr {
	attrs := make([]slog.Attr, 0, 24)
	attrs = append(attrs,
		slog.String("id", x.id),
		slog.String("client", cmp.Or(x.session.clientName(), r.RemoteAddr)),
		slog.String("method", logged(r.Method)),
		slog.String("host", logged(x.session.host.Name)),
		slog.String("path", logged(x.path)),
		slog.String("route", x.route.Operation),
		slog.String("credential", credentialName(x)),
	)
	if own := r.Header.Get("Authorization"); own != "" && !x.keep && x.route.Credential != rules.Keep {
		attrs = append(attrs, slog.String("replaced", scheme(own))) // what the tool sent did not leave
	}
	if x.route.Named() {
		attrs = append(attrs, slog.String("owner", logged(owner(x.route.Subject).String())))
	}
	if n := len(x.route.Others); n > 0 {
		attrs = append(attrs, slog.Int("other_owners", n))
	}
	if x.route.Rule != 0 {
		attrs = append(attrs, slog.Int("rule", x.route.Rule))
	}
	if x.placeholder != nil {
		attrs = append(attrs, slog.Bool("placeholder", true))
	}
	if x.otherSite {
		attrs = append(attrs, slog.Bool("other_site", true)) // why there is no credential
	}
	if x.credential.Fallback {
		attrs = append(attrs, slog.Bool("fallback", true))
	}
	if x.uncovered != nil {
		attrs = append(attrs, slog.String("uncovered", logged(x.uncovered.Error())))
	}
	if x.credential.App != nil {
		attrs = append(attrs, slog.String("app", x.credential.App.Name))
	}
	if x.credential.Installation != 0 {
		attrs = append(attrs, slog.Int64("installation", int64(x.credential.Installation)))
	}
	if x.outgoing.Tries > 1 {
		attrs = append(attrs, slog.Int("tries", x.outgoing.Tries)) // GitHub did not take the credential at once
	}
	attrs = append(attrs, slog.Int("status", w.status), slog.Duration("duration", took.Round(time.Microsecond)), slog.Int64("bytes", w.bytes))
	if key := x.decidedBy(); key != "" {
		attrs = append(attrs, slog.String("decided_by", key))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("error", logged(x.err.Error())))
	}
	return attrs
}

// logged is as much of a text as is logged.
func logged(text string) string {
	if len(text) > maxLogged {
		text = strings.ToValidUTF8(text[:maxLogged], "") + "…"
	}
	return text
}

// decidedBy is the key of the configuration that refused a request, "" if none did.
func (x *exchange) decidedBy() string {
	if refused, ok := errors.AsType[*answer.Refusal](x.err); ok {
		return refused.DecidedBy
	}
	return ""
}

var errCutOff = errors.New("the answer was cut off")

// cutOff is why the answer was cut off: the host broke off, or the client.
func (x *exchange) cutOff() error {
	if why := x.received.err; why != nil && !mentionsAny(why, x.credential.Marks()) {
		return fmt.Errorf("%w: %w", errCutOff, why)
	}
	return errCutOff
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

// credentialName says what left: "none" also where nothing was found.
func credentialName(x *exchange) string {
	if x.authorization == nil {
		return "none"
	}
	return x.route.Credential.String()
}

// serverLog is what net/http logs through: broken connections, mostly.
type serverLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l serverLog) Write(p []byte) (int, error) {
	message := strings.TrimSpace(string(p))
	if serving, stack, ok := strings.Cut(message, "\n"); ok && strings.Contains(serving, "panic serving ") {
		l.log.Error(serving, "stack", stack) // a fault outside of a handler: those of handlers are caught before
		return len(p), nil
	}
	l.log.Debug(message)
	return len(p), nil
}
