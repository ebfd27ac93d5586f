package auth

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// directory is where one App is installed: what the configuration says, and what
// GitHub said.
type directory struct {
	*caller
	*catalogue

	mapped map[string]*installation         // Owner.key of an account → installation
	ids    map[InstallationID]*installation // all that the configuration names
	home   *installation                    // DefaultInstallation, nil if none

	told     atomic.Pointer[identity] // what GitHub calls the App, nil if it was not asked
	known    *cache[found]            // Owner.key → where GitHub says the App is installed
	vanished *cache[struct{}]         // installation.key of those that GitHub no longer knows
	missing  *cache[struct{}]         // Owner.key of repositories that GitHub did not find of late
}

// catalogue is what is known of the installations of all Apps.
type catalogue struct {
	tokens   *tokens
	sweeper  *sweeper
	facts    *cache[*facts]         // installation.key → what GitHub says about it
	listings *cache[*listing]       // installation.key → its repositories
	covering *cache[InstallationID] // repository → its installation, 0 for none, as GitHub said a moment ago
}

func newCatalogue(tokens *tokens, sweeper *sweeper) *catalogue {
	c := &catalogue{
		tokens: tokens, sweeper: sweeper,
		facts: newCache[*facts](maxFacts), listings: newCache[*listing](maxFacts), covering: newCache[InstallationID](maxRefusals),
	}
	sweeper.others = append(sweeper.others, c.facts, c.listings, c.covering)
	return c
}

func newDirectory(c *caller, all *catalogue) *directory {
	d := &directory{
		caller: c, catalogue: all,
		mapped:   make(map[string]*installation),
		ids:      make(map[InstallationID]*installation),
		known:    newCache[found](maxDiscovered),
		vanished: newCache[struct{}](maxDiscovered),
		missing:  newCache[struct{}](maxDiscovered),
	}
	all.sweeper.lasting = append(all.sweeper.lasting, d.known)
	all.sweeper.others = append(all.sweeper.others, d.vanished, d.missing)
	for login, id := range c.Installations {
		d.maps(Owner{Login: login}, id, "installations."+bareKey(login))
	}
	for slug, id := range c.Enterprises {
		d.maps(Owner{Login: slug, Enterprise: true}, id, "enterprises."+bareKey(slug))
	}
	if c.DefaultInstallation != 0 {
		d.home = d.configured(c.DefaultInstallation, "default_installation")
	}
	for _, inst := range d.ids {
		slices.Sort(inst.settings)
	}
	return d
}

// maps files the installation that the configuration gives for an owner.
func (d *directory) maps(owner Owner, id InstallationID, key string) {
	inst := d.configured(id, key)
	inst.mappings = append(inst.mappings, mapping{"app." + bareKey(d.Name) + "." + key, owner})
	d.mapped[owner.key()] = inst
}

// configured files an installation that the configuration names, under a key
// of the App's table.
func (d *directory) configured(id InstallationID, key string) *installation {
	inst := d.ids[id]
	if inst == nil {
		inst = newInstallation(d, id)
		d.ids[id] = inst
	}
	inst.settings = append(inst.settings, "app."+bareKey(d.Name)+"."+key)
	return inst
}

// bareKey quotes what TOML does not take for a key as it is: toml.io, v1.0.0, "Keys".
func bareKey(key string) string {
	if plausibleName(key) && !strings.Contains(key, ".") {
		return key
	}
	return strconv.Quote(key)
}

// mappedTo returns the installation that the configuration gives for an owner,
// nil if none.
func (d *directory) mappedTo(owner Owner) *installation {
	return d.mapped[owner.account().key()]
}

// installation is one installation of one App.
type installation struct {
	minter
	of *directory

	mappings []mapping             // the owners that the configuration gives it to
	watched  atomic.Bool           // that was compared with what GitHub says
	account  atomic.Pointer[Owner] // where GitHub says it is, nil if it was not asked

	settings   []string    // the keys that name it in the configuration, as "app.ci-bot.installations.acme"
	discovered bool        // GitHub told, rather than the configuration
	reappeared bool        // GitHub named it a moment after it had said that it is gone
	gone       atomic.Bool // GitHub told so when asked for a token
}

// mapping is a key of the configuration that gives an owner an installation.
type mapping struct {
	key   string
	owner Owner
}

func newInstallation(d *directory, id InstallationID) *installation {
	inst := &installation{minter: newMinter(d.caller, id), of: d}
	inst.unknown = inst.remedy
	return inst
}

func (d *directory) newDiscovered(id InstallationID) *installation {
	inst := newInstallation(d, id)
	inst.discovered = true
	_, inst.reappeared = d.vanished.get(inst.key)
	return inst
}

// vanish notes that GitHub does not know an installation that it named itself.
// Where it names it again, that is believed for a moment only.
func (i *installation) vanish() {
	i.of.vanished.set(i.key, struct{}{}, refusedFor)
	i.gone.Store(true)
}

// maxSettings bounds how many keys of the configuration an error names.
const maxSettings = 10

// remedy says what to do where GitHub knows no such installation of the App.
func (i *installation) remedy() string {
	const why = ": it does not exist, or is another App's"
	switch n := len(i.settings); {
	case i.discovered:
		return "install the App again: GitHub names the installation, but does not know it"
	case n == 0:
		return fmt.Sprintf("check the installation id %d in the rules%s", i.id, why)
	case n > maxSettings:
		return fmt.Sprintf("check %s and %d more = %d in the configuration%s", strings.Join(i.settings[:maxSettings], ", "), n-maxSettings, i.id, why)
	default:
		return fmt.Sprintf("check %s = %d in the configuration%s", strings.Join(i.settings, ", "), i.id, why)
	}
}
