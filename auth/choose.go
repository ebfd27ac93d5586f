package auth

import (
	"context"
	"errors"
	"fmt"

	"ghapp-proxy/github"
)

// ForApp returns the JWT of the App that a request to the App's own routes
// means: the one that maps the installation or the owner in the path, else the
// first of the instance. name is that of the App to take, "" for any; installation
// and owner are zero where the path has none. The error is a
// *NotInstalledError, an *Error that wraps a *SigningError, or ctx's.
func (s *Source) ForApp(ctx context.Context, instance github.Instance, name string, installation github.InstallationID, owner github.Account) (Credential, error) {
	app := s.appFor(instance, name, installation, owner)
	if app == nil {
		return Credential{}, &NotInstalledError{Instance: instance, Owner: owner}
	}
	jwt, err := app.signedJWT(ctx)
	if signing, ok := errors.AsType[*SigningError](err); ok {
		err = &Error{App: app.Name, Action: "authenticate", Err: err, Remedy: signing.Remedy()}
	}
	return Credential{App: app.App, header: jwt}, err
}

// AppFor returns the name of the App whose JWT ForApp returns, "" if there is none.
func (s *Source) AppFor(instance github.Instance, name string, installation github.InstallationID, owner github.Account) string {
	if app := s.appFor(instance, name, installation, owner); app != nil {
		return app.Name
	}
	return ""
}

func (s *Source) appFor(instance github.Instance, name string, installation github.InstallationID, owner github.Account) *appState {
	apps := s.candidates(instance, name)
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
func (s *Source) ForClient(instance github.Instance, name, clientID string) (Credential, error) {
	for _, app := range s.candidates(instance, name) {
		if app.client != nil && (app.ClientID == clientID || clientID == "" && name != "") {
			return Credential{App: app.App, header: app.client}, nil
		}
	}
	return Credential{}, &ClientSecretError{Instance: instance, ClientID: clientID}
}

// ForOwner is Token for a request about one owner.
func (s *Source) ForOwner(ctx context.Context, instance github.Instance, owner github.Account, read bool) (Credential, error) {
	return s.Token(ctx, instance, Want{Owner: owner, Read: read})
}

// Token returns the installation token for a request to an instance. Where no
// installation is found, or several owners have different ones, the Fallback
// decides.
//
// The error wraps an *Error, a *NotInstalledError or ctx's. The credential
// that comes with it, if any, cannot be sent: it says whose was wanted.
func (s *Source) Token(ctx context.Context, instance github.Instance, want Want) (Credential, error) {
	want = want.ofScope()
	cred, err := s.credentialFor(ctx, instance, &want)
	if cred.inst != nil || err != nil {
		return cred, err
	}
	if want.Read && s.fallback != FallbackRefuse {
		return Credential{}, nil
	}
	return Credential{}, s.Uncovered(instance, want)
}

// NameOf returns the name of an account or a repository of which only the id
// is known: what was learned, else what GitHub says to the App's installation
// there. It is nobody's if no App is there; the error is why that could not be
// found out.
func (s *Source) NameOf(ctx context.Context, instance github.Instance, id github.Account) (named github.Account, err error) {
	if !id.ByID() {
		return github.Account{}, nil
	}
	inst, err := s.installationByID(ctx, s.apps[instance], id)
	if inst == nil || err != nil {
		return github.Account{}, err
	}
	for _, app := range s.apps[instance] {
		if f, ok := app.remembered(id.Key()); ok && f.named.Plausible() {
			return f.named, nil
		}
	}
	if id.RepositoryID == 0 {
		return github.Account{}, nil
	}
	return inst.repositoryName(ctx, id)
}

// ClientSecretError says that a client-id/secret endpoint was called for a
// client id whose secret is not configured.
type ClientSecretError struct {
	Instance github.Instance
	ClientID string // as in the request
}

// Error implements error.
func (e *ClientSecretError) Error() string {
	return fmt.Sprintf("no App on %s has client id %q and a client secret", e.Instance, github.Redact(e.ClientID))
}

// Remedy says what the person who runs the proxy can do.
func (e *ClientSecretError) Remedy() string {
	return "set client_id and client_secret_file (or _env, _command) for that App"
}

// AccountOf returns whose the installation of a credential is: what GitHub said
// within five minutes, else what it says to the App. The error is an *Error, or
// ctx's.
func (s *Source) AccountOf(ctx context.Context, cred Credential) (github.Account, error) {
	if cred.inst == nil {
		return github.Account{}, fmt.Errorf("%v is no installation's", cred)
	}
	f, err := cred.inst.of.factsOf(ctx, cred.inst)
	if err != nil {
		return github.Account{}, err
	}
	return f.account, nil
}
