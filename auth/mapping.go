package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MappingError says that the configuration gives an owner an installation that is
// on another account. GitHub answers most requests then as if there was nothing.
type MappingError struct {
	Key          string // "app.ci-bot.installations.acme"
	Installation InstallationID
	Owner        Owner // whom the key is about
	Account      Owner // where the installation is
}

// Error implements error.
func (e *MappingError) Error() string {
	return fmt.Sprintf("%s = %d is an installation on %s, not on %s", e.Key, e.Installation, e.Account, e.Owner)
}

// Remedy says what the person who runs the proxy can do.
func (e *MappingError) Remedy() string {
	return fmt.Sprintf("set %s to the App's installation on %s, or leave it out: what GitHub names is taken then", e.Key, e.Owner)
}

// mapping is a key of the configuration that gives an owner an installation.
type mapping struct {
	key   string
	owner Owner
}

// mappingFor is the one that chose an installation for an owner, zero if none did.
func (i *installation) mappingFor(owner Owner) mapping {
	at := slices.IndexFunc(i.mappings, func(m mapping) bool { return m.owner.key() == owner.account().key() })
	if at < 0 {
		return mapping{}
	}
	return i.mappings[at]
}

// WatchMapping compares, once for each installation, what the configuration says
// of the installation of a credential with what GitHub says, and logs where they
// differ. It does so in the background, and costs next to nothing after that.
func (s *Source) WatchMapping(cred Credential) {
	inst := cred.inst
	if inst == nil || len(inst.mappings) == 0 || inst.watched.Load() || inst.watched.Swap(true) {
		return
	}
	s.spawn(func() {
		for _, m := range inst.mappings {
			if wrong := s.CheckMapping(s.lifetime, cred, m.owner); wrong != nil {
				s.log.Warn("the configuration gives an owner the installation on another account", "app", cred.App.Name,
					"key", wrong.Key, "installation", int64(inst.id), "owner", wrong.Owner.String(), "account", wrong.Account.String(), "remedy", wrong.Remedy())
			}
		}
	})
}

// CheckMapping says that the credential's installation, which the configuration
// gives an owner, is on another account. It is nil if it is not, if the
// configuration does not say so, or if GitHub does not tell. GitHub is asked once:
// an installation stays where it is.
func (s *Source) CheckMapping(ctx context.Context, cred Credential, owner Owner) *MappingError {
	inst := cred.inst
	if inst == nil {
		return nil
	}
	m := inst.mappingFor(owner)
	if m.key == "" {
		return nil
	}
	account := inst.account.Load()
	if account == nil {
		f, err := s.factsOf(ctx, inst)
		if err != nil {
			return nil // it is remembered, and told where a token is needed
		}
		account = &f.account
		inst.account.Store(account)
	}
	if account.Enterprise == m.owner.Enterprise && strings.EqualFold(account.Login, m.owner.Login) {
		return nil
	}
	return &MappingError{Key: m.key, Installation: inst.id, Owner: m.owner, Account: *account}
}
