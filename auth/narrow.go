package auth

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// Narrowing restricts a token to some of its installation's repositories and
// permissions. It is immutable; nil narrows nothing.
type Narrowing struct {
	repositories []string // in lower case; this and ids are sorted
	ids          []int64
	permissions  map[string]string
	body         []byte // canonical, so that it also tells narrowings apart
	key          string // the body, or its hash where that is shorter
}

// NewNarrowing returns a narrowing to repositories, by bare name or by id, and
// permissions (GitHub's names → "read", "write" or "admin"). What is nil is not
// narrowed. It fails if nothing would be narrowed, or if a list is empty rather
// than nil: that would be a token for everything where one for nothing was meant;
// and on what GitHub does not take for a name, an id or a level.
func NewNarrowing(repositories []string, ids []int64, permissions map[string]string) (*Narrowing, error) {
	if repositories == nil && ids == nil && permissions == nil {
		return nil, errors.New("nothing to narrow a token to")
	}
	if repositories != nil && len(repositories) == 0 || ids != nil && len(ids) == 0 || permissions != nil && len(permissions) == 0 {
		return nil, errors.New("a token narrowed to an empty list would not be narrowed at all")
	}
	if err := checkNarrowing(repositories, ids, permissions); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(repositories))
	for _, name := range repositories {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(names)+len(ids) > maxRepositories {
		return nil, fmt.Errorf("a token can be narrowed to %d repositories, not %d", maxRepositories, len(names)+len(ids))
	}
	n := &Narrowing{repositories: names, ids: ids, permissions: maps.Clone(permissions)}
	var err error
	n.body, err = json.Marshal(struct {
		Permissions   map[string]string `json:"permissions,omitempty"` // marshalled in order
		Repositories  []string          `json:"repositories,omitempty"`
		RepositoryIDs []int64           `json:"repository_ids,omitempty"`
	}{permissions, names, ids})
	if err != nil {
		return nil, fmt.Errorf("narrow a token: %w", err)
	}
	n.key = string(n.body)
	if sum := sha256.Sum256(n.body); len(n.body) > 2*len(sum) {
		n.key = string(sum[:])
	}
	return n, nil
}

// ParseNarrowing reads what String returns; "" is nil.
func ParseNarrowing(text string) (*Narrowing, error) {
	if text == "" {
		return nil, nil
	}
	var n struct {
		Permissions   map[string]string `json:"permissions"`
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return nil, fmt.Errorf("read a narrowing: %w", err)
	}
	return NewNarrowing(n.Repositories, n.RepositoryIDs, n.Permissions)
}

// permissionName is the form of the names that docs.github.com lists in
// "Permissions required for GitHub Apps".
var permissionName = regexp.MustCompile(`^[a-z][a-z_]{0,99}$`)

// checkNarrowing looks at names, ids and levels: clients choose them as well.
func checkNarrowing(repositories []string, ids []int64, permissions map[string]string) error {
	for _, name := range repositories {
		if !github.IsRepositoryName(name) {
			return fmt.Errorf("%q is not the name of a repository, which stands without its owner", clean(name))
		}
	}
	for _, id := range ids {
		if id <= 0 {
			return fmt.Errorf("%d is not the id of a repository", id)
		}
	}
	if len(permissions) > maxPermissions {
		return fmt.Errorf("a token can be narrowed to %d permissions, not %d", maxPermissions, len(permissions))
	}
	for name, level := range permissions {
		switch {
		case !permissionName.MatchString(name):
			return fmt.Errorf("%q is not the name of a permission", clean(name))
		case !slices.Contains(levels, level):
			return fmt.Errorf("the level of the permission %s is %q, and must be read, write or admin", name, clean(level))
		}
	}
	return nil
}

