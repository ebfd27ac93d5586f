package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// MappingError says that the configuration gives an owner an installation that is
// on another account. GitHub answers most requests then as if there was nothing.
type MappingError struct {
	Key          string // "app.ci-bot.installations.acme"
	Installation github.InstallationID
	Owner        github.Account // whom the key is about
	Account      github.Account // where the installation is
}

// Error implements error.
func (e *MappingError) Error() string {
	return fmt.Sprintf("%s = %d is an installation on %s, not on %s", e.Key, e.Installation, e.Account, e.Owner)
}

// Remedy says what the person who runs the proxy can do.
func (e *MappingError) Remedy() string {
	return fmt.Sprintf("set %s to the App's installation on %s, or leave it out: what GitHub names is taken then", e.Key, e.Owner)
}

// mappingFor is the one that chose an installation for an owner, zero if none did.
func (i *installation) mappingFor(owner github.Account) mapping {
	at := slices.IndexFunc(i.owners, func(o github.Account) bool { return o.Key() == owner.WithoutRepo().Key() })
	if at < 0 {
		return mapping{}
	}
	return mapping{i.of.settingFor(i.owners[at]), i.owners[at]}
}

// watchMapping compares, once, what the configuration says of an installation with
// what GitHub says, and logs where they differ. It does so in the background, and
// costs next to nothing after that.
func (i *installation) watchMapping() {
	if len(i.owners) == 0 || i.watched.Load() || i.watched.Swap(true) {
		return
	}
	i.spawn(func(ctx context.Context) {
		for _, owner := range i.owners {
			if wrong := i.checkMapping(ctx, owner); wrong != nil {
				i.log.Warn("the configuration gives an owner the installation on another account", "app", i.Name,
					"key", wrong.Key, "installation", int64(i.id), "owner", wrong.Owner.String(), "account", wrong.Account.String(), "remedy", wrong.Remedy())
			}
		}
	})
}

// keptAccount is an account in memory of its own, or of the configuration where it is as that has it: the facts that it is part of
// are not kept with it.
func (i *installation) keptAccount(account github.Account) *github.Account {
	if at := slices.Index(i.owners, account); at >= 0 {
		return &i.owners[at]
	}
	return &account
}

// checkMapping says that the installation, which the configuration gives an owner,
// is on another account. It is nil if it is not, if the configuration does not say
// so, or if GitHub does not tell. GitHub is asked once: an installation stays where
// it is.
func (i *installation) checkMapping(ctx context.Context, owner github.Account) *MappingError {
	m := i.mappingFor(owner)
	if m.key == "" {
		return nil
	}
	account := i.account.Load()
	if account == nil {
		f, err := i.of.factsOf(ctx, i)
		if err != nil {
			return nil // it is remembered, and told where a token is needed
		}
		account = i.keptAccount(f.account)
		i.account.Store(account)
	}
	if account.Enterprise == m.owner.Enterprise && strings.EqualFold(account.Login, m.owner.Login) {
		return nil
	}
	return &MappingError{Key: m.key, Installation: i.id, Owner: m.owner, Account: *account}
}
