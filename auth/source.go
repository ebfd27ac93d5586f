package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ghapp-proxy/panics"

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
	clocks    map[string]*clock      // host → its clock
	transport http.RoundTripper
	fallback  Fallback
	log       *slog.Logger
	userAgent string

	tokens   *cache[*minted]  // installation.tokenKey → its token; with formerKey, the one before
	sweeping atomic.Bool      // a goroutine drops expired tokens
	refusals *cache[error]    // key of a flight → what GitHub said a moment ago
	replaced *cache[struct{}] // keys of tokens that were replaced of late

	facts    *cache[*facts]         // installation.key → what GitHub says about it
	listings *cache[*listing]       // installation.key → its repositories
	confined *cache[confined]       // what Scopes came to
	covering *cache[InstallationID] // repository → its installation, 0 for none, as GitHub said a moment ago
	absent   *cache[time.Time]      // installation.absentKey of repositories that it does not have → when that was asked

	flights    singleflight.Group
	budget     *Budget    // of questions that are no client's
	discarding sync.Mutex // held while a refused token is taken out

	lifetime context.Context // of the work that no single waiter owns
	end      context.CancelFunc

	working sync.WaitGroup // the goroutines that the Source started
	mu      sync.Mutex
	closed  bool // no more of them may start
}

// appState is an App and what is known about it.
type appState struct {
	*App
	prefix string  // of keys that are the App's
	clock  *clock  // the instance's
	client *header // client id and secret, nil if not both are configured

	mapped map[string]*installation         // Owner.key of an account → installation
	ids    map[InstallationID]*installation // all that the configuration names
	home   *installation                    // DefaultInstallation, nil if none

	sealers  sealers
	told     atomic.Pointer[identity] // what GitHub calls it, nil if it was not asked
	quotas   quotas                   // of its installations
	keyring  keyring
	known    *cache[found]    // Owner.key → where GitHub says the App is installed
	vanished *cache[struct{}] // installation.key of those that GitHub no longer knows
	doubted  *cache[struct{}] // Owner.key of repositories that GitHub did not find of late
}

// New returns a Source for apps, which come in order of precedence and must
// not be changed afterwards. It does no I/O.
func New(apps []*App, opts Options) *Source {
	s := &Source{
		apps:      make(map[string][]*appState),
		clocks:    make(map[string]*clock),
		budget:    NewBudget(MaxCalls),
		transport: opts.Transport, fallback: opts.Fallback, log: opts.Log, userAgent: opts.UserAgent,
		tokens: newCache[*minted](maxTokens), refusals: newCache[error](maxRefusals), replaced: newCache[struct{}](maxTokens),
		facts: newCache[*facts](maxFacts), listings: newCache[*listing](maxFacts), confined: newCache[confined](maxConfined),
		absent: newCache[time.Time](maxConfined), covering: newCache[InstallationID](maxRefusals),
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
	// What a question comes to counts as one: it has no budget of its own.
	s.lifetime, s.end = context.WithCancel(WithBudget(context.Background(), nil))
	for _, app := range apps {
		if s.clocks[app.Host] == nil {
			s.clocks[app.Host] = &clock{host: app.Host, log: s.log}
		}
		s.apps[app.Host] = append(s.apps[app.Host], newAppState(app, s.clocks[app.Host], s.log))
	}
	return s
}

func newAppState(app *App, clock *clock, log *slog.Logger) *appState {
	a := &appState{
		App:      app,
		prefix:   app.Host + "|" + app.Name + "|",
		mapped:   make(map[string]*installation),
		ids:      make(map[InstallationID]*installation),
		known:    newCache[found](maxDiscovered),
		vanished: newCache[struct{}](maxDiscovered),
		doubted:  newCache[struct{}](maxDiscovered),
	}
	a.clock = clock
	a.keyring.app, a.keyring.clock, a.keyring.log = app, clock, log
	if app.ClientID != "" && app.ClientSecret != "" {
		a.client = newClientHeader(app)
	}
	for login, id := range app.Installations {
		a.maps(Owner{Login: login}, id, "installations."+bareKey(login))
	}
	for slug, id := range app.Enterprises {
		a.maps(Owner{Login: slug, Enterprise: true}, id, "enterprises."+bareKey(slug))
	}
	if app.DefaultInstallation != 0 {
		a.home = a.configured(app.DefaultInstallation, "default_installation")
	}
	for _, inst := range a.ids {
		slices.Sort(inst.settings)
	}
	return a
}

// maps files the installation that the configuration gives for an owner.
func (a *appState) maps(owner Owner, id InstallationID, key string) {
	inst := a.configured(id, key)
	inst.mappings = append(inst.mappings, mapping{"app." + bareKey(a.Name) + "." + key, owner})
	a.mapped[owner.key()] = inst
}

// configured files an installation that the configuration names, under a key
// of the App's table.
func (a *appState) configured(id InstallationID, key string) *installation {
	inst := a.ids[id]
	if inst == nil {
		inst = newInstallation(a, id)
		a.ids[id] = inst
	}
	inst.settings = append(inst.settings, "app."+bareKey(a.Name)+"."+key)
	return inst
}

// bareKey quotes what TOML does not take for a key as it is: toml.io, v1.0.0, "Keys".
func bareKey(key string) string {
	if plausibleName(key) && !strings.Contains(key, ".") {
		return key
	}
	return strconv.Quote(key)
}

// Format implements fmt.Formatter with the type's name: fmt would read what is
// changing, and print what Transport points to for a verb that does not fit.
func (s *Source) Format(f fmt.State, _ rune) { io.WriteString(f, "auth.Source") }

// Close ends all mints, look-ups and renewals that are under way, and waits for
// their end; who waits for them gets an error that wraps context.Canceled.
// Cached credentials stay usable.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.working.Wait()
}

