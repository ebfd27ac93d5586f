package proxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ghapp-proxy/rules"
)

// refusal is an answer that the proxy gives itself.
type refusal struct {
	status     int
	code       string // RFC 9209, section 2.3: the error of the Proxy-Status field
	parameters string // of that error, "" or "; name=value"
	title      string // the cause, without a full stop
	remedy     string // what to do about it, "" if nothing is known

	inside    string    // the cause as the log has it, "" for title
	fault     error     // a *panics.Fault, nil for none
	retryAt   time.Time // when it may be tried again, zero if nothing is known
	decidedBy string    // the key of the configuration, "" if none did
	id        string    // of the request, "" before of
	quiet     bool      // there are many of the kind: it is in the log at the lowest level only
	challenge bool      // the client may know the secret that it is asked for: nobody has to look
}

// Error implements error, so that a refusal can be logged and returned.
func (f *refusal) Error() string { return cmp.Or(f.inside, f.title) }

// Unwrap returns the fault, whose stack is logged.
func (f *refusal) Unwrap() error { return f.fault }

// revokeRefusal keeps a token that is shared. To the client it has ended, as it
// asked; it never had it.
func revokeRefusal() *refusal {
	return &refusal{status: http.StatusNoContent, code: "http_request_denied", title: string(rules.RefusedRevoke)}
}

// message is the cause and the remedy, with our name so that nobody blames GitHub.
func (f *refusal) message() string {
	if f.remedy == "" {
		return "ghapp-proxy: " + f.title
	}
	return "ghapp-proxy: " + f.title + "; " + f.remedy
}

// docURL is where answers point to.
const docURL = "https://docs.github.com/apps"

// body renders the refusal as the client can print it.
func (f *refusal) body(form rules.Form) (contentType string, body []byte) {
	switch form {
	case rules.Text:
		return "text/plain; charset=utf-8", []byte(f.message() + "\n")
	case rules.LFS:
		contentType = "application/vnd.git-lfs+json"
	default:
		contentType = "application/json; charset=utf-8"
	}
	body, err := json.Marshal(struct {
		Message          string `json:"message"`
		DocumentationURL string `json:"documentation_url"`
	}{f.message(), docURL})
	if err != nil {
		panic(err) // strings always marshal
	}
	return contentType, append(body, '\n')
}

// of is the refusal as the answer to the request of that id. Several may share one.
func (f *refusal) of(id string) *refusal {
	own := *f
	own.id = id
	return &own
}

// proxyStatus is the value of the Proxy-Status field (RFC 9209).
func (f *refusal) proxyStatus() string {
	return fmt.Sprintf("ghapp-proxy; error=%s%s; details=%s%s", f.code, f.parameters, quoteSF(f.title), requestID(f.id))
}

// requestID is the parameter of our member of Proxy-Status by which the log and
// the audit log are searched.
func requestID(id string) string {
	if id == "" {
		return ""
	}
	return "; request-id=" + quoteSF(id)
}

// write answers with the refusal.
func (f *refusal) write(w http.ResponseWriter, form rules.Form) {
	h := w.Header()
	if f.status == http.StatusNoContent {
		h.Set("Proxy-Status", f.proxyStatus())
		w.WriteHeader(f.status)
		return
	}
	contentType, body := f.body(form)
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Proxy-Status", f.proxyStatus())
	f.setRetryAfter(h)
	if f.status == http.StatusProxyAuthRequired {
		h.Set("Proxy-Authenticate", `Basic realm="ghapp-proxy"`)
	}
	writeWhole(w, f.status, body)
}

// writeWhole writes an answer of ours with its body, if it has one. The client is
// told how long that is: net/http does not know when it sends the head.
func writeWhole(w http.ResponseWriter, status int, body []byte) {
	if body != nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	w.Write(body) // a client that is gone is noticed by the server
}

// setRetryAfter says when it may be tried again: RFC 9110, section 10.2.3, in
// seconds, at least one.
func (f *refusal) setRetryAfter(h http.Header) {
	if !f.retryAt.IsZero() {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(time.Until(f.retryAt).Seconds())))))
	}
}

// response renders the refusal of a CONNECT. Clients print only its reason phrase.
func (f *refusal) response(r *http.Request) *http.Response {
	_, body := f.body(rules.Text)
	h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Proxy-Status": {f.proxyStatus()}}
	f.setRetryAfter(h)
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", f.status, printable(f.message())),
		StatusCode: f.status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        h,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Close:         true,
	}
}

// printable keeps what may stand in a reason phrase or a structured string:
// visible ASCII and spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// quoteSF writes an sf-string (RFC 8941, section 3.3.3).
func quoteSF(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(s)) + `"`
}
