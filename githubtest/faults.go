package githubtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault is a misbehaviour of the server: Do, for the requests that Match. Several
// faults may apply to one request; then the one injected first is outermost.
//
//	remove := s.Inject(githubtest.Fault{
//		Match: githubtest.OnPath("/repos/acme/"),
//		Count: 2,
//		Do:    githubtest.ServerError(502),
//	})
//	defer remove()
type Fault struct {
	// Match selects requests. Nil selects all. It is called while the server is
	// locked, and must not call it.
	Match Matcher

	// Count is how many requests the fault applies to, 0 for no limit.
	Count int

	// For is how long the fault lasts in real time, 0 for no limit.
	For time.Duration

	// Do wraps the server's behaviour. See Stall, Cut, and the others.
	Do Middleware
}

// Matcher reports whether a fault applies to a request.
type Matcher func(*Request) bool

// OnHost matches requests for the host.
func OnHost(host string) Matcher {
	return func(r *Request) bool { return strings.EqualFold(strings.TrimSuffix(r.Host, ":443"), host) }
}

// OnPath matches requests whose path, as sent, begins with prefix.
func OnPath(prefix string) Matcher {
	return func(r *Request) bool { return strings.HasPrefix(r.Path(), prefix) }
}

// OnMethod matches requests of the method.
func OnMethod(method string) Matcher {
	return func(r *Request) bool { return r.Method == method }
}

// OnMint matches requests that mint a token.
func OnMint() Matcher {
	return func(r *Request) bool { return r.Method == "POST" && strings.HasSuffix(r.Path(), "/access_tokens") }
}

// OnInstallation matches requests with a token of the installation.
func OnInstallation(id int64) Matcher {
	return func(r *Request) bool { return r.Installation == id }
}

// OnYoungToken matches requests with a token minted less than d ago, for faults
// like those that GitHub's replication causes.
func OnYoungToken(d time.Duration) Matcher {
	return func(r *Request) bool { return r.Installation != 0 && r.TokenAge < d }
}

// All matches what all of ms match.
func All(ms ...Matcher) Matcher {
	return func(r *Request) bool {
		return !slices.ContainsFunc(ms, func(m Matcher) bool { return !m(r) })
	}
}

// activeFault is a Fault that has been injected.
type activeFault struct {
	Fault
	until time.Time // zero: no limit
	used  int
}

// Inject adds a fault until remove is called, or the fault has run out. remove may be
// called more than once.
func (s *Server) Inject(f Fault) (remove func()) {
	a := &activeFault{Fault: f}
	if f.For > 0 {
		a.until = time.Now().Add(f.For)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, a)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(x *activeFault) bool { return x == a })
	}
}

// ClearFaults removes all faults. Clock skew, suspensions and exhausted rate limits
// are no faults in this sense.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// misbehave wraps h in the faults that apply to the request.
func (s *Server) misbehave(rec *Request, h http.Handler) http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.faults = slices.DeleteFunc(s.faults, func(a *activeFault) bool {
		return a.Count > 0 && a.used >= a.Count || !a.until.IsZero() && now.After(a.until)
	})
	for _, a := range slices.Backward(s.faults) {
		if a.Match == nil || a.Match(rec) {
			a.used++
			h = a.Do(h)
		}
	}
	return h
}

// SetClockSkew moves the server's clock: its Date header, and what it compares the
// times in JWTs and the expiry of tokens with.
func (s *Server) SetClockSkew(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// RejectYoungTokens answers requests with tokens younger than age as GitHub does
// while it replicates them: 401 Bad credentials or 403 Resource not accessible by
// integration. git sees 401 or 404.
func (s *Server) RejectYoungTokens(age time.Duration, status int) (remove func()) {
	return s.Inject(Fault{Match: OnYoungToken(age), Do: s.rejectToken(status)})
}

func (s *Server) rejectToken(status int) Middleware {
	rep := badCredentials()
	if status != http.StatusUnauthorized {
		rep = problem(status, msgNotAccessible)
	}
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := &call{s: s, w: w, r: r}
			if m, path, _ := s.find(r.Host, r.URL.EscapedPath()); m.service != serviceWeb {
				c.send(rep)
			} else if c.path = path; status == http.StatusUnauthorized {
				c.refuseGit("", &refusal{status: status, message: "Invalid username or token."})
			} else {
				c.refuseGit("", &refusal{status: http.StatusNotFound, message: "Repository not found."})
			}
		})
	}
}
