package auth

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// ForApp returns the JWT of the App that a request to the App's own routes
// means: the one that maps the installation or the owner in the path, else the
// first of the host. name is that of the App to take, "" for any; installation
// and owner are zero where the path has none. The error is a
// *NotInstalledError, an *Error that wraps a *SigningError, or ctx's.
func (s *Source) ForApp(ctx context.Context, host, name string, installation InstallationID, owner Owner) (Credential, error) {
	app := s.appFor(host, name, installation, owner)
	if app == nil {
		return Credential{}, &NotInstalledError{Host: host, Owner: owner}
	}
	jwt, err := s.jwt(ctx, app)
	if signing, ok := errors.AsType[*SigningError](err); ok {
		err = &Error{App: app.Name, Action: "authenticate", Err: err, Remedy: signing.Remedy()}
	}
	return Credential{App: app.App, header: jwt}, err
}

// AppFor returns the name of the App whose JWT ForApp returns, "" if there is none.
func (s *Source) AppFor(host, name string, installation InstallationID, owner Owner) string {
	if app := s.appFor(host, name, installation, owner); app != nil {
		return app.Name
	}
	return ""
}

func (s *Source) appFor(host, name string, installation InstallationID, owner Owner) *appState {
	apps := s.candidates(host, name)
	for _, app := range apps {
		if app.ids[installation] != nil || app.mappedTo(owner) != nil {
			return app
		}
	}
	if len(apps) == 0 {
		return nil
	}
	return apps[0]
}

// ForClient returns the client id and secret of the App with that client id;
// where the request names none, those of the App called name. The error is a
// *ClientSecretError.
func (s *Source) ForClient(host, name, clientID string) (Credential, error) {
	for _, app := range s.candidates(host, name) {
		if app.client != nil && (app.ClientID == clientID || clientID == "" && name != "") {
			return Credential{App: app.App, header: app.client}, nil
		}
	}
	return Credential{}, &ClientSecretError{Host: host, ClientID: clientID}
}

// Want is what a request needs an installation token for.
type Want struct {
	Owner  Owner   // zero if the request names nobody
	Others []Owner // further ones: the token must be that of all, save for ids that are nobody's
	Read   bool    // the request only reads: it may leave anonymously

	Resource Resource // the limit that GitHub counts the request against

	App          string         // the name of the App to use, "" for any
	Installation InstallationID // the installation to use, 0 for the owner's
	Narrow       *Narrowing     // nil for all that the installation may do
	Within       *Scope         // confines all of it, nil for no limits

	counts bool // its token is narrowed to just what it names
}

// ForOwner is Token for a request about one owner.
func (s *Source) ForOwner(ctx context.Context, host string, owner Owner, read bool) (Credential, error) {
	return s.Token(ctx, host, Want{Owner: owner, Read: read})
}

// Token returns the installation token for a request to host. Where no
// installation is found, or several owners have different ones, the Fallback
// decides.
//
// The error wraps an *Error, a *NotInstalledError or ctx's. The credential
// that comes with it, if any, cannot be sent: it says whose was wanted.
func (s *Source) Token(ctx context.Context, host string, want Want) (Credential, error) {
	want = want.ofScope()
	cred, err := s.credentialFor(ctx, host, &want)
	if cred.inst != nil || err != nil {
		return cred, err
	}
	if want.Read && s.fallback != FallbackRefuse {
		return Credential{}, nil
	}
	return Credential{}, s.Uncovered(host, want)
}

// credentialOf returns the token of the first of the Apps that covers the
// owner; its inst is nil if none does.
func (s *Source) credentialOf(ctx context.Context, apps []*appState, want *Want) (Credential, error) {
	cred, err := s.resolve(ctx, apps, want)
	switch {
	case cred.inst != nil && cred.inst.discovered && !cred.inst.again && isMissing(err):
		// It was uninstalled since, and may be installed anew: ask once more.
		cred.inst.vanish()
	case cred.inst != nil && want.Within != nil && isUngranted(err):
		// A repository or a permission was taken away since. What is still
		// asked for after that, GitHub has just refused, and is not asked again.
		s.doubt(cred.inst)
		s.sift(want.counting(ctx, cred.inst), cred, want, err)
	default:
		return cred, err
	}
	return s.resolve(ctx, apps, want)
}

