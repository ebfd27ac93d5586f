package githubtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// This file has what a Fault can do.

// Middleware changes how the server behaves: the type of Fault.Do.
type Middleware = func(http.Handler) http.Handler

// instead answers with h and ignores what GitHub would have done.
func instead(h http.HandlerFunc) Middleware {
	return func(http.Handler) http.Handler { return h }
}

// Answer answers with a status and a body of a content type.
func Answer(status int, contentType, body string) Middleware {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// AnswerError answers with an error in GitHub's form.
func AnswerError(status int, message string) Middleware {
	body, err := encode(problem(status, message).value)
	if err != nil {
		panic(err) // text always marshals
	}
	return Answer(status, "application/json; charset=utf-8", string(body))
}

// ServerError answers with a 5xx status and the page with the unicorn, in HTML.
func ServerError(status int) Middleware {
	return Answer(status, "text/html; charset=utf-8",
		"<!DOCTYPE html>\n<html>\n  <head>\n    <title>Unicorn! &middot; GitHub</title>\n  </head>\n  <body>\n"+
			"    <p><strong>We had issues producing the response to your request.</strong></p>\n"+
			"    <p>Sorry about that. Please try refreshing and contact us if the problem persists.</p>\n"+
			"  </body>\n</html>\n")
}

// SecondaryRateLimit answers as GitHub does when there were too many requests at
// once. after becomes retry-after, in seconds; 0 leaves that out.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
func SecondaryRateLimit(status int, after time.Duration) Middleware {
	limited := AnswerError(status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if after > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
			}
			limited(next).ServeHTTP(w, r)
		})
	}
}

// Stall waits until d has passed, the client has gone or the server closes, and
// then breaks the connection. A d of 0 waits without limit.
func Stall(d time.Duration) Middleware {
	return instead(func(_ http.ResponseWriter, r *http.Request) {
		// net/http notices that an HTTP/1 client is gone only once the body is read.
		go func() { _, _ = io.Copy(io.Discard, r.Body) }()
		wait(r.Context(), d)
		panic(http.ErrAbortHandler)
	})
}

// wait waits for d, for ever if it is 0, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	var timeout <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-ctx.Done():
	case <-timeout:
	}
}

// ResetConnection breaks the TCP connection with RST before anything is answered.
// Over HTTP/2 that ends all requests of the connection.
func ResetConnection() Middleware {
	return instead(func(_ http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		if under, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = under.NetConn()
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // makes Close send RST
			_ = tcp.Close()
		}
		panic(http.ErrAbortHandler)
	})
}

// writerFault changes how the answer is written.
func writerFault(wrap func(http.ResponseWriter, *http.Request) http.ResponseWriter) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(wrap(w, r), r)
		})
	}
}

// CutBody breaks the connection, or the stream of HTTP/2, after n bytes of body.
func CutBody(n int64) Middleware {
	return writerFault(func(w http.ResponseWriter, _ *http.Request) http.ResponseWriter {
		return &cutWriter{w, n}
	})
}

type cutWriter struct {
	http.ResponseWriter
	left int64
}

func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) < w.left {
		w.left -= int64(len(p))
		return w.ResponseWriter.Write(p)
	}
	_, _ = w.ResponseWriter.Write(p[:w.left])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// SlowBody sends the body in pieces of n bytes, with a pause after each.
func SlowBody(n int, pause time.Duration) Middleware {
	return writerFault(func(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
		return &slowWriter{w, r.Context(), n, pause}
	})
}

type slowWriter struct {
	http.ResponseWriter
	ctx   context.Context
	n     int
	pause time.Duration
}

func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *slowWriter) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) && w.ctx.Err() == nil {
		n, err := w.ResponseWriter.Write(p[sent:min(sent+w.n, len(p))])
		sent += n
		if err != nil {
			return sent, err
		}
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		wait(w.ctx, max(w.pause, 1))
	}
	return sent, w.ctx.Err()
}

// EarlyAnswer answers with the status at once, without reading the body, while the
// client is perhaps still sending it, and closes an HTTP/1 connection.
func EarlyAnswer(status int) Middleware {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(w)
		// Without it, net/http reads up to 256 KB of the body before it sends the answer.
		_ = rc.EnableFullDuplex() // fails on HTTP/2, where it is always so
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"message":%q,"documentation_url":%q,"status":"%d"}`, http.StatusText(status), docsURL, status)
		_ = rc.Flush()
	})
}

// EarlyHints sends a 103 (RFC 8297) with a Link before the answer.
func EarlyHints(link string) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", link)
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			next.ServeHTTP(w, r)
		})
	}
}

// Trailer adds a trailer (RFC 9110, section 6.5) to the answer, which therefore has
// no Content-Length.
func Trailer(name, value string) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Trailer", name)
			next.ServeHTTP(&chunkedWriter{w}, r)
			w.Header().Set(name, value)
		})
	}
}

// chunkedWriter drops Content-Length.
type chunkedWriter struct{ http.ResponseWriter }

func (w *chunkedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *chunkedWriter) WriteHeader(status int) {
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(status)
}

// Header adds a header to the answer.
func Header(name, value string) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add(name, value)
			next.ServeHTTP(w, r)
		})
	}
}
