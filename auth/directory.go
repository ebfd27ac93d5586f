package auth

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ghapp-proxy/github"
)

const (
	// maxDiscovered bounds the entries for each App: an account and a repository for
	// each token that is kept.
	maxDiscovered = 2 * maxTokens
	// foundTTL is for how long an installation is remembered after it was used: as
	// long as its token is, of which GitHub said with the mint that it is still there.
	foundTTL = time.Hour
	// recheckAfter is how old what GitHub said must be to be asked for anew where it
	// then refuses something.
	recheckAfter = 10 * time.Minute
	// learnedTTL is for how long that is remembered which GitHub did not say in so many words.
	learnedTTL = 10 * time.Minute
	missingTTL = time.Minute // an installation is noticed after this
)

// directory is where one App is installed: what the configuration says, and what
// GitHub said.
type directory struct {
	*caller
	*catalogue

	mapped map[string]*installation                // Owner.key of an account → installation
	ids    map[github.InstallationID]*installation // all that the configuration names
	home   *installation                           // DefaultInstallation, nil if none

	told     atomic.Pointer[identity] // what GitHub calls the App, nil if it was not asked
	known    *cache[found]            // Owner.key → where GitHub says the App is installed
	vanished *cache[struct{}]         // installation.key of those that GitHub no longer knows
	missing  *cache[struct{}]         // Owner.key of repositories that GitHub did not find of late
}

// catalogue is what is known of the installations of all Apps.
type catalogue struct {
	tokens   *tokens
	sweeper  *sweeper
	facts    *cache[*facts]                // installation.key → what GitHub says about it
	listings *cache[*listing]              // installation.key → its repositories
	covering *cache[github.InstallationID] // repository → its installation, 0 for none, as GitHub said a moment ago
}

func newCatalogue(tokens *tokens, sweeper *sweeper) *catalogue {
	c := &catalogue{
		tokens: tokens, sweeper: sweeper,
		facts: newCache[*facts](maxFacts), listings: newCache[*listing](maxFacts), covering: newCache[github.InstallationID](maxRefusals),
	}
	sweeper.keep(nil, []expirer{c.facts, c.listings, c.covering})
	return c
}

func newDirectory(c *caller, all *catalogue) *directory {
	d := &directory{
		caller: c, catalogue: all,
		mapped:   make(map[string]*installation, len(c.Installations)+len(c.Enterprises)),
		ids:      make(map[github.InstallationID]*installation, len(c.Installations)),
		known:    newCache[found](maxDiscovered),
		vanished: newCache[struct{}](maxDiscovered),
		missing:  newCache[struct{}](maxDiscovered),
	}
	all.sweeper.keep([]expirer{d.known}, []expirer{d.vanished, d.missing})
	for login, id := range c.Installations {
		d.maps(github.Account{Login: login}, id)
	}
	for slug, id := range c.Enterprises {
		d.maps(github.Account{Login: slug, Enterprise: true}, id)
	}
	if c.DefaultInstallation != 0 {
		d.home = d.configured(c.DefaultInstallation)
	}
	return d
}

// close says that the directory is needed no more, save for what is under way.
func (d *directory) close() { d.sweeper.leave([]expirer{d.known, d.vanished, d.missing}) }

// maps files the installation that the configuration gives for an owner.
func (d *directory) maps(owner github.Account, id github.InstallationID) {
	inst := d.configured(id)
	inst.owners = append(inst.owners, owner)
	d.mapped[owner.Key()] = inst
}

// configured files an installation that the configuration names.
func (d *directory) configured(id github.InstallationID) *installation {
	inst := d.ids[id]
	if inst == nil {
		inst = newInstallation(d, id)
		d.ids[id] = inst
	}
	return inst
}

// bareKey quotes what TOML does not take for a key as it is: toml.io, v1.0.0, "Keys".
func bareKey(key string) string {
	if github.IsLogin(key) { // whose letters are those of a bare key
		return key
	}
	return strconv.Quote(key)
}

// mappedTo returns the installation that the configuration gives for an owner,
// nil if none.
func (d *directory) mappedTo(owner github.Account) *installation {
	return d.mapped[owner.WithoutRepo().Key()]
}

// installation is one installation of one App.
type installation struct {
	minter
	of *directory

	owners  []github.Account               // that the configuration gives it to
	watched atomic.Bool                    // that was compared with what GitHub says
	account atomic.Pointer[github.Account] // where GitHub says it is, nil if it was not asked

	discovered bool        // GitHub told, rather than the configuration
	reappeared bool        // GitHub named it a moment after it had said that it is gone
	gone       atomic.Bool // GitHub told so when asked for a token
}

// mapping is a key of the configuration that gives an owner an installation. It is made where it is told.
type mapping struct {
	key   string
	owner github.Account
}

func newInstallation(d *directory, id github.InstallationID) *installation {
	inst := &installation{minter: newMinter(d.caller, id), of: d}
	inst.unknown = inst.remedy
	return inst
}

