package github

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxNarrowed is how many repositories an installation token can be narrowed to:
// docs.github.com "Create an installation access token for an app".
const MaxNarrowed = 500

// MaxPermissions bounds the permissions of a token; GitHub has about a hundred.
const MaxPermissions = 500

// Narrowing restricts an installation token to some of its installation's
// repositories and permissions. It is immutable; nil narrows nothing.
type Narrowing struct {
	repositories []string // in lower case; this and ids are sorted; nil if there are none
	ids          []int64
	permissions  map[string]string
	body         string // canonical, so that it also tells narrowings apart
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
	n := &Narrowing{repositories: lowered(repositories), ids: unique(slices.Clone(ids)), permissions: maps.Clone(permissions)}
	if count := len(n.repositories) + len(n.ids); count > MaxNarrowed {
		return nil, fmt.Errorf("a token can be narrowed to %d repositories, not %d", MaxNarrowed, count)
	}
	body, err := json.Marshal(narrowingBody{n.permissions, n.repositories, n.ids})
	if err != nil {
		return nil, fmt.Errorf("narrow a token: %w", err)
	}
	n.body, n.key = string(body), string(body)
	if sum := sha256.Sum256(body); len(body) > 2*len(sum) {
		n.key = string(sum[:])
	}
	return n, nil
}

// narrowingBody is the form in which GitHub is told a narrowing: docs.github.com
// "Create an installation access token for an app".
type narrowingBody struct {
	Permissions   map[string]string `json:"permissions,omitempty"` // marshalled in order
	Repositories  []string          `json:"repositories,omitempty"`
	RepositoryIDs []int64           `json:"repository_ids,omitempty"`
}

// ParseNarrowing reads what String returns; "" is nil.
func ParseNarrowing(text string) (*Narrowing, error) {
	if text == "" {
		return nil, nil
	}
	var n narrowingBody
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return nil, fmt.Errorf("read a narrowing: %w", err)
	}
	return NewNarrowing(n.Repositories, n.RepositoryIDs, n.Permissions)
}

// checkNarrowing looks at names, ids and levels: clients choose them as well.
func checkNarrowing(repositories []string, ids []int64, permissions map[string]string) error {
	for _, name := range repositories {
		if !IsRepositoryName(name) {
			return fmt.Errorf("%q is not the name of a repository, which stands without its owner", Redact(name))
		}
	}
	for _, id := range ids {
		if id <= 0 {
			return fmt.Errorf("%d is not the id of a repository", id)
		}
	}
	if len(permissions) > MaxPermissions {
		return fmt.Errorf("a token can be narrowed to %d permissions, not %d", MaxPermissions, len(permissions))
	}
	for name, level := range permissions {
		switch {
		case !IsPermissionName(name):
			return fmt.Errorf("%q is not the name of a permission", Redact(name))
		case LevelRank(level) < 0:
			return fmt.Errorf("the level of the permission %s is %q, and must be read, write or admin", name, Redact(level))
		}
	}
	return nil
}

// lowered returns names in lower case, as unique does.
func lowered(names []string) []string {
	lower := slices.Clone(names)
	for i, name := range lower {
		lower[i] = strings.ToLower(name)
	}
	return unique(lower)
}

// unique sorts a list, and keeps one of each. It changes what it is given.
func unique[T string | int64](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
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
	case !n.ByRepository():
		repositories, ids = other.repositories, other.ids
	case other.ByRepository():
		repositories, ids = common(n.repositories, other.repositories), common(n.ids, other.ids)
		if len(repositories)+len(ids) == 0 {
			return nil, n.nothingLeft("repository", other)
		}
	}
	switch {
	case n.permissions == nil:
		permissions = other.permissions
	case other.permissions != nil:
		if permissions = CommonPermissions(n.permissions, other.permissions); len(permissions) == 0 {
			return nil, n.nothingLeft("permission", other)
		}
	}
	return NewNarrowing(repositories, ids, permissions)
}

func (n *Narrowing) nothingLeft(what string, other *Narrowing) error {
	return fmt.Errorf("no %s is left of a token narrowed to %s and to %s", what, Redact(n.body), Redact(other.body))
}

// common returns what is in both lists, nil if that is nothing.
func common[T comparable](a, b []T) (both []T) {
	for _, v := range a {
		if slices.Contains(b, v) {
			both = append(both, v)
		}
	}
	return both
}

// ByRepository reports whether n leaves only some repositories in.
func (n *Narrowing) ByRepository() bool { return n != nil && len(n.repositories)+len(n.ids) > 0 }

// Covers reports whether n leaves in the repository of its installation that has
// the name or the id; "" and 0 are of none.
func (n *Narrowing) Covers(name string, id int64) bool {
	return !n.ByRepository() || slices.Contains(n.repositories, strings.ToLower(name)) || slices.Contains(n.ids, id)
}

// Repositories returns the bare names that n narrows to, in lower case and in
// order, nil if there are none. They must not be changed.
func (n *Narrowing) Repositories() []string {
	if n == nil {
		return nil
	}
	return n.repositories
}

// RepositoryIDs returns the ids that n narrows to, in order, nil if there are none.
// They must not be changed.
func (n *Narrowing) RepositoryIDs() []int64 {
	if n == nil {
		return nil
	}
	return n.ids
}

// Permissions returns those that n narrows to, nil if it does not narrow them. They
// must not be changed.
func (n *Narrowing) Permissions() map[string]string {
	if n == nil {
		return nil
	}
	return n.permissions
}

// Key is short, and the same for narrowings to the same; "" for nil. It need not
// be text.
func (n *Narrowing) Key() string {
	if n == nil {
		return ""
	}
	return n.key
}

// String returns the narrowing as GitHub is told it, "" for nil.
func (n *Narrowing) String() string {
	if n == nil {
		return ""
	}
	return n.body
}
