package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// maxListed is of how many installations the repositories are listed: each takes a
// token, and a question for each hundred.
const maxListed = 50

// errMuchToList is for the repositories of the others.
var errMuchToList = fmt.Errorf("the repositories of the first %d installations only were looked at", maxListed)

// place is an installation of an App.
type place struct {
	app *auth.App
	id  github.InstallationID
}

// installed is an installation that a client or a rule may use.
type installed struct {
	place
	*auth.InstallationFacts
}

// repositories are those of one installation.
type repositories struct {
	all      []auth.RepositoryFacts
	complete bool
	err      error
}

// usable are the installations that may be used. It is an error if they are not
// known.
func (x *examination) usable(may func(app *auth.App, in *auth.InstallationFacts) bool) (list []installed, err error) {
	for _, app := range x.cfg.Apps {
		where := x.installed[app]()
		if where.err != nil {
			return nil, fmt.Errorf("not compared with what is installed: %w", where.err)
		}
		for i := range where.all {
			if in := &where.all[i]; !in.Suspended && in.Account.Named() && may(app, in) {
				list = append(list, installed{place{app, in.ID}, in})
			}
		}
	}
	return list, nil
}

// repositoriesOf lists what an installation covers, once.
func (x *examination) repositoriesOf(ctx context.Context, at place) repositories {
	x.mu.Lock()
	list, ok := x.listed[at]
	switch {
	case ok:
	case len(x.listed) == maxListed:
		list = func() repositories { return repositories{err: errMuchToList} }
	default:
		list = sync.OnceValue(func() (r repositories) {
			r.err = x.ask(ctx, func(ctx context.Context) (err error) {
				r.all, r.complete, err = x.source.Repositories(ctx, at.app, at.id)
				return err
			})
			return r
		})
		x.listed[at] = list
	}
	x.mu.Unlock()
	return list()
}

// find looks for a repository of the installations. It says whether there is one, and
// else why that is not certain, "" if it is.
func (x *examination) find(ctx context.Context, among []installed, is func(*auth.RepositoryFacts) bool) (found bool, uncertain string) {
	lists := make([]repositories, len(among))
	var listing sync.WaitGroup
	for i, in := range among {
		listing.Go(func() { lists[i] = x.repositoriesOf(ctx, in.place) })
	}
	listing.Wait()
	for i, list := range lists {
		switch {
		case slices.ContainsFunc(list.all, func(r auth.RepositoryFacts) bool { return is(&r) }):
			return true, ""
		case list.err != nil:
			uncertain = list.err.Error()
		case !list.complete && uncertain == "":
			uncertain = fmt.Sprintf("not all repositories of %s were looked at", nameOf(among[i].InstallationFacts))
		}
	}
	return false, uncertain
}

// checkClient compares a client's limits with what is installed and granted.
func (x *examination) checkClient(ctx context.Context, c *policy.Client) []finding {
	key, scope := "client."+c.Name+".", c.Scope()
	everywhere, err := x.usable(func(app *auth.App, _ *auth.InstallationFacts) bool { return c.DecideApp(app.Name) == nil })
	if err != nil {
		return []finding{dubious("", "", "%v", err)}
	}
	var list []finding
	for _, owner := range c.Owners {
		if !slices.ContainsFunc(everywhere, func(in installed) bool { return owner.MatchOwner(&in.Account) }) {
			list = append(list, nowhere(key+"owners", string(owner)))
		}
	}
	for _, glob := range c.Repositories {
		list = append(list, x.checkRepositories(ctx, key+"repositories", glob, everywhere)...)
	}
	theirs := slices.DeleteFunc(slices.Clone(everywhere), func(in installed) bool {
		return scope != nil && scope.Account != nil && !scope.Account(in.Account.Login, in.Account.Enterprise)
	})
	list = append(list, checkPermissions(key+"permissions", c.Permissions, c.ReadOnly, theirs)...)
	if owner := (github.Account{Login: c.DefaultOwner}); owner.Named() && !slices.ContainsFunc(theirs, func(in installed) bool { return in.Account.Same(owner) }) {
		list = append(list, nowhere(key+"default_owner", c.DefaultOwner))
	}
	switch {
	case len(list) > 0:
	case !c.Limited():
		list = append(list, good("", "it has no limits"))
	default:
		list = append(list, good("", "what it is limited to is there"))
	}
	return list
}

// nowhere says that what the configuration names has no installation.
func nowhere(key, name string) finding {
	return dubious("check the name, or install an App there: until then requests get what fallback says", key, "%q: no App that may be used is installed there", name)
}

