package auth

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"ghapp-proxy/github"
	"ghapp-proxy/governor"
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
	// Shared is what replicas share; nil means nothing.
	Shared Shared
	// SharedSecrets seal what is shared, the newest first, in place of the Apps' keys. All open.
	SharedSecrets [][]byte
	// UserAgent is sent to GitHub, which requires one; "" means "ghapp-proxy".
	UserAgent string
	// Governor holds back what GitHub's limits do not allow; nil for none. The Source asks it for its own calls, and has
	// a bucket for who sends others: Bucket.
	Governor *governor.Governor
}

// Source gives credentials for the Apps of any number of GitHub instances. It
// is safe for concurrent use.
type Source struct {
	*core
	apps     map[github.Instance][]*appState // in the order given
	clocks   map[github.Instance]*clock      // GitHub's
	fallback Fallback
}

// core is what a Source has in common with those that come after it.
type core struct {
	transport *way
	log       *slog.Logger
	userAgent string
	shared    Shared
	secrets   [][]byte                  // that seal what is shared
	callers   atomic.Pointer[[]*caller] // of the Source in force, for what is told
	governor  *governor.Governor        // nil for none
	peers     *peers

	flights *flights
	sweeper *sweeper
	tokens  *tokens
	known   *catalogue
	scopes  *confiner
	states  int // how many appStates were made
}

// appState is an App and what is known about it.
type appState struct {
	*directory
	client   *header // client id and secret, nil if not both are configured
	sealers  sealers
	surveyed atomic.Bool // or about to be
}

// New returns a Source for apps, which come in order of precedence and must
// not be changed afterwards. It does no I/O.
func New(apps []*App, opts Options) *Source {
	if opts.Shared == nil {
		opts.Shared = alone{}
	}
	c := &core{shared: opts.Shared, secrets: opts.SharedSecrets, transport: newWay(opts.Transport), log: opts.Log, governor: opts.Governor, peers: newPeers(), userAgent: cmp.Or(opts.UserAgent, "ghapp-proxy")}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.flights = newFlights(c.log)
	c.sweeper = &sweeper{flights: c.flights, others: []expirer{c.flights.refusals}}
	c.tokens = newTokens(c.flights, c.sweeper)
	c.known = newCatalogue(c.tokens, c.sweeper)
	c.scopes = newConfiner(c.known)
	s := c.source(apps, opts.Fallback, nil)
	c.listen()
	return s
}

// source makes a Source after another, nil for the first.
func (c *core) source(apps []*App, fallback Fallback, before *Source) *Source {
	s := &Source{core: c, apps: make(map[github.Instance][]*appState), clocks: make(map[github.Instance]*clock), fallback: fallback}
	kept := make(map[*appState]bool)
	for _, app := range apps {
		s.addClock(app.Instance, before)
		state := before.same(app)
		if state == nil || !state.App.Equal(app) {
			q := newQuotas(c.governor, s.clocks[app.Instance])
			if state != nil {
				q = state.quotas
			}
			state = s.newAppState(app, q)
		}
		kept[state] = true
		s.apps[app.Instance] = append(s.apps[app.Instance], state)
	}
	for _, state := range before.all() {
		if !kept[state] {
			state.close()
		}
	}
	var callers []*caller
	for _, state := range s.all() {
		callers = append(callers, state.caller)
	}
	c.callers.Store(&callers)
	return s
}

// listen begins to listen to other replicas.
func (c *core) listen() {
	c.shared.Back(c.tokens.offer)
	c.shared.Hear(dropTopic, func(says []byte) { c.tokens.hearDrop(*c.callers.Load(), says) })
	c.shared.Hear(quotaTopic, func(says []byte) {
		_ = slices.ContainsFunc(*c.callers.Load(), func(c *caller) bool { return c.hearQuota(says) })
	})
	c.shared.Hear(useTopic, func(says []byte) {
		_ = slices.ContainsFunc(*c.callers.Load(), func(caller *caller) bool { return caller.hearUse(c.peers, says) })
	})
}

// addClock gives the Source the clock of an instance.
func (s *Source) addClock(instance github.Instance, before *Source) {
	switch {
	case s.clocks[instance] != nil:
	case before != nil && before.clocks[instance] != nil:
		s.clocks[instance] = before.clocks[instance]
	default:
		s.clocks[instance] = &clock{instance: instance, log: s.log}
	}
}

// same is what is known about the same App, whatever has changed of it; nil if there
// is none.
func (s *Source) same(app *App) *appState {
	for _, state := range s.all() {
		if state.App.identifier() == app.identifier() {
			return state
		}
	}
	return nil
}

// all are the Apps of all instances.
func (s *Source) all() (states []*appState) {
	if s == nil {
		return nil
	}
	for _, apps := range s.apps {
		states = append(states, apps...)
	}
	return states
}

// newAppState makes what is known about an App, with the quotas of before.
func (s *Source) newAppState(app *App, quotas *quotas) *appState {
	s.states++
	clock := s.clocks[app.Instance]
	prefix := fmt.Sprintf("%s|%s|%d|", app.Instance, app.Name, s.states) // none before it had
	c := &caller{App: app, prefix: prefix, transport: s.transport, userAgent: s.userAgent, log: s.log, flights: s.flights, clock: clock, quotas: quotas}
	c.vault = newVault(s.shared, s.flights, app, prefix, s.secrets)
	c.fillKeyring()
	a := &appState{directory: newDirectory(c, s.known)}
	a.sealers = sealers{label: sealLabel, flight: "sealers|" + prefix, prefix: string(app.Instance) + "|" + app.Name + "|", signers: app.Signers}
	if app.ClientID != "" && app.ClientSecret != "" {
		a.client = newHeader(KindClient, app.ClientID, string(app.ClientSecret), "", app.Signers)
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

// Survey asks in the background where the Apps are installed, each once, so that the first
// request about an owner needs no look-up: an owner of which nothing is known costs
// two round trips to GitHub, one for the look-up and one for the mint. What it
// does not find is looked up as ever.
func (s *Source) Survey() {
	for _, apps := range s.apps {
		for _, app := range apps {
			if !app.NoDiscovery && app.surveyed.CompareAndSwap(false, true) {
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
