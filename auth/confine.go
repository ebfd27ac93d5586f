package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ghapp-proxy/github"
)

// confine returns the narrowing of a token of inst for a want. The error is a
// *ScopeError, or that of a look-up.
func (c *confiner) confine(ctx context.Context, inst *installation, want *Want) (*github.Narrowing, error) {
	scope := want.Within
	if scope == nil {
		return want.Narrow, nil
	}
	want.namesAll = false
	key := scope.key(inst, want.Narrow)
	if made, ok := c.confined.get(key); ok && c.isCurrent(made) && !c.lacksNamed(inst, want) {
		c.refresh(made)
		return made.narrow, nil
	}
	c.forgetAbsent(inst, want)
	ctx = want.counting(ctx, inst)
	f, err := c.factsOf(ctx, inst)
	if err != nil {
		return nil, err
	}
	if scope.Account != nil && !scope.Account(f.account) {
		fault := &ScopeError{Installation: inst.id, Reason: "the account is not allowed"} // nor to be told
		if m := inst.mappingFor(want.Owner); m.key != "" && scope.Account(m.owner) {
			fault.Hint = fmt.Sprintf("check %s = %d in the configuration: it is not an installation on %s", m.key, inst.id, m.owner)
		}
		return nil, fault
	}
	permissions, err := scope.permissions(f, want.Narrow)
	if err != nil {
		return nil, err
	}
	chosen, err := c.repositories(ctx, f, want)
	switch {
	case err != nil:
		return nil, err
	case permissions == nil && chosen.names == nil && chosen.ids == nil:
		return nil, nil
	}
	narrow, err := github.NewNarrowing(chosen.names, chosen.ids, permissions)
	if err != nil {
		return nil, err
	}
	want.namesAll = chosen.namesAll
	if !chosen.requested {
		c.confined.set(key, confined{narrow, f, chosen.list}, factsTTL)
	}
	return narrow, nil
}

// isCurrent reports whether what a Scope came to is made of what is known now.
func (c *confiner) isCurrent(made confined) bool {
	key := made.facts.of.key
	if f, _ := c.facts.get(key); f != made.facts {
		return false
	}
	list, _ := c.listings.get(key)
	return made.list == nil || list == made.list
}

// refresh asks in the background for what a Scope's outcome is made of, where that
// is no longer new. Nobody waits for it.
func (c *confiner) refresh(made confined) {
	f, list := made.facts, made.list
	if time.Since(f.made) >= factsFresh && f.renewing.CompareAndSwap(false, true) {
		f.of.spawn(func(ctx context.Context) {
			defer f.renewing.Store(false) // f is in use still only if that failed
			c.newFacts(ctx, f.of, f)      // an error is remembered, and logged where it matters: when minting
		})
	}
	if list != nil && time.Since(list.made) >= list.goodFor() && list.renewing.CompareAndSwap(false, true) {
		f.of.spawn(func(ctx context.Context) {
			defer list.renewing.Store(false)
			c.newListing(ctx, f.of)
		})
	}
}

// listingFor returns the repositories of an installation, asking again if the
// want names one that is missing.
func (c *confiner) listingFor(ctx context.Context, inst *installation, want *Want) (*listing, error) {
	if list, ok := c.listings.get(inst.key); ok && !c.lacksNamed(inst, want) {
		return list, nil
	}
	return c.newListing(ctx, inst)
}

// blockOf is the part of a long list of ids, sorted and cut into as many as a token
// can be narrowed to, that has all that are named; nil if there is none. So that
// many sets of names share few tokens, however they are chosen.
func blockOf(ids, named []int64) []int64 {
	if len(named) == 0 {
		return nil
	}
	slices.Sort(ids)
	first, _ := slices.BinarySearch(ids, slices.Min(named))
	last, _ := slices.BinarySearch(ids, slices.Max(named))
	if first/github.MaxNarrowed != last/github.MaxNarrowed {
		return nil
	}
	begin := first - first%github.MaxNarrowed
	return ids[begin:min(begin+github.MaxNarrowed, len(ids))]
}

// repositories are what the scope, the installation and a rule's narrowing have
// in common.
func (c *confiner) repositories(ctx context.Context, f *facts, want *Want) (selection, error) {
	scope, narrow := want.Within, want.Narrow
	if scope.Repository == nil {
		return selection{names: narrow.Repositories(), ids: narrow.RepositoryIDs()}, nil
	}
	fault := &ScopeError{Installation: f.of.id, Account: f.account.String()}
	const noneAllowed = "none of its repositories is allowed"
	const allowOne = "grant the App the repository in the installation's settings, or allow the client one that it has"
	if chosen, ok := c.named(f, want); ok {
		if len(chosen.names) == 0 {
			fault.Reason, fault.Hint = noneAllowed, allowOne
			return selection{}, fault
		}
		return chosen, nil
	}
	list, err := c.listingFor(ctx, f.of, want)
	if err != nil {
		return selection{}, err
	}
	var ids []int64
	for _, r := range list.all {
		if scope.Repository(r.login, r.name) && narrow.Covers(r.name, r.id) {
			ids = append(ids, r.id)
		}
	}
	switch {
	case len(ids) > github.MaxNarrowed || !list.complete:
		named := namedIn(list, want)
		if block := blockOf(ids, named); block != nil {
			return selection{ids: block, requested: true}, nil
		}
		if len(named) > 0 {
			return selection{ids: named, requested: true, namesAll: true}, nil
		}
		if names := namedBy(f, want); len(names) > 0 {
			return selection{names: names, requested: true, namesAll: true}, nil
		}
		fault.Reason = fmt.Sprintf("it has more repositories than a token can be limited to (%d), and the request names none of them", github.MaxNarrowed)
		fault.Hint = "name a repository in the request, or list fewer in the client's repositories"
		return selection{}, fault
	case len(ids) == 0:
		fault.Reason, fault.Hint = noneAllowed, allowOne
		return selection{}, fault
	}
	return selection{ids: ids, list: list}, nil
}

// namedIn are the ids of the listed repositories that a want names and may have.
func namedIn(list *listing, want *Want) (ids []int64) {
	for _, r := range list.all {
		one := listing{all: []repository{r}}
		if want.Within.Repository(r.login, r.name) && want.Narrow.Covers(r.name, r.id) && slices.ContainsFunc(want.owners(), one.has) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// namedBy are the names of repositories that a want names, may have, and that
// are the account's: GitHub refuses those that the installation does not have.
func namedBy(f *facts, want *Want) (names []string) {
	for _, owner := range want.owners() {
		mine := owner.Repo != "" && strings.EqualFold(owner.Login, f.account.Login)
		if mine && want.Within.Repository(owner.Login, owner.Repo) && want.Narrow.Covers(owner.Repo, 0) {
			names = append(names, owner.Repo)
		}
	}
	return names
}

// lacksNamed reports whether a want names a repository that it may have, or an id
// that may be of one, and that is not in the list.
func (c *confiner) lacksNamed(inst *installation, want *Want) bool {
	if want.Within.Repository == nil {
		return false
	}
	if c.mayHaveReappeared(inst, want) {
		return true
	}
	list, ok := c.listings.get(inst.key)
	if !ok || !list.mayBeOld() {
		return false
	}
	missed := func(o github.Account) bool {
		named := o.Repo != "" && want.Within.Repository(o.Login, o.Repo)
		return (named || o.RepositoryID != 0) && !list.has(o)
	}
	return missed(want.Owner) || slices.ContainsFunc(want.Others, missed)
}
