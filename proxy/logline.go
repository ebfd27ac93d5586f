package proxy

import (
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// recorder counts what is answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if status == http.StatusContinue {
		return // net/http sends it when the body is read, for which GitHub's was waited
	}
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
		if h := w.Header(); h["Content-Type"] == nil {
			h["Content-Type"] = nil // or net/http would guess one
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *recorder) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find Flush and EnableFullDuplex.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logLine returns the function that writes a request's line when it ends. The
// path is logged without its query, which may hold secrets.
func (g *gateway) logLine(r *http.Request, x *exchange, w *recorder) func() {
	start := time.Now()
	return func() {
		level := slog.LevelInfo
		attrs := make([]slog.Attr, 0, 13)
		attrs = append(attrs,
			slog.String("client", r.RemoteAddr),
			slog.String("method", r.Method),
			slog.String("host", x.session.host.Name),
			slog.String("path", x.path),
			slog.String("route", x.route.Operation),
			slog.String("credential", credentialName(x)),
		)
		if own := r.Header.Get("Authorization"); own != "" && !x.keep {
			scheme, _, _ := strings.Cut(own, " ") // what the tool sent did not leave
			attrs = append(attrs, slog.String("replaced", printable(scheme[:min(len(scheme), 16)])))
		}
		if x.route.Owner != "" {
			attrs = append(attrs, slog.String("owner", x.route.Owner))
		}
		if x.credential.App != nil {
			attrs = append(attrs, slog.String("app", x.credential.App.Name))
		}
		if x.credential.Installation != 0 {
			attrs = append(attrs, slog.Int64("installation", int64(x.credential.Installation)))
		}
		attrs = append(attrs,
			slog.Int("status", w.status),
			slog.Duration("duration", time.Since(start).Round(time.Microsecond)),
			slog.Int64("bytes", w.bytes),
		)
		if aborted := recover(); aborted != nil {
			defer panic(aborted) // net/http closes the connection and is quiet about it
			attrs = append(attrs, slog.String("error", "the answer was cut off"))
			level = slog.LevelWarn
		}
		if x.err != nil {
			attrs = append(attrs, slog.String("error", x.err.Error()))
			level = slog.LevelWarn
		}
		g.opts.Log.LogAttrs(r.Context(), level, "request", attrs...)
	}
}

// credentialName says what left: "none" also where nothing was found.
func credentialName(x *exchange) string {
	if x.authorization == nil {
		return "none"
	}
	return x.route.Credential.String()
}
