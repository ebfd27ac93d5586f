package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Scope confines the installation tokens that somebody may use, whichever
// installation they are of. What is nil or zero confines nothing. It must not
// be changed once it is in use; its functions are called from many goroutines.
//
// A token within a Scope is minted for the repositories and permissions that
// the Scope and the installation have in common, so that GitHub itself enforces
// them. Where they have nothing in common the error is a *ScopeError; a token
// for more is never taken instead.
type Scope struct {
	// Key tells Scopes apart: those with the same Key confine the same.
	Key string
	// App reports whether an App of that name may be used.
	App func(name string) bool
	// Account reports whether an installation on that account may be used;
	// Repo of the Owner is empty.
	Account func(Owner) bool
	// Repository reports whether a repository may be used.
	Repository func(login, repo string) bool
	// Names are all that Repository reports true of, if each of them is known by
	// name: GitHub need not be asked what the installation has. Else it is nil.
	Names []Owner
	// Permissions are GitHub's names → the highest level; what is absent is
	// not given.
	Permissions map[string]string
	// ReadOnly lowers every permission to "read", and leaves out what has no
	// such level.
	ReadOnly bool
}

// maxConfined bounds the narrowings that are remembered.
const maxConfined = 10000

// ScopeError says that no token is both the installation's and within a Scope.
type ScopeError struct {
	Installation InstallationID
	Account      string // whom the installation is on, "" if that is outside the Scope
	Reason       string // "none of its repositories is allowed"
	Hint         string // what can be done, "" if nothing is known
}

// Error implements error.
func (e *ScopeError) Error() string {
	whose := fmt.Sprintf("installation %d", e.Installation)
	if e.Account != "" {
		whose += " on " + clean(e.Account)
	}
	return whose + " cannot be used within this client's limits: " + e.Reason
}

// confined is what a Scope came to, as long as the facts that it was made of
// are remembered.
type confined struct {
	narrow *Narrowing
	facts  *facts
	list   *listing // nil if it was not looked at
}

// confine returns the narrowing of a token of inst for a want. The error is a
// *ScopeError, or that of a look-up.
func (s *Source) confine(ctx context.Context, inst *installation, want *Want) (*Narrowing, error) {
	scope := want.Within
	if scope == nil {
		return want.Narrow, nil
	}
	want.counts = false
	key := scope.key(inst, want.Narrow)
	if c, ok := s.confined.get(key); ok && s.isCurrent(c) && !s.misses(inst, want) {
		s.refresh(c)
		return c.narrow, nil
	}
	s.welcome(inst, want)
	ctx = want.counting(ctx, inst)
	f, err := s.factsOf(ctx, inst)
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
	chosen, err := s.repositories(ctx, f, want)
	switch {
	case err != nil:
		return nil, err
	case permissions == nil && chosen.names == nil && chosen.ids == nil:
		return nil, nil
	}
	narrow, err := NewNarrowing(chosen.names, chosen.ids, permissions)
	if err != nil {
		return nil, err
	}
	want.counts = chosen.counts
	if !chosen.requested {
		s.confined.set(key, confined{narrow, f, chosen.list}, factsKept)
	}
	return narrow, nil
}

// key is what the narrowing that the scope comes to is filed under.
func (scope *Scope) key(inst *installation, narrow *Narrowing) string {
	return scope.Key + "|" + inst.tokenKey(narrow)
}

// isCurrent reports whether what a Scope came to is made of what is known now.
func (s *Source) isCurrent(c confined) bool {
	if f, _ := s.facts.get(c.facts.of.key); f != c.facts {
		return false
	}
	list, _ := s.listings.get(c.facts.of.key)
	return c.list == nil || list == c.list
}

// isUngranted reports whether GitHub does not mint for what was asked for: the
// installation does not have it.
func isUngranted(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && (refused.Status == http.StatusUnprocessableEntity || refused.Err == errOtherRepository)
}

// onlyWritten are permissions without a level "read": docs.github.com,
// "Create an installation access token for an app", and the schema
// app-permissions of GitHub's OpenAPI description.
var onlyWritten = map[string]bool{"workflows": true, "profile": true}