func (d *directory) newDiscovered(id github.InstallationID) *installation {
	inst := newInstallation(d, id)
	inst.discovered = true
	_, inst.reappeared = d.vanished.get(inst.key)
	return inst
}

// vanish notes that GitHub does not know an installation that it named itself.
// Where it names it again, that is believed for a moment only.
func (i *installation) vanish() {
	i.of.vanished.set(i.key, struct{}{}, refusalTTL)
	i.gone.Store(true)
}

// settings are the keys that name the installation in the configuration, as
// "app.ci-bot.installations.acme".
func (i *installation) settings() (keys []string) {
	for _, owner := range i.owners {
		keys = append(keys, i.of.settingFor(owner))
	}
	if i.of.home == i {
		keys = append(keys, "app."+bareKey(i.Name)+".default_installation")
	}
	slices.Sort(keys)
	return keys
}

// isConfigured reports whether the configuration names the installation.
func (i *installation) isConfigured() bool { return len(i.owners) > 0 || i.of.home == i }

// settingFor is the key that gives an owner an installation.
func (d *directory) settingFor(owner github.Account) string {
	table := ".installations."
	if owner.Enterprise {
		table = ".enterprises."
	}
	return "app." + bareKey(d.Name) + table + bareKey(owner.Login)
}

// maxSettings bounds how many keys of the configuration an error names.
const maxSettings = 10

// remedy says what to do where GitHub knows no such installation of the App.
func (i *installation) remedy() string {
	const why = ": it does not exist, or is another App's"
	settings := i.settings()
	switch n := len(settings); {
	case i.discovered:
		return "install the App again: GitHub names the installation, but does not know it"
	case n == 0:
		return fmt.Sprintf("check the installation id %d in the rules%s", i.id, why)
	case n > maxSettings:
		return fmt.Sprintf("check %s and %d more = %d in the configuration%s", strings.Join(settings[:maxSettings], ", "), n-maxSettings, i.id, why)
	default:
		return fmt.Sprintf("check %s = %d in the configuration%s", strings.Join(settings, ", "), i.id, why)
	}
}

// found is a remembered answer of GitHub. The zero value means: none.
type found struct {
	inst  *installation
	all   bool // it covers every repository of the account
	filed bool // under the account, for all that is its own

	generation uint64 // under which it is shared, 0 if it is not

	asked time.Time // when GitHub said so
	used  time.Time // about when it was of use last
	cut   bool      // there is more than was looked at

	login string         // of the account, in lower case, if the key is an id and that is known
	named github.Account // whose id the key is, if the key is an id and that is known
}

// ttl is for how long an answer is remembered.
func (f found) ttl() time.Duration {
	switch {
	case f.inst == nil:
		return missingTTL
	case f.inst.reappeared:
		return refusalTTL
	default:
		return foundTTL
	}
}

const (
	// factsFresh is after how long an installation's account, permissions and
	// repositories are asked for anew, while what was known is used on. Where a grant
	// of GitHub's that ends in between makes a mint fail, that is done at once.
	factsFresh = 5 * time.Minute
	// freshPerPage is how much later for each page of repositories: they cost quota.
	freshPerPage = time.Minute
	// factsTTL is how long they are remembered where nobody asks.
	factsTTL = 30 * time.Minute
	maxFacts = 1000 // installations of which they are remembered
	// maxRepositoryPages bounds the walk through an installation's
	// repositories, a hundred a page. It costs quota, every factsFresh.
	maxRepositoryPages = 20
	// askAgainAfter is how old what GitHub said must be to be asked for anew
	// where it seems to be wrong, for each page of it: it costs quota.
	askAgainAfter = 10 * time.Second
)

// facts are what GitHub says about an installation.
type facts struct {
	account     github.Account
	permissions map[string]string
	of          *installation
	made        time.Time
	renewing    atomic.Bool
}

// listing is an installation's repositories.
type listing struct {
	all      []repository
	complete bool // there are no more than that
	made     time.Time
	renewing atomic.Bool
}

// pages is how many pages the list takes.
func (l *listing) pages() time.Duration { return time.Duration(1 + len(l.all)/maxPage) }

// goodFor is after how long the list is asked for anew.
func (l *listing) goodFor() time.Duration { return factsFresh + (l.pages()-1)*freshPerPage }

// repository is one of an installation's.
type repository struct {
	id          int64
	login, name string
}

// remembered returns what GitHub said, unless it turned out to be wrong. What is
// used stays: it takes no look-up to use it on.
func (d *directory) remembered(key string) (found, bool) {
	f, ok := d.known.get(key)
	if !ok || f.inst == nil {
		return f, ok
	}
	if f.inst.gone.Load() {
		return found{}, false
	}
	if now := time.Now(); !f.used.IsZero() && now.Sub(f.used) > foundTTL/4 && !f.inst.reappeared {
		f.used = now
		d.known.set(key, f, foundTTL)
	}
	return f, true
}

// learn files what GitHub said, and sees to it that it is dropped one day.
func (d *directory) learn(key string, f found) {
	d.known.set(key, f, f.ttl())
	d.sweeper.start()
}
