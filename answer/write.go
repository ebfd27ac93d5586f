package answer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Form is the shape in which a client expects to read an error.
type Form uint8

// The forms.
const (
	JSON Form = iota // GitHub's API: {"message": …, "documentation_url": …}
	Text             // for git, curl and people
	LFS              // Git LFS: its "API, Batch, Response Errors"
)

// docURL is where answers point to.
const docURL = "https://docs.github.com/apps"

// body renders the refusal as the client can print it.
func (f *Refusal) body(form Form) (contentType string, body []byte) {
	switch form {
	case Text:
		return "text/plain; charset=utf-8", []byte(f.Message() + "\n")
	case LFS:
		contentType = "application/vnd.git-lfs+json"
	default:
		contentType = "application/json; charset=utf-8"
	}
	body, err := json.Marshal(struct {
		Message          string `json:"message"`
		DocumentationURL string `json:"documentation_url"`
	}{f.Message(), cmp.Or(f.DocumentationURL, docURL)})
	if err != nil {
		panic(err) // strings always marshal
	}
	return contentType, append(body, '\n')
}

// Write answers with the refusal. A client that is gone is noticed by the server.
func (f *Refusal) Write(w http.ResponseWriter, form Form) {
	h := w.Header()
	maps.Copy(h, f.Fields)
	h.Set("Proxy-Status", f.proxyStatus())
	if f.Status == http.StatusNoContent {
		w.WriteHeader(f.Status)
		return
	}
	contentType, body := f.body(form)
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	f.setRetryAfter(h)
	if f.Status == http.StatusProxyAuthRequired {
		h.Set("Proxy-Authenticate", `Basic realm="ghapp-proxy"`)
	}
	WriteWhole(w, f.Status, body)
}

// WriteOAuth answers with the refusal as OAuth's servers do, by one of their codes: RFC
// 6749, section 5.2.
func (f *Refusal) WriteOAuth(w http.ResponseWriter, code string) {
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, f.Message()})
	if err != nil {
		panic(err) // strings always marshal
	}
	h := w.Header()
	h.Set("Proxy-Status", f.proxyStatus())
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	f.setRetryAfter(h)
	WriteWhole(w, f.Status, append(body, '\n'))
}

// WriteWhole writes an answer of ours with its body, if it has one. The client is
// told how long that is: net/http does not know when it sends the head.
func WriteWhole(w http.ResponseWriter, status int, body []byte) {
	if body != nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	w.Write(body)
}

// WriteReport answers a push as git-receive-pack does, with a report that says
// of each ref why it is refused. git prints the reasons of an answer with status
// 200 only.
func (f *Refusal) WriteReport(w http.ResponseWriter, report []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/x-git-receive-pack-result")
	h.Set("Cache-Control", "no-store")
	h.Set("Proxy-Status", f.proxyStatus())
	WriteWhole(w, http.StatusOK, report)
}

// Response is the refusal of a CONNECT, r, which may be nil. Clients print only
// its reason phrase.
func (f *Refusal) Response(r *http.Request) *http.Response {
	_, body := f.body(Text)
	h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Proxy-Status": {f.proxyStatus()}}
	f.setRetryAfter(h)
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", f.Status, printable(f.Message())),
		StatusCode: f.Status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        h,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Close:         true,
	}
}

// setRetryAfter says when it may be tried again: RFC 9110, section 10.2.3, in
// seconds, at least one.
func (f *Refusal) setRetryAfter(h http.Header) {
	if !f.RetryAt.IsZero() {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(time.Until(f.RetryAt).Seconds())))))
	}
}

// proxyStatus is the value of the Proxy-Status field (RFC 9209).
func (f *Refusal) proxyStatus() string {
	return "ghapp-proxy; error=" + string(f.Code) + f.Parameters + details(f.Title, f.ID)
}

// Note is our member of the Proxy-Status field of an answer that passes, or that
// is no refusal: what there is to say about it, and the request's id. received is
// the status of GitHub's answer, 0 where that does not matter.
func Note(received int, about, id string) string {
	value := "ghapp-proxy"
	if received != 0 {
		value += "; received-status=" + strconv.Itoa(received)
	}
	return value + details(about, id)
}

// details are the parameters that people read, and by which the log and the
// audit log are searched.
func details(about, id string) string {
	text := "; details=" + Quote(about)
	if id != "" {
		text += "; request-id=" + Quote(id)
	}
	return text
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

// Quote writes a string of a structured field (RFC 8941, section 3.3.3).
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(s)) + `"`
}