// permissions are what the scope, the installation and a rule's narrowing have
// in common; nil if neither scope nor rule limit them.
func (scope *Scope) permissions(f *facts, narrow *Narrowing) (map[string]string, error) {
	limits := []map[string]string{scope.Permissions, narrow.permissionsOrNil()}
	if limits[0] == nil && limits[1] == nil && !scope.ReadOnly {
		return nil, nil
	}
	common := known(f.permissions)
	for _, limit := range limits {
		if limit != nil {
			common = commonPermissions(common, known(limit))
		}
	}
	if scope.ReadOnly {
		for name := range common {
			if common[name] = "read"; onlyWritten[name] {
				delete(common, name)
			}
		}
	}
	if len(common) == 0 {
		return nil, &ScopeError{
			Installation: f.of.id, Account: f.account.String(), Reason: "it has none of the permissions that are allowed",
			Hint: "allow the client one of the installation's permissions, or grant the App more",
		}
	}
	return common, nil
}

// known are the permissions whose name and level are such as GitHub's
// documentation has: others could not be asked for.
func known(permissions map[string]string) map[string]string {
	permissions = maps.Clone(permissions)
	maps.DeleteFunc(permissions, func(name, level string) bool {
		return !permissionName.MatchString(name) || !slices.Contains(levels, level)
	})
	return permissions
}

// selection is what a token is narrowed to, by name or by id; the zero value is
// every repository.
type selection struct {
	names     []string
	ids       []int64
	list      *listing // where the ids are from
	requested bool     // another request may come to another
	counts    bool     // it is just what the request names: there are very many of the kind
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
	if first/maxRepositories != last/maxRepositories {
		return nil
	}
	begin := first - first%maxRepositories
	return ids[begin:min(begin+maxRepositories, len(ids))]
}

// repositories are what the scope, the installation and a rule's narrowing have
// in common.
func (s *Source) repositories(ctx context.Context, f *facts, want *Want) (selection, error) {
	scope, narrow := want.Within, want.Narrow
	if scope.Repository == nil {
		names, ids := narrow.repositoriesOrNil()
		return selection{names: names, ids: ids}, nil
	}
	fault := &ScopeError{Installation: f.of.id, Account: f.account.String()}
	const noneAllowed = "none of its repositories is allowed"
	const allowOne = "grant the App the repository in the installation's settings, or allow the client one that it has"
	if chosen, ok := s.named(f, want); ok {
		if len(chosen.names) == 0 {
			fault.Reason, fault.Hint = noneAllowed, allowOne
			return selection{}, fault
		}
		return chosen, nil
	}
	list, err := s.listingFor(ctx, f.of, want)
	if err != nil {
		return selection{}, err
	}
	var ids []int64
	for _, r := range list.all {
		if scope.Repository(r.login, r.name) && narrow.covers(r) {
			ids = append(ids, r.id)
		}
	}
	switch {
	case len(ids) > maxRepositories || !list.complete:
		named := namedIn(list, want)
		if block := blockOf(ids, named); block != nil {
			return selection{ids: block, requested: true}, nil
		}
		if len(named) > 0 {
			return selection{ids: named, requested: true, counts: true}, nil
		}
		if names := namedBy(f, want); len(names) > 0 {
			return selection{names: names, requested: true, counts: true}, nil
		}
		fault.Reason = fmt.Sprintf("it has more repositories than a token can be limited to (%d), and the request names none of them", maxRepositories)
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
		if want.Within.Repository(r.login, r.name) && want.Narrow.covers(r) && slices.ContainsFunc(want.owners(), one.has) {
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
		if mine && want.Within.Repository(owner.Login, owner.Repo) && want.Narrow.covers(repository{name: owner.Repo}) {
			names = append(names, owner.Repo)
		}
	}
	return names
}

// owners are all whom a want names.
func (w *Want) owners() []Owner { return append([]Owner{w.Owner}, w.Others...) }

// misses reports whether a want names a repository that it may have, or an id
// that may be of one, and that is not in the list.
func (s *Source) misses(inst *installation, want *Want) bool {
	if want.Within.Repository == nil {
		return false
	}
	if s.mayHaveCome(inst, want) {
		return true
	}
	list, ok := s.listings.get(inst.key)
	if !ok || !list.mayBeOld() {
		return false
	}
	missed := func(o Owner) bool {
		named := o.Repo != "" && want.Within.Repository(o.Login, o.Repo)
		return (named || o.RepositoryID != 0) && !list.has(o)
	}
	return missed(want.Owner) || slices.ContainsFunc(want.Others, missed)
}