// begin reports whether work may begin, which then ends with s.working.Done.
func (s *Source) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.working.Add(1)
	}
	return !s.closed
}

// spawn runs work in the background, unless the Source is closed.
func (s *Source) spawn(work func()) {
	if s.begin() {
		go func() {
			defer s.working.Done()
			defer panics.Log(s.log, "a fault in the background")
			work()
		}()
	}
}

// catch is to be deferred: a fault in what several wait for is the error of each,
// and in the log once.
func (s *Source) catch(err *error) {
	if value := recover(); value != nil {
		fault := panics.Recovered(value)
		s.log.Error("a fault in asking GitHub", "error", fault, "stack", string(fault.Stack))
		*err = fault
	}
}

// errClosed is for those who come after Close.
var errClosed = fmt.Errorf("the source of credentials is closed: %w", context.Canceled)

// once runs work, or waits for the same work under way. The work has the
// Source's lifetime, so that a waiter whose ctx ends leaves without stopping it. It
// counts against the budget of who began it.
func once[T any](ctx context.Context, s *Source, key string, work func(context.Context) (T, error)) (zero T, err error) {
	budget := s.budgetOf(ctx)
	var patience <-chan time.Time
	for {
		done := s.flights.DoChan(key, func() (got any, err error) {
			got = zero
			defer s.catch(&err)
			if !budget.take() {
				return zero, errNoPlace
			}
			defer budget.give()
			if !s.begin() {
				return zero, errClosed
			}
			defer s.working.Done()
			return work(s.lifetime)
		})
		select {
		case <-ctx.Done():
			return zero, ctx.Err()
		case result := <-done:
			if result.Err != errNoPlace {
				return result.Val.(T), result.Err
			}
		}
		// It may have been another's budget that has no place.
		if patience == nil {
			timer := time.NewTimer(budgetPatience)
			defer timer.Stop()
			patience = timer.C
		}
		if err := budget.wait(ctx, patience); err != nil {
			return zero, err
		}
	}
}

// errNoPlace is for those who joined work that was not begun.
var errNoPlace = errors.New("no place in the budget")