// resolve finds the installation and gets its token.
func (s *Source) resolve(ctx context.Context, apps []*appState, want *Want) (Credential, error) {
	inst, err := s.installationOf(ctx, apps, want)
	fallback := inst == nil && s.fallback == FallbackDefault
	if fallback {
		inst = home(apps)
	}
	if inst == nil || err != nil {
		return Credential{}, err
	}
	fallback = fallback && want.Owner != Owner{}
	cred := Credential{App: inst.app.App, Installation: inst.id, Fallback: fallback, inst: inst}
	if cred.narrow, err = s.confine(ctx, inst, want); err != nil {
		if _, ok := errors.AsType[*ScopeError](err); ok && fallback {
			return Credential{}, nil // as if there was no default installation
		}
		return cred, err
	}
	if cred.header = s.held(inst, cred.narrow); cred.header == nil {
		cred.header, err = s.token(want.counting(ctx, inst), inst, cred.narrow)
	}
	return cred, err
}

// candidatesFor are the Apps of a host that a want may take.
func (s *Source) candidatesFor(host string, want *Want) []*appState {
	apps := s.candidates(host, want.App)
	if want.Within == nil || want.Within.App == nil {
		return apps
	}
	return slices.DeleteFunc(slices.Clone(apps), func(a *appState) bool { return !want.Within.App(a.Name) })
}

// candidates are the Apps of a host, or the one of that name.
func (s *Source) candidates(host, name string) []*appState {
	apps := s.apps[host]
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
	for _, owner := range append([]Owner{want.Owner}, want.Others...) {
		if !isKnown(apps, owner) {
			if lookUps++; lookUps > maxLookUps {
				return nil, nil
			}
		}
		theirs, err := s.installationFor(ctx, apps, owner)
		switch {
		case err != nil:
			return nil, err
		case theirs == nil && owner.byID():
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
func isKnown(apps []*appState, owner Owner) bool {
	if !owner.byID() && mapped(apps, owner) != nil {
		return true
	}
	for _, app := range apps {
		if f, ok := app.remembered(owner.key()); ok && f.inst != nil {
			return true
		}
		if f, ok := app.remembered(owner.account().key()); ok && f.all {
			return true
		}
	}
	return false
}

// chosen is the installation of that id: of the App that maps it, else of the first.
func chosen(apps []*appState, id InstallationID) *installation {
	for _, app := range apps {
		if inst := app.ids[id]; inst != nil {
			return inst
		}
	}
	if len(apps) == 0 {
		return nil
	}
	return newInstallation(apps[0], id)
}

// installationFor finds the installation that covers owner: the configuration
// first, in the order of the Apps, then discovery, in the same order. nil if
// there is none. An App that cannot be asked is an error rather than skipped:
// which App answers must not depend on an outage. One whose own look-up GitHub
// refuses is an error only if no other covers the owner.
func (s *Source) installationFor(ctx context.Context, apps []*appState, owner Owner) (*installation, error) {
	switch {
	case owner == Owner{}:
		return s.ownerless(ctx, apps)
	case owner.byID():
		return s.installationByID(ctx, apps, owner)
	case !owner.plausible():
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
		inst, err := s.discover(ctx, app, owner)
		if inst != nil || err != nil && !isOwn(err) {
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
		return s.only(ctx, apps[0])
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
func mapped(apps []*appState, owner Owner) *installation {
	for _, app := range apps {
		if inst := app.mappedTo(owner); inst != nil {
			return inst
		}
	}
	return nil
}

// mappedTo returns the installation that the configuration gives for an owner,
// nil if none.
func (a *appState) mappedTo(owner Owner) *installation {
	return a.mapped[owner.account().key()]
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
