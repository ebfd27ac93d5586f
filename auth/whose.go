package auth

import (
	"cmp"
	"context"

	"ghapp-proxy/github"
)

// maxLookUps bounds how many owners of one request GitHub is asked about.
const maxLookUps = 25

// installationOf finds the installation that a want names or whose owners it
// names; nil if there is none, or if the owners' differ.
func (s *Source) installationOf(ctx context.Context, apps []*appState, want *Want) (*installation, error) {
	switch {
	case want.Installation != 0:
		return chosen(apps, want.Installation), nil
	case len(want.Others) == 0:
		return s.installationFor(ctx, apps, want.Owner)
	}
	var inst *installation
	lookUps := 0
	for _, owner := range append([]github.Account{want.Owner}, want.Others...) {
		if !isKnown(apps, owner) {
			if lookUps++; lookUps > maxLookUps {
				return nil, nil
			}
		}
		theirs, err := s.installationFor(ctx, apps, owner)
		switch {
		case err != nil:
			return nil, err
		case theirs == nil && owner.ByID():
			// An id beside others was a hint that turned out to be none.
		case theirs == nil || inst != nil && theirs.key != inst.key:
			return nil, nil
		default:
			inst = theirs
		}
	}
	return inst, nil
}

// isKnown reports whether GitHub need not be asked about an owner.
func isKnown(apps []*appState, owner github.Account) bool {
	if !owner.ByID() && mapped(apps, owner) != nil {
		return true
	}
	for _, app := range apps {
		if f, ok := app.remembered(owner.Key()); ok && f.inst != nil {
			return true
		}
		if f, ok := app.remembered(owner.WithoutRepo().Key()); ok && f.all {
			return true
		}
	}
	return false
}

// chosen is the installation of that id: of the App that maps it, else of the first.
func chosen(apps []*appState, id github.InstallationID) *installation {
	for _, app := range apps {
		if inst := app.ids[id]; inst != nil {
			return inst
		}
	}
	if len(apps) == 0 {
		return nil
	}
	return newInstallation(apps[0].directory, id)
}

// installationFor finds the installation that covers owner: the configuration
// first, in the order of the Apps, then discovery, in the same order. nil if
// there is none. An App that cannot be asked is an error rather than skipped:
// which App answers must not depend on an outage. One whose own look-up GitHub
// refuses is an error only if no other covers the owner.
func (s *Source) installationFor(ctx context.Context, apps []*appState, owner github.Account) (*installation, error) {
	switch {
	case owner == github.Account{}:
		return s.ownerless(ctx, apps)
	case owner.ByID():
		return s.installationByID(ctx, apps, owner)
	case !owner.Plausible():
		return nil, nil
	}
	if inst := mapped(apps, owner); inst != nil {
		return inst, nil
	}
	var refused error
	for _, app := range apps {
		if app.NoDiscovery {
			continue
		}
		inst, err := app.discover(ctx, owner)
		if inst != nil || err != nil && !isOfApp(err) {
			return inst, err
		}
		refused = cmp.Or(refused, err)
	}
	return nil, refused
}

// ownerless finds the installation meant by a request that names no owner: a
// default, else that of the only App, if it has only one. nil if there is none:
// among several the choice is the user's.
func (s *Source) ownerless(ctx context.Context, apps []*appState) (*installation, error) {
	if inst := home(apps); inst != nil {
		return inst, nil
	}
	switch {
	case len(apps) != 1:
		return nil, nil
	case !apps[0].NoDiscovery:
		return apps[0].only(ctx)
	}
	for _, inst := range apps[0].ids {
		if len(apps[0].ids) == 1 {
			return inst, nil
		}
	}
	return nil, nil
}

// mapped returns the installation that the configuration of the first App that
// lists the owner gives, nil if none does.
func mapped(apps []*appState, owner github.Account) *installation {
	for _, app := range apps {
		if inst := app.mappedTo(owner); inst != nil {
			return inst
		}
	}
	return nil
}

// home is the first default installation of the Apps, nil if none.
func home(apps []*appState) *installation {
	for _, app := range apps {
		if app.home != nil {
			return app.home
		}
	}
	return nil
}

func names(apps []*appState) (list []string) {
	for _, app := range apps {
		list = append(list, app.Name)
	}
	return list
}

// installationByID finds the installation that covers an account, a repository
// or a team of which only GitHub's id is known: what was learned first, then
// what the Apps are told, in order. nil if there is none.
func (s *Source) installationByID(ctx context.Context, apps []*appState, owner github.Account) (*installation, error) {
	key := owner.Key()
	for _, app := range apps {
		if f, ok := app.remembered(key); ok && f.inst != nil {
			return f.preferMapped(apps), nil
		}
	}
	asked := false
	var refused error
	for _, app := range apps {
		if app.NoDiscovery || owner.TeamID != 0 { // GitHub tells an App nothing of a team by id
			continue
		}
		asked = true
		var f found
		var err error
		if owner.AccountID != 0 {
			f, err = app.findAccount(ctx, key)
		} else {
			f, err = app.findRepository(ctx, owner)
		}
		if f.inst != nil {
			return f.preferMapped(apps), nil
		}
		if err != nil && !isOfApp(err) {
			return nil, err
		}
		refused = cmp.Or(refused, err)
	}
	if !asked {
		return s.ownerless(ctx, apps) // nobody can tell: as if nobody was named
	}
	return nil, refused
}

// preferMapped returns the installation of one of the Apps that answers for what was
// found: where the login is known, the configuration knows better which.
func (f found) preferMapped(apps []*appState) *installation {
	if f.login != "" {
		if inst := mapped(apps, github.Account{Login: f.login}); inst != nil {
			return inst
		}
	}
	return f.inst
}
