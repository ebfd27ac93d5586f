package githubtest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// CredentialKind says what a request carried in Authorization.
type CredentialKind string

// The kinds of credentials.
const (
	CredentialNone         CredentialKind = "none"         // no Authorization at all
	CredentialJWT          CredentialKind = "jwt"          // Bearer and something of the form of a JWT
	CredentialInstallation CredentialKind = "installation" // Bearer or token, and a token minted here
	CredentialBasicClient  CredentialKind = "basic-client" // Basic client-id:client-secret
	CredentialBasicToken   CredentialKind = "basic-token"  // Basic x-access-token:TOKEN, as git sends it
	CredentialUnknown      CredentialKind = "unknown"      // anything else, more than one Authorization included
)

// maxRecordedBody is how much of a request body is kept in the record.
const maxRecordedBody = 64 << 10

// Request is the record of one request. It contains credentials as they
// arrived; String does not.
type Request struct {
	Time          time.Time // real time of arrival, not the server's skewed clock
	Method        string
	Host          string // Host or :authority, as sent
	ServerName    string // SNI
	Target        string // request-target as sent: path and query, never unescaped
	Proto         string // "HTTP/1.1" or "HTTP/2.0"
	Header        http.Header
	Transfer      []string // Transfer-Encoding
	ContentLength int64    // -1 if the request did not say
	RemoteAddr    string

	Credential   CredentialKind
	App          int64         // App that the JWT names or the token belongs to, 0 if unknown
	Installation int64         // installation of the token, 0 if none
	Scope        *Scope        // of the token, nil if none
	TokenAge     time.Duration // since it was minted

	// Status is the status answered, 0 while the answer has not begun. A connection
	// that a fault broke keeps the status that was on its way.
	Status    int
	BodySize  int64         // bytes of body read from the client so far
	Body      []byte        // the first 64 KB of them
	ReplySize int64         // bytes of body answered
	Duration  time.Duration // until the answer ended, 0 while it has not
}

// Scope is what a token may do.
type Scope struct {
	Repositories []string          // full names; nil means all of the installation
	Permissions  map[string]string // permission → read, write or admin
}

// String describes the request without its credentials and query. The number behind
// the kind of credential is the installation, or else the App.
func (r *Request) String() string {
	path, _, _ := strings.Cut(r.Target, "?")
	var who string
	if r.Installation != 0 {
		who = fmt.Sprintf(" %d", r.Installation)
	} else if r.App != 0 {
		who = fmt.Sprintf(" %d", r.App)
	}
	return fmt.Sprintf("%s https://%s%s [%s%s] %d", r.Method, r.Host, path, r.Credential, who, r.Status)
}

// Authorization returns the value of the Authorization header, "" if there is none.
func (r *Request) Authorization() string { return r.Header.Get("Authorization") }

// Path returns the path of the request-target, as sent.
func (r *Request) Path() string {
	path, _, _ := strings.Cut(r.Target, "?")
	return path
}

func (r *Request) clone() *Request {
	c := *r
	c.Header = r.Header.Clone()
	c.Body = slices.Clone(r.Body)
	return &c
}

// Requests returns the requests received since the last Reset, by arrival, but no
// more than Options.MaxRequests.
func (s *Server) Requests() []*Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Request, len(s.log))
	for i, r := range s.log {
		out[i] = r.clone()
	}
	return out
}

// Reset forgets the requests recorded and the count of Mints. The world, the
// tokens and the faults stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
	s.tokens.mints = 0
}

// record starts the record of r.
func (s *Server) record(r *http.Request) (*Request, credential) {
	rec := &Request{
		Time:          time.Now(),
		Method:        r.Method,
		Host:          r.Host,
		Target:        r.RequestURI,
		Proto:         r.Proto,
		Header:        r.Header.Clone(),
		Transfer:      slices.Clone(r.TransferEncoding),
		ContentLength: r.ContentLength,
		RemoteAddr:    r.RemoteAddr,
	}
	if r.TLS != nil {
		rec.ServerName = r.TLS.ServerName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cred := s.identify(r.Header)
	rec.Credential = cred.kind
	if cred.app != nil {
		rec.App = cred.app.ID
	}
	if t := cred.token; t != nil {
		rec.App, rec.Installation = t.app, t.installation
		rec.Scope = s.scopeOf(t)
		rec.TokenAge = s.opts.Now().Sub(t.minted)
	}
	if s.log = append(s.log, rec); len(s.log) > s.opts.MaxRequests {
		s.log = s.log[1:]
	}
	return rec, cred
}

// recorder notes what is answered. It is the outermost writer, so that it sees
// what faults do, too.
type recorder struct {
	http.ResponseWriter
	s   *Server
	rec *Request
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

func (w *recorder) WriteHeader(status int) {
	if status >= 200 {
		w.note(func() {
			if w.rec.Status == 0 {
				w.rec.Status = status
			}
		})
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.note(func() {
		if w.rec.Status == 0 {
			w.rec.Status = http.StatusOK
		}
		w.rec.ReplySize += int64(n)
	})
	return n, err
}

func (w *recorder) note(f func()) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	f()
}

// done ends the record.
func (w *recorder) done() {
	w.note(func() { w.rec.Duration = time.Since(w.rec.Time) })
}

// countingBody notes what is read of the request body.
type countingBody struct {
	io.ReadCloser
	s   *Server
	rec *Request
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.rec.BodySize += int64(n)
	if room := maxRecordedBody - len(b.rec.Body); room > 0 {
		b.rec.Body = append(b.rec.Body, p[:min(n, room)]...)
	}
	return n, err
}