// And returns the narrowing to what both n and other allow; nil allows
// everything. It fails if that is nothing. A repository that one of them names
// and the other knows by its id is not known to be the same, and left out.
func (n *Narrowing) And(other *Narrowing) (*Narrowing, error) {
	switch {
	case n == nil:
		return other, nil
	case other == nil:
		return n, nil
	}
	repositories, ids, permissions := n.repositories, n.ids, n.permissions
	switch {
	case !n.byRepository():
		repositories, ids = other.repositories, other.ids
	case other.byRepository():
		repositories, ids = common(n.repositories, other.repositories), common(n.ids, other.ids)
		if len(repositories)+len(ids) == 0 {
			return nil, n.nothingLeft("repository", other)
		}
	}
	switch {
	case n.permissions == nil:
		permissions = other.permissions
	case other.permissions != nil:
		if permissions = commonPermissions(n.permissions, other.permissions); len(permissions) == 0 {
			return nil, n.nothingLeft("permission", other)
		}
	}
	return NewNarrowing(orNil(repositories), orNil(ids), permissions)
}

func (n *Narrowing) byRepository() bool { return len(n.repositories)+len(n.ids) > 0 }

func (n *Narrowing) nothingLeft(what string, other *Narrowing) error {
	return fmt.Errorf("no %s is left of a token narrowed to %s and to %s", what, clean(n.String()), clean(other.String()))
}

// common returns what is in both lists.
func common[T comparable](a, b []T) (both []T) {
	for _, v := range a {
		if slices.Contains(b, v) {
			both = append(both, v)
		}
	}
	return both
}

// orNil is the list as NewNarrowing takes it: nil is what is not narrowed.
func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// knownPermissions are the permissions whose name and level are such as GitHub's
// documentation has: others could not be asked for.
func knownPermissions(permissions map[string]string) map[string]string {
	permissions = maps.Clone(permissions)
	maps.DeleteFunc(permissions, func(name, level string) bool {
		return !permissionName.MatchString(name) || !slices.Contains(levels, level)
	})
	return permissions
}

// commonPermissions returns what both allow, of each permission the lower level.
func commonPermissions(a, b map[string]string) map[string]string {
	both := make(map[string]string)
	for name, level := range a {
		if theirs, ok := b[name]; ok {
			both[name] = levels[min(slices.Index(levels, level), slices.Index(levels, theirs))]
		}
	}
	return both
}

// permissionsOrNil are those that n limits a token to, nil if it does not.
func (n *Narrowing) permissionsOrNil() map[string]string {
	if n == nil {
		return nil
	}
	return n.permissions
}

// repositoriesOrNil are those that n limits a token to, by name and by id; both
// nil if it does not.
func (n *Narrowing) repositoriesOrNil() (names []string, ids []int64) {
	if n == nil {
		return nil, nil
	}
	return orNil(n.repositories), orNil(n.ids)
}

// repository is one of an installation's.
type repository struct {
	id          int64
	login, name string
}

// covers reports whether n leaves a repository of its installation in.
func (n *Narrowing) covers(r repository) bool {
	if n == nil || !n.byRepository() {
		return true
	}
	return slices.Contains(n.repositories, strings.ToLower(r.name)) || slices.Contains(n.ids, r.id)
}

// allows reports whether a grant is for no repository that is not asked for, as
// far as GitHub says. A name could lead to what has another name now.
func (n *Narrowing) allows(g *Grant) bool {
	return n == nil || !slices.ContainsFunc(g.Repositories, func(r GrantedRepository) bool {
		return !n.covers(repository{id: r.ID, name: r.Name})
	})
}

// String returns the narrowing as GitHub is told it, "" for nil.
func (n *Narrowing) String() string {
	if n == nil {
		return ""
	}
	return string(n.body)
}

// metadataOnly is what a token needs to list its repositories, or to name one.
var metadataOnly = mustNarrow(map[string]string{"metadata": "read"})

func mustNarrow(permissions map[string]string) *Narrowing {
	n, err := NewNarrowing(nil, nil, permissions)
	if err != nil {
		panic(err)
	}
	return n
}
