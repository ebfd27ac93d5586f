package auth

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"

	"golang.org/x/sync/singleflight"
)

// Options are what a Source needs besides its Apps. The zero value works.
type Options struct {
	// Transport reaches GitHub; nil means http.DefaultTransport. It must not
	// follow redirects (no http.RoundTripper does).
	Transport http.RoundTripper
	// Fallback applies to owners without an installation.
	Fallback Fallback
	// Log receives one line per mint; nil discards them.
	Log *slog.Logger
	// UserAgent is sent to GitHub, which requires one; "" means "ghapp-proxy".
	UserAgent string
}

// Source gives credentials for the Apps of any number of GitHub instances. It
// is safe for concurrent use.
type Source struct {
	apps      map[string][]*appState // host → its Apps, in the order given
	transport http.RoundTripper
	fallback  Fallback
	log       *slog.Logger
	userAgent string

	tokens   *cache[*header]  // installation.key → its token
	replaced *cache[struct{}] // keys of tokens that were replaced of late
	flights  singleflight.Group
	calls    atomic.Int64 // to GitHub's API, under way

	lifetime context.Context // of the work that no single waiter owns
	end      context.CancelFunc
}

// appState is an App and what is known about it.
type appState struct {
	*App
	prefix string // of keys that are the App's
	signer signer
	client *header // client id and secret, nil if not both are configured

	mapped map[string]*installation         // Owner.key of an account → installation
	ids    map[InstallationID]*installation // all that the configuration names
	home   *installation                    // DefaultInstallation, nil if none

	known *cache[found] // Owner.key → where GitHub says the App is installed
}

// New returns a Source for apps, which come in order of precedence and must
// not be changed afterwards. It does no I/O.
func New(apps []*App, opts Options) *Source {
	s := &Source{
		apps:      make(map[string][]*appState),
		transport: opts.Transport, fallback: opts.Fallback, log: opts.Log, userAgent: opts.UserAgent,
		tokens: newCache[*header](maxTokens), replaced: newCache[struct{}](maxTokens),
	}
	if s.transport == nil {
		s.transport = http.DefaultTransport
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.userAgent == "" {
		s.userAgent = "ghapp-proxy"
	}
	s.lifetime, s.end = context.WithCancel(context.Background())
	for _, app := range apps {
		s.apps[app.Host] = append(s.apps[app.Host], newAppState(app))
	}
	return s
}

func newAppState(app *App) *appState {
	a := &appState{
		App:    app,
		prefix: app.Host + "|" + app.Name + "|",
		mapped: make(map[string]*installation),
		ids:    make(map[InstallationID]*installation),
		known:  newCache[found](maxDiscovered),
	}
	a.signer.app = app
	if app.ClientID != "" && app.ClientSecret != "" {
		a.client = &header{basic: []string{basic(app.ClientID, string(app.ClientSecret))}}
	}
	for login, id := range app.Installations {
		a.mapped[Owner{Login: login}.key()] = a.configured(id)
	}
	for slug, id := range app.Enterprises {
		a.mapped[Owner{Login: slug, Enterprise: true}.key()] = a.configured(id)
	}
	if app.DefaultInstallation != 0 {
		a.home = a.configured(app.DefaultInstallation)
	}
	return a
}

// configured files an installation that the configuration names.
func (a *appState) configured(id InstallationID) *installation {
	if a.ids[id] == nil {
		a.ids[id] = newInstallation(a, id)
	}
	return a.ids[id]
}

// Format implements fmt.Formatter with the type's name: fmt would read what is
// changing, and print what Transport points to for a verb that does not fit.
func (s *Source) Format(f fmt.State, _ rune) { io.WriteString(f, "auth.Source") }

// Close ends all mints and look-ups that are under way; their waiters get an
// error that wraps context.Canceled. Cached credentials stay usable.
func (s *Source) Close() { s.end() }

// once runs work, or waits for the same work under way. The work has the
// Source's lifetime, so that a waiter whose ctx ends leaves without stopping it.
func once[T any](ctx context.Context, s *Source, key string, work func(context.Context) (T, error)) (T, error) {
	done := s.flights.DoChan(key, func() (any, error) { return work(s.lifetime) })
	select {
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	case result := <-done:
		return result.Val.(T), result.Err
	}
}
