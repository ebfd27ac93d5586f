package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
)

// maxNamed is how many accounts and the like a finding names.
const maxNamed = 10

// installations are those of one App.
type installations struct {
	all      []auth.InstallationFacts
	complete bool
	err      error
}

// byID is the installation of that id, nil if it is not among them.
func (l *installations) byID(id github.InstallationID) *auth.InstallationFacts {
	at := slices.IndexFunc(l.all, func(i auth.InstallationFacts) bool { return i.ID == id })
	if at < 0 {
		return nil
	}
	return &l.all[at]
}

// on is the installation on an account, nil if it is not among them.
func (l *installations) on(account github.Account) *auth.InstallationFacts {
	at := slices.IndexFunc(l.all, func(i auth.InstallationFacts) bool { return i.Account.Same(account) })
	if at < 0 {
		return nil
	}
	return &l.all[at]
}

func (x *examination) askInstallations(ctx context.Context, app *auth.App) (list installations) {
	list.err = x.ask(ctx, func(ctx context.Context) (err error) {
		list.all, list.complete, err = x.source.Installations(ctx, app, func(n int) {
			x.progress.say("App %s: %d installations", app.Name, n)
		})
		return err
	})
	return list
}

// checkApp says which keys of an App GitHub accepts, where it is installed, and
// whether that is what the configuration says.
func (x *examination) checkApp(ctx context.Context, app *auth.App) []finding {
	list, facts := x.checkKeys(ctx, app)
	if facts == nil {
		return list
	}
	list = append(list, checkIdentity(app, facts)...)
	where := x.installed[app]()
	if where.err != nil {
		text, remedy := x.reason(where.err, app)
		return append(list, bad(remedy, "installations", "%s", text))
	}
	list = append(list, describeInstallations(&where, facts.Permissions)...)
	return append(list, x.checkMappings(app, &where)...)
}

// checkKeys has GitHub look at each key. The facts are nil if it accepts none.
func (x *examination) checkKeys(ctx context.Context, app *auth.App) (list []finding, facts *auth.AppFacts) {
	errs := make([]error, len(app.Signers))
	for i := range app.Signers { // one after the other: GitHub locks out who is refused too often
		var of auth.AppFacts
		errs[i] = x.ask(ctx, func(ctx context.Context) (err error) { of, err = x.source.TryKey(ctx, app, i); return err })
		if errs[i] == nil && facts == nil {
			facts = &of
		}
		if errs[i] != nil && !isAboutKey(errs[i]) {
			errs = errs[:i+1]
			break
		}
	}
	for i, err := range errs {
		key := fmt.Sprintf("key: %s", app.Signers[i])
		switch {
		case err == nil:
			list = append(list, good("", "%s: GitHub accepts it", key))
		case facts != nil:
			list = append(list, dubious("if it is an old one take it out of the configuration; a new one has to be added in the App's settings", "", "%s: GitHub does not accept it, but another: %v", key, err))
		default:
			text, remedy := x.reason(err, app)
			list = append(list, bad(remedy, "", "%s: %s", key, text))
		}
	}
	return list, facts
}

// isAboutKey reports whether another key may do better.
func isAboutKey(err error) bool {
	refused, _ := errors.AsType[*auth.Error](err)
	_, unsigned := errors.AsType[*auth.SigningError](err)
	return unsigned || refused != nil && refused.Status == http.StatusUnauthorized
}

// checkIdentity compares what the configuration calls an App with what GitHub does.
func checkIdentity(app *auth.App, facts *auth.AppFacts) []finding {
	key := "app." + app.Name
	switch {
	case app.ID != 0 && facts.ID != 0 && facts.ID != app.ID:
		return []finding{bad(fmt.Sprintf("set it to %d, or take the other App's key", facts.ID), key+".id", "%d is another App's: the key is that of %s", app.ID, facts.Slug)}
	case app.ClientID != "" && facts.ClientID != "" && !strings.EqualFold(facts.ClientID, app.ClientID):
		return []finding{bad(fmt.Sprintf("set it to %q", facts.ClientID), key+".client_id", "%q is another App's: %s has %q", app.ClientID, facts.Slug, facts.ClientID)}
	}
	return []finding{good("", "GitHub calls it %s: id %d, client id %s", facts.Slug, facts.ID, facts.ClientID)}
}

