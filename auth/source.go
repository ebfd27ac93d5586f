package auth

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"

	"ghapp-proxy/github"
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
	// Store keeps the installation tokens; nil means within the process.
	Store Store
	// UserAgent is sent to GitHub, which requires one; "" means "ghapp-proxy".
	UserAgent string
}

// Source gives credentials for the Apps of any number of GitHub instances. It
// is safe for concurrent use.
type Source struct {
	apps      map[github.Instance][]*appState // in the order given
	clocks    map[github.Instance]*clock      // GitHub's
	transport http.RoundTripper
	fallback  Fallback
	log       *slog.Logger

	flights *flights
	sweeper *sweeper
	tokens  *tokens
	scopes  *confiner
}

// appState is an App and what is known about it.
type appState struct {
	*directory
	client  *header // client id and secret, nil if not both are configured
	sealers sealers
}

// New returns a Source for apps, which come in order of precedence and must
// not be changed afterwards. It does no I/O.
func New(apps []*App, opts Options) *Source {
	s := &Source{
		apps:      make(map[github.Instance][]*appState),
		clocks:    make(map[github.Instance]*clock),
		transport: opts.Transport, fallback: opts.Fallback, log: opts.Log,
	}
	if s.transport == nil {
		s.transport = http.DefaultTransport
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if opts.UserAgent == "" {
		opts.UserAgent = "ghapp-proxy"
	}
	if opts.Store == nil {
		opts.Store = newMemory()
	}
	s.flights = newFlights(s.log)
	s.sweeper = &sweeper{flights: s.flights, others: []expirer{s.flights.refusals}}
	s.tokens = newTokens(opts.Store, s.flights, s.sweeper)
	all := newCatalogue(s.tokens, s.sweeper)
	s.scopes = newConfiner(all)
	for _, app := range apps {
		if s.clocks[app.Instance] == nil {
			s.clocks[app.Instance] = &clock{instance: app.Instance, log: s.log}
		}
		s.apps[app.Instance] = append(s.apps[app.Instance], s.newAppState(app, all, opts.UserAgent))
	}
	return s
}

func (s *Source) newAppState(app *App, all *catalogue, userAgent string) *appState {
	prefix, clock := string(app.Instance)+"|"+app.Name+"|", s.clocks[app.Instance]
	c := &caller{App: app, prefix: prefix, transport: s.transport, userAgent: userAgent, log: s.log, flights: s.flights, clock: clock}
	c.fillKeyring()
	a := &appState{directory: newDirectory(c, all)}
	a.sealers.prefix, a.sealers.signers = prefix, app.Signers
	if app.ClientID != "" && app.ClientSecret != "" {
		a.client = newHeader(KindClient, app.ClientID, string(app.ClientSecret), app.Signers)
	}
	return a
}

// Format implements fmt.Formatter with the type's name: fmt would read what is
// changing, and print what Transport points to for a verb that does not fit.
func (s *Source) Format(f fmt.State, _ rune) { io.WriteString(f, "auth.Source") }

// Close ends all mints, look-ups and renewals that are under way, and waits for
// their end; who waits for them gets an error that wraps context.Canceled.
// Cached credentials stay usable.
func (s *Source) Close() { s.flights.close() }

// Survey asks in the background where the Apps are installed, so that the first
// request about an owner needs no look-up: an owner of which nothing is known costs
// two round trips to GitHub, one for the look-up and one for the mint. What it
// does not find is looked up as ever.
func (s *Source) Survey() {
	for _, apps := range s.apps {
		for _, app := range apps {
			if !app.NoDiscovery {
				app.spawn(app.survey)
			}
		}
	}
}

// candidatesFor are the Apps of an instance that a want may take.
func (s *Source) candidatesFor(instance github.Instance, want *Want) []*appState {
	apps := s.candidates(instance, want.App)
	if want.Within == nil || want.Within.App == nil {
		return apps
	}
	return slices.DeleteFunc(slices.Clone(apps), func(a *appState) bool { return !want.Within.App(a.Name) })
}

// candidates are the Apps of an instance, or the one of that name.
func (s *Source) candidates(instance github.Instance, name string) []*appState {
	apps := s.apps[instance]
	if name == "" {
		return apps
	}
	for i, app := range apps {
		if app.Name == name {
			return apps[i : i+1]
		}
	}
	return nil
}
