package proxy

import (
	"cmp"
	"log/slog"
	"net/http"
	"runtime"

	"ghapp-proxy/answer"
	"ghapp-proxy/event"
	"ghapp-proxy/panics"
)

// attend is what all requests have in common: it gives next a recorder to answer
// by, and a body, which are good until next returns. A fault in next ends this
// request only.
func attend(next http.HandlerFunc, o *Options) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := newRecorder(w, o)
		out.h2 = r.ProtoMajor == 2
		if out.h2 {
			growStack() // of a goroutine that has just begun; those of HTTP/1.1 have what they need
		}
		r, out.body = guardBody(out.stall.control, r, o.stalls)
		defer func() {
			aborted := recover()
			if aborted != nil && aborted != http.ErrAbortHandler {
				fault := panics.Recovered(aborted)
				id := event.NewID()
				o.Log.LogAttrs(r.Context(), slog.LevelError, "request", slog.String("id", id), slog.String("client", r.RemoteAddr), slog.String("method", event.Clip(r.Method)),
					slog.String("host", event.Clip(cmp.Or(r.URL.Host, r.Host))), slog.String("error", event.Clip(fault.Error())), stackOf(fault))
				aborted = out.answerFault(r, id, answer.Text, fault)
			}
			if aborted == nil {
				out.finish()
			}
			unread := out.close()
			if aborted != nil {
				panic(aborted) // net/http closes the connection
			}
			if unread {
				inboundOf(r.Context()).leaveUnread()
			}
		}()
		next(out, r)
	})
}

// growStack makes the stack of a new goroutine about as large as a request needs it: at once, and not
// by copying it again and again.
//
//go:noinline
func growStack() {
	var frame [9 << 10]byte
	runtime.KeepAlive(&frame[0])
}

// stackOf is where a fault was, for the log.
func stackOf(fault *panics.Fault) slog.Attr { return slog.String("stack", string(fault.Stack)) }

// answerFault answers a request in whose handler there was a fault, if nothing
// was answered yet. It returns what is to be panicked with, nil for nothing.
func (w *recorder) answerFault(r *http.Request, id string, form answer.Form, fault *panics.Fault) any {
	if w.status != 0 || r.Method == http.MethodConnect {
		return http.ErrAbortHandler // whatever the client has got must not look complete
	}
	clear(w.Header())
	faultRefusal(fault).WithID(id).Write(w, form)
	return nil
}

func newRecorder(w http.ResponseWriter, o *Options) *recorder {
	out := memoryOf(w).newRecorder()
	out.ResponseWriter, out.log, out.last = w, o.Log, o.draining
	out.stall.control, out.stall.limit = *http.NewResponseController(w), o.stalls.take
	if relayed, ok := w.(*answerWriter); ok {
		relayed.patience = o.stalls.take
	} else {
		out.stall.expire = (*http.ResponseController).SetWriteDeadline
	}
	return out
}