// checkRepositories looks for what a glob matches.
func (x *examination) checkRepositories(ctx context.Context, key string, glob rules.Glob, everywhere []installed) []finding {
	among := slices.DeleteFunc(slices.Clone(everywhere), func(in installed) bool { return !glob.MatchOwnerPart(&in.Account) })
	_, repo, _ := strings.Cut(string(glob), "/")
	switch {
	case len(among) == 0:
		return []finding{nowhere(key, string(glob))}
	case repo == "*":
		return nil
	}
	found, uncertain := x.find(ctx, among, func(r *auth.RepositoryFacts) bool { return glob.MatchRepository(&r.Account) })
	switch {
	case found:
		return nil
	case uncertain != "":
		return []finding{dubious("", key, "%q: not found, but %s", glob, uncertain)}
	case strings.Contains(string(glob), "*"):
		return []finding{dubious("check the pattern, or select such a repository in the installation's settings", key, "%q matches nothing", glob)}
	}
	return []finding{bad("check the name, or select the repository in the installation's settings", key, "%q is not among the repositories of an installation", glob)}
}

// checkPermissions compares permissions that are given with those that installations
// have. Each should be there on all of them, and has to be on one.
func checkPermissions(key string, given map[string]string, readOnly bool, on []installed) (list []finding) {
	if len(on) == 0 {
		return nil // which is said elsewhere
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		level := given[name]
		if readOnly {
			level = "read"
		}
		var without []string
		for _, in := range on {
			if has := in.Permissions[name]; github.LevelRank(has) < github.LevelRank(level) {
				without = append(without, fmt.Sprintf("%s (%s)", nameOf(in.InstallationFacts), cmp.Or(has, "none")))
			}
		}
		const remedy = "grant the App the permission, and accept it in the installation's settings; or give less"
		switch subject := key + "." + name; {
		case len(without) == len(on):
			list = append(list, bad(remedy, subject, "%q is granted by no installation: %s", level, some(without)))
		case len(without) > 0:
			list = append(list, dubious(remedy, subject, "%q is not granted by all: %s", level, some(without)))
		}
	}
	return list
}

// checkRules compares to what rules narrow tokens with what is installed and granted.
func (x *examination) checkRules(ctx context.Context) (list []finding) {
	narrowing := 0
	for i := range x.cfg.Rules {
		rule := &x.cfg.Rules[i]
		if rule.Deny != "" || rule.Auth != rules.Installation || rule.Narrow == nil && rule.InstallationID == 0 {
			continue
		}
		narrowing++
		list = append(list, x.checkRule(ctx, fmt.Sprintf("rule[%d].", i+1), rule)...)
	}
	if len(list) == 0 && narrowing > 0 {
		list = append(list, good("", "%d choose an installation or narrow its tokens, to what is there", narrowing))
	}
	return list
}

func (x *examination) checkRule(ctx context.Context, key string, rule *rules.Rule) (list []finding) {
	on, err := x.usable(func(app *auth.App, in *auth.InstallationFacts) bool {
		switch {
		case rule.App != "" && app.Name != rule.App:
			return false
		case rule.InstallationID != 0:
			return in.ID == rule.InstallationID
		case len(rule.Owners) > 0:
			return slices.ContainsFunc(rule.Owners, func(g rules.Glob) bool { return g.MatchOwner(&in.Account) })
		case len(rule.Repositories) > 0:
			return slices.ContainsFunc(rule.Repositories, func(g rules.Glob) bool { return g.MatchOwnerPart(&in.Account) })
		}
		return true
	})
	switch {
	case err != nil:
		return []finding{dubious("", strings.TrimSuffix(key, "."), "%v", err)}
	case len(on) == 0 && rule.InstallationID != 0:
		return []finding{bad("check the id: it is the last number in the URL of the installation's settings", key+"installation", "%d is no installation of an App that may be used, or is suspended", rule.InstallationID)}
	case len(on) == 0:
		return []finding{nowhere(strings.TrimSuffix(key, "."), "whom it is about")}
	}
	list = checkPermissions(key+"token.permissions", rule.Narrow.Permissions(), false, on)
	const remedy = "check it, or select the repository in the installation's settings: until then GitHub refuses to mint"
	missing := func(subject string, what any, is func(*auth.RepositoryFacts) bool) {
		switch found, uncertain := x.find(ctx, on, is); {
		case found:
		case uncertain != "":
			list = append(list, dubious("", subject, "%v: not found, but %s", what, uncertain))
		default:
			list = append(list, bad(remedy, subject, "%v is not among the repositories of an installation", what))
		}
	}
	for _, name := range rule.Narrow.Repositories() {
		missing(key+"token.repositories", fmt.Sprintf("%q", name), func(r *auth.RepositoryFacts) bool { return strings.EqualFold(r.Account.Repo, name) })
	}
	for _, id := range rule.Narrow.RepositoryIDs() {
		missing(key+"token.repository_ids", id, func(r *auth.RepositoryFacts) bool { return r.ID == id })
	}
	return list
}

// lacking are the permissions of which has gives less than asked.
func lacking(asked, has map[string]string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if github.LevelRank(has[name]) < github.LevelRank(asked[name]) {
			names = append(names, name)
		}
	}
	return names
}

// permissionsText lists permissions in order.
func permissionsText(permissions map[string]string) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(permissions)) {
		texts = append(texts, name+" "+permissions[name])
	}
	if texts == nil {
		return "no permissions"
	}
	return strings.Join(texts, ", ")
}
