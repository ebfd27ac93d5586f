package auth

import (
	"context"
	"iter"
	"log/slog"
	"net/http"

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
	apps      []*appState // in the order given
	transport http.RoundTripper
	fallback  Fallback
	log       *slog.Logger
	userAgent string

	tokens  *cache[*header] // installation.key → its token
	found   *cache[found]   // discoveryKey → where an App is installed
	flights singleflight.Group

	lifetime context.Context // of the work that no single waiter owns
	end      context.CancelFunc
}

// appState is an App and what is known about it.
type appState struct {
	*App
	prefix string // of its discovery keys
	signer signer
	mapped map[string]*installation // Owner.key → installation
	home   *installation            // default_installation, nil if none
	only   *installation            // home, or the only mapped installation
}

// New returns a Source for apps, which come in order of precedence and must
// not be changed afterwards. It does no I/O.
func New(apps []*App, opts Options) *Source {
	s := &Source{
		transport: opts.Transport, fallback: opts.Fallback, log: opts.Log, userAgent: opts.UserAgent,
		tokens: newCache[*header](maxTokens), found: newCache[found](maxDiscovered),
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
		s.apps = append(s.apps, newAppState(app))
	}
	return s
}

func newAppState(app *App) *appState {
	state := &appState{App: app, prefix: app.Host + "|" + app.Name + "|", mapped: map[string]*installation{}}
	state.signer.app = app
	for owner, id := range app.Installations {
		state.mapped[(Owner{Login: owner}).key()] = newInstallation(state, id)
	}
	for slug, id := range app.Enterprises {
		state.mapped[(Owner{Login: slug, Enterprise: true}).key()] = newInstallation(state, id)
	}
	if app.DefaultInstallation != 0 {
		state.home = newInstallation(state, app.DefaultInstallation)
	}
	if id, ok := app.sole(); ok {
		state.only = newInstallation(state, id)
	}
	return state
}

// mappedTo returns the installation that the configuration gives for an owner.
func (a *appState) mappedTo(owner Owner) (*installation, bool) {
	inst, ok := a.mapped[Owner{Login: owner.Login, Enterprise: owner.Enterprise}.key()]
	return inst, ok
}

// Close ends all mints and look-ups that are under way; their waiters get
// context.Canceled. Cached credentials stay usable.
func (s *Source) Close() { s.end() }

// Credential is what to send, and whose it is. The zero value is no credential.
type Credential struct {
	App          *App
	Installation InstallationID // 0 for a JWT or a client secret
	header       *header
}

// Anonymous reports whether there is nothing to send: the request may leave
// without Authorization.
func (c Credential) Anonymous() bool { return c.header == nil }

// Bearer returns the Authorization values "Bearer …", nil if there are none.
// The caller must not change them.
func (c Credential) Bearer() []string { return c.forms().bearer }

// Token returns the Authorization values "token …", nil if there are none.
// The caller must not change them.
func (c Credential) Token() []string { return c.forms().token }

// Basic returns the Authorization values "Basic …", nil if there are none.
// The caller must not change them.
func (c Credential) Basic() []string { return c.forms().basic }

var noHeader header

func (c Credential) forms() *header {
	if c.header == nil {
		return &noHeader
	}
	return c.header
}

// ForApp returns the JWT of the App that a request to the App's own routes
// means: the one that maps the installation or the owner in the path, else the
// first of the host.
func (s *Source) ForApp(host string, installation InstallationID, owner Owner) (Credential, error) {
	var chosen *appState
	for app := range s.on(host) {
		if _, mapped := app.mappedTo(owner); mapped || installation != 0 && app.maps(installation) {
			chosen = app
			break
		}
		if chosen == nil {
			chosen = app
		}
	}
	if chosen == nil {
		return Credential{}, &NotInstalledError{Host: host, Owner: owner}
	}
	jwt, err := chosen.signer.jwt()
	return Credential{App: chosen.App, header: jwt}, err
}

// ForOwner returns the installation token for an owner, or for a request that
// names none if owner is zero. Where no installation is found the Fallback
// decides; read says whether the request only reads, and so may be anonymous.
// The error is an *Error, a *NotInstalledError or ctx's.
func (s *Source) ForOwner(ctx context.Context, host string, owner Owner, read bool) (Credential, error) {
	inst, err := s.installationFor(ctx, host, owner)
	if err != nil {
		return Credential{}, err
	}
	if inst == nil && s.fallback == FallbackDefault {
		inst = s.home(host)
	}
	if inst != nil {
		token, err := s.token(ctx, inst)
		return Credential{App: inst.app.App, Installation: inst.id, header: token}, err
	}
	if read && s.fallback != FallbackRefuse {
		return Credential{}, nil
	}
	return Credential{}, &NotInstalledError{Host: host, Owner: owner, Apps: s.names(host)}
}

// ForClient returns the client id and secret of the App with that client id.
// The error is a *ClientSecretError.
func (s *Source) ForClient(host, clientID string) (Credential, error) {
	for app := range s.on(host) {
		if clientID != "" && app.ClientID == clientID && app.ClientSecret != "" {
			h := &header{secret: app.ClientSecret, basic: []string{basic(clientID, string(app.ClientSecret))}}
			return Credential{App: app.App, header: h}, nil
		}
	}
	return Credential{}, &ClientSecretError{Host: host, ClientID: clientID}
}

// installationFor finds the installation that covers owner: the configuration
// first, in the order of the Apps, then discovery, in the same order. nil if
// there is none.
func (s *Source) installationFor(ctx context.Context, host string, owner Owner) (*installation, error) {
	if owner.Login == "" {
		return s.ownerless(ctx, host)
	}
	for app := range s.on(host) {
		if inst, ok := app.mappedTo(owner); ok {
			return inst, nil
		}
	}
	for app := range s.on(host) {
		if app.NoDiscovery {
			continue
		}
		if inst, err := s.discover(ctx, app, owner); inst != nil || err != nil {
			return inst, err
		}
	}
	return nil, nil
}

// ownerless finds the installation meant by a request that names no owner: a
// default, else the only one that an App has. nil if there is none.
func (s *Source) ownerless(ctx context.Context, host string) (*installation, error) {
	if inst := s.home(host); inst != nil {
		return inst, nil
	}
	for app := range s.on(host) {
		if app.only != nil {
			return app.only, nil
		}
		if app.NoDiscovery || len(app.mapped) > 0 {
			continue
		}
		if inst, err := s.onlyInstallation(ctx, app); inst != nil || err != nil {
			return inst, err
		}
	}
	return nil, nil
}

// on yields the Apps of a host, in order.
func (s *Source) on(host string) iter.Seq[*appState] {
	return func(yield func(*appState) bool) {
		for _, app := range s.apps {
			if app.Host == host && !yield(app) {
				return
			}
		}
	}
}

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

// home is the first default installation of the host's Apps, nil if none.
func (s *Source) home(host string) *installation {
	for app := range s.on(host) {
		if app.home != nil {
			return app.home
		}
	}
	return nil
}

func (s *Source) names(host string) (names []string) {
	for app := range s.on(host) {
		names = append(names, app.Name)
	}
	return names
}
