package auth

import "context"

// ForApp returns the JWT of the App that a request to the App's own routes
// means: the one that maps the installation or the owner in the path, else the
// first of the host. installation and owner are zero where the path has none.
// The error is a *NotInstalledError, or about the App's key.
func (s *Source) ForApp(host string, installation InstallationID, owner Owner) (Credential, error) {
	apps := s.apps[host]
	if len(apps) == 0 {
		return Credential{}, &NotInstalledError{Host: host, Owner: owner}
	}
	chosen := apps[0]
	for _, app := range apps {
		if app.ids[installation] != nil || app.mappedTo(owner) != nil {
			chosen = app
			break
		}
	}
	jwt, err := chosen.signer.jwt()
	return Credential{App: chosen.App, header: jwt}, err
}

// ForClient returns the client id and secret of the App with that client id.
// The error is a *ClientSecretError.
func (s *Source) ForClient(host, clientID string) (Credential, error) {
	for _, app := range s.apps[host] {
		if app.client != nil && app.ClientID == clientID {
			return Credential{App: app.App, header: app.client}, nil
		}
	}
	return Credential{}, &ClientSecretError{Host: host, ClientID: clientID}
}

// ForOwner returns the installation token for an owner, or for a request that
// names none if owner is zero. Where no installation is found the Fallback
// decides; read says whether the request only reads, and so may be anonymous.
//
// The error wraps an *Error, a *NotInstalledError or ctx's. The credential
// that comes with it, if any, cannot be sent: it says whose was wanted.
func (s *Source) ForOwner(ctx context.Context, host string, owner Owner, read bool) (Credential, error) {
	cred, inst, err := s.credentialFor(ctx, host, owner)
	if isMissing(err) && inst != nil && inst.discovered {
		// It was uninstalled since, and may be installed anew: ask once more.
		inst.gone.Store(true)
		cred, inst, err = s.credentialFor(ctx, host, owner)
	}
	if inst != nil || err != nil {
		return cred, err
	}
	if read && s.fallback != FallbackRefuse {
		return Credential{}, nil
	}
	return Credential{}, &NotInstalledError{Host: host, Owner: owner, Apps: s.names(host)}
}

// credentialFor returns the token for an owner and the installation it belongs
// to, which is nil if there is none.
func (s *Source) credentialFor(ctx context.Context, host string, owner Owner) (Credential, *installation, error) {
	inst, err := s.installationFor(ctx, host, owner)
	if inst == nil && err == nil && s.fallback == FallbackDefault {
		inst = s.home(host)
	}
	if inst == nil || err != nil {
		return Credential{}, nil, err
	}
	token, err := s.token(ctx, inst)
	return Credential{App: inst.app.App, Installation: inst.id, header: token}, inst, err
}

// installationFor finds the installation that covers owner: the configuration
// first, in the order of the Apps, then discovery, in the same order. nil if
// there is none. An App that cannot be asked is an error rather than skipped:
// which App answers must not depend on an outage.
func (s *Source) installationFor(ctx context.Context, host string, owner Owner) (*installation, error) {
	if owner.Login == "" {
		return s.ownerless(ctx, host)
	}
	if !owner.plausible() {
		return nil, nil
	}
	for _, app := range s.apps[host] {
		if inst := app.mappedTo(owner); inst != nil {
			return inst, nil
		}
	}
	for _, app := range s.apps[host] {
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
// default, else that of the only App, if it has only one. nil if there is none:
// among several the choice is the user's.
func (s *Source) ownerless(ctx context.Context, host string) (*installation, error) {
	if inst := s.home(host); inst != nil {
		return inst, nil
	}
	apps := s.apps[host]
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

// mappedTo returns the installation that the configuration gives for an owner,
// nil if none.
func (a *appState) mappedTo(owner Owner) *installation {
	return a.mapped[owner.account().key()]
}

// home is the first default installation of the host's Apps, nil if none.
func (s *Source) home(host string) *installation {
	for _, app := range s.apps[host] {
		if app.home != nil {
			return app.home
		}
	}
	return nil
}

func (s *Source) names(host string) (names []string) {
	for _, app := range s.apps[host] {
		names = append(names, app.Name)
	}
	return names
}
