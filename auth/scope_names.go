package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/github"
)

// maxSifted bounds how many repositories GitHub is asked about one by one, to find
// which of them are gone.
const maxSifted = 50

// named are the repositories of a Scope that knows all of them by name: nobody has
// to list what the installation has. ok is false where that is not possible.
func (c *confiner) named(f *facts, want *Want) (chosen selection, ok bool) {
	if want.Within.Names == nil || want.Narrow.RepositoryIDs() != nil { // what an id is called is not known
		return selection{}, false
	}
	for _, owner := range want.Within.Names {
		mine := strings.EqualFold(owner.Login, f.account.Login) && want.Narrow.Covers(owner.Repo, 0)
		if mine && !c.isAbsent(f.of, owner) {
			chosen.names = append(chosen.names, owner.Repo)
		}
	}
	return chosen, len(chosen.names) <= github.MaxNarrowed
}

// absentKey is what a repository is filed under that an installation does not have.
func (i *installation) absentKey(owner github.Account) string { return i.key + "|" + owner.Key() }

func (c *confiner) isAbsent(inst *installation, owner github.Account) bool {
	_, ok := c.absent.get(inst.absentKey(owner))
	return ok
}

// mayHaveReappeared reports whether a want names a repository of its Scope that was
// absent when that was asked some time ago.
func (c *confiner) mayHaveReappeared(inst *installation, want *Want) bool {
	return slices.ContainsFunc(want.owners(), func(o github.Account) bool {
		since, ok := c.absent.get(inst.absentKey(o))
		return ok && time.Since(since) >= askAgainAfter
	})
}

// forgetAbsent forgets that the repositories that a want names were absent.
func (c *confiner) forgetAbsent(inst *installation, want *Want) {
	for _, owner := range want.owners() {
		c.absent.delete(inst.absentKey(owner))
	}
}

// findAbsent finds out which of the repositories of a want's Scope an installation does
// not have: GitHub, which refuses to mint for them, does not say which. It leaves
// out what cannot be found out. One that was renamed only a list tells.
func (c *confiner) findAbsent(ctx context.Context, cred Credential, want *Want, refused error) {
	inst := cred.inst
	names := cred.narrow.Repositories()
	if want.Within.Names == nil || len(names) == 0 {
		return
	}
	c.confined.delete(want.Within.key(inst, want.Narrow))
	has := c.listedIn
	if len(names) <= maxSifted && !inst.NoDiscovery && !errors.Is(refused, errOtherRepository) {
		has = c.foundIn
	}
	for _, owner := range want.Within.Names {
		if slices.Contains(names, strings.ToLower(owner.Repo)) && !has(ctx, inst, owner) {
			c.absent.set(inst.absentKey(owner), time.Now(), factsFresh)
		}
	}
}

// foundIn reports whether GitHub names the installation for a repository.
func (c *confiner) foundIn(ctx context.Context, inst *installation, owner github.Account) bool {
	f, err := inst.of.find(ctx, owner)
	return err != nil || f.inst != nil && f.inst.id == inst.id
}

// listedIn reports whether GitHub lists a repository of the installation.
func (c *confiner) listedIn(ctx context.Context, inst *installation, owner github.Account) bool {
	list, ok := c.listings.get(inst.key)
	if !ok {
		var err error
		if list, err = c.newListing(ctx, inst); err != nil {
			return true
		}
	}
	return !list.complete || list.has(owner)
}
