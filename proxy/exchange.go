package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/answer"
	"ghapp-proxy/auth"
	"ghapp-proxy/cache"
	"ghapp-proxy/decide"
	"ghapp-proxy/event"
	"ghapp-proxy/h1"
)

// exchange is one request on its way, and what became of it.
type exchange struct {
	id     string // in the log, in the audit log and in Proxy-Status
	start  time.Time
	events *event.Sink
	began  *event.Beginning // nil before it leaves
	became event.Event      // when it has ended
	out    *recorder        // what the client is answered by

	names         []h1.Name      // of the client's fields, as they came; nil if that is not known
	bodiless      []h1.Name      // names of the last answer's fields where it has no body to say them
	asked         *http.Request  // as the client sent it, but for fields of one hop
	replaced      string         // the scheme of the credential that came with it, "" for none
	leaving       http.Request   // what is sent instead
	target        url.URL        // of that
	carrier       carries        // sends it
	cache         *cache.Cache   // nil for none
	sharesAnswers bool           // with other replicas
	asks          cache.Question // of it
	fate          cache.Fate     // how it came to the answer
	collapsed     bool           // which was another's, too
	fateField     [1]string      // the memory of a field of the answer
	interims      interims
	head          *h1.Memory // that of the first answer is read into, nil for new one
	outlived      bool       // others may still know of it when it has ended

	received answerBody  // by it, where a host has answered
	guarded  guardedBody // of which nothing passes that is secret
	session  session
	now      *state       // the policy when it came
	source   *auth.Source // nil for a host that is not served
	path     string       // of the request target, as sent
	query    string       // with its "?", "" if there is none

	decide.Verdict
	sentPlaceholder string       // by the client as its credential, "" for none
	placeholder     *placeholder // the client's: sent, or to be given to it; nil for none
	want            auth.Want    // what the credential was asked for, if it is an installation's
	credential      auth.Credential
	authorization   []string   // what leaves as Authorization; nil for none
	unserved        bool       // the host is not served: the client's Authorization passes
	via             *NextProxy // through which such a host is reached, nil for none

	pushReport []byte // what git is told of a push that is refused

	cut      func() // ends a connection that is upgraded, nil if that need not end
	aging    *time.Timer
	answer   *ownAnswer    // where the request is not forwarded
	sent     bool          // there was a connection to send the request on
	outgoing auth.Outgoing // how it was sent
	err      error         // why there was no complete answer

	interimLeak atomic.Bool // an interim answer had a secret in it
	recorded    bool        // its beginning is in the audit log

	uncovered *auth.NotInstalledError // why it left with less than it needed, nil if it did not

	shares          shares
	githubRequestID string
	githubStatus    int
	refs            []string // that a push moves
}

// carries sends what an exchange is about.
type carries interface {
	carry(*http.Request, *exchange) (*http.Response, error)
}

// cacheWord says how the answer came of the cache, "" where it was not asked.
func (x *exchange) cacheWord() string {
	if x.collapsed {
		return "shared"
	}
	return x.fate.How.String()
}

// firstValue is the field's first value: exactly one Authorization leaves.
func firstValue(values []string) []string { return values[:min(len(values), 1)] }

// target splits the request target into path and query as they were sent. Of
// an absolute form it drops scheme, userinfo and host.
func target(r *http.Request) (path, query string) {
	path = r.RequestURI
	if r.URL.IsAbs() {
		_, path, _ = strings.Cut(path, "://")
		if i := strings.IndexAny(path, "/?"); i >= 0 {
			path = path[i:]
		} else {
			path = ""
		}
	}
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, query = path[:i], path[i:]
	}
	if path == "" && r.URL.IsAbs() {
		path = "/" // RFC 9112, section 3.2.1
	}
	return path, query
}

type exchangeKey struct{}

// exchangeOf returns the exchange that serve attached.
func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// ownAnswer is what the proxy answers itself where it does not refuse.
type ownAnswer struct {
	status int
	body   []byte // JSON, nil for none
}

func (a *ownAnswer) write(w http.ResponseWriter, id string) {
	h := w.Header()
	h.Set("Proxy-Status", answer.Note(0, "answered with a placeholder, not by GitHub", id))
	if a.body != nil {
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
	}
	answer.WriteWhole(w, a.status, a.body)
}

// interims lets interim answers pass until the final one is there: net/http may find
// one in a goroutine of its own.
type interims struct {
	mu   sync.Mutex
	over bool
}

func (i *interims) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}