// describeInstallations says where an App is installed. asked are the permissions
// that it asks for.
func describeInstallations(where *installations, asked map[string]string) (list []finding) {
	if len(where.all) == 0 {
		return []finding{dubious("install it: its page on GitHub has \"Install App\"", "installations", "the App is installed nowhere")}
	}
	if !where.complete {
		list = append(list, dubious("", "installations", "there are more than the %d that were looked at", auth.MaxInstallations))
	}
	var suspended, pending []string
	for _, in := range where.all {
		subject := fmt.Sprintf("installation %d", in.ID)
		switch {
		case in.Suspended:
			suspended = append(suspended, nameOf(&in))
			continue
		case len(lacking(asked, in.Permissions)) > 0:
			pending = append(pending, nameOf(&in))
		}
		which := "selected repositories"
		if in.All {
			which = "every repository"
		}
		list = append(list, good(subject, "on %s, %s: %s", nameOf(&in), which, permissionsText(in.Permissions)))
	}
	if len(suspended) > 0 {
		list = append(list, dubious("unsuspend it in the account's settings, if that was not meant", "installations", "suspended on %s", some(suspended)))
	}
	if len(pending) > 0 {
		list = append(list, dubious("somebody who may there accepts them in the installation's settings", "installations", "not all permissions that the App asks for were accepted on %s", some(pending)))
	}
	return list
}

// checkMappings compares whom the configuration gives which installation with where
// they are.
func (x *examination) checkMappings(app *auth.App, where *installations) (list []finding) {
	prefix := "app." + app.Name + "."
	for _, login := range slices.Sorted(maps.Keys(app.Installations)) {
		list = append(list, x.checkMapping(app, where, prefix+"installations."+login, github.Account{Login: login}, app.Installations[login]))
	}
	for _, slug := range slices.Sorted(maps.Keys(app.Enterprises)) {
		list = append(list, x.checkMapping(app, where, prefix+"enterprises."+slug, github.Account{Login: slug, Enterprise: true}, app.Enterprises[slug]))
	}
	if id := app.DefaultInstallation; id != 0 {
		list = append(list, x.checkMapping(app, where, prefix+"default_installation", github.Account{}, id))
	}
	return list
}

// checkMapping checks one; a zero owner is nobody in particular.
func (x *examination) checkMapping(app *auth.App, where *installations, key string, owner github.Account, id github.InstallationID) finding {
	in := where.byID(id)
	switch {
	case in == nil && !where.complete:
		return dubious("", key, "%d is not among the installations that were looked at", id)
	case in == nil:
		return bad(x.remedyForUnknown(app, where, owner, id), key, "%d is no installation of the App %s", id, app.Name)
	case owner.Named() && !in.Account.Same(owner):
		wrong := &auth.MappingError{Key: key, Installation: id, Owner: owner, Account: in.Account}
		remedy := wrong.Remedy()
		if right := where.on(owner); right != nil {
			remedy = fmt.Sprintf("set it to %d", right.ID)
		}
		return bad(remedy, "", "%v", wrong)
	case in.Suspended:
		return bad("unsuspend the installation in the account's settings", key, "%d, on %s, is suspended", id, nameOf(in))
	}
	return good(key, "%d is on %s", id, nameOf(in))
}

// remedyForUnknown says what to do about an installation that is not the App's.
func (x *examination) remedyForUnknown(app *auth.App, where *installations, owner github.Account, id github.InstallationID) string {
	if right := where.on(owner); owner.Named() && right != nil {
		return fmt.Sprintf("set it to %d, which is the installation on %s", right.ID, owner)
	}
	for _, other := range x.cfg.Apps {
		if other == app || other.Instance != app.Instance {
			continue
		}
		if theirs := x.installed[other](); theirs.byID(id) != nil {
			return "move it to [app." + other.Name + "], whose installation it is"
		}
	}
	return "leave it out, or install the App there: the id is the last number in the URL of the installation's settings"
}

// nameOf is whom an installation is on.
func nameOf(in *auth.InstallationFacts) string {
	if !in.Account.Named() {
		return "somebody without a name"
	}
	return in.Account.String()
}

// some are the first of many names.
func some(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}
