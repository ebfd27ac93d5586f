package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxRepositories is how many repositories a token may be narrowed to:
// docs.github.com "Create an installation access token for an app".
const maxRepositories = 500

// Narrowing restricts a token to some of its installation's repositories and
// permissions. It is immutable; nil narrows nothing.
type Narrowing struct {
	body []byte // canonical, so that it also tells narrowings apart
}

// NewNarrowing returns a narrowing to repositories, by bare name or by id, and
// permissions (GitHub's names → "read", "write" or "admin"). What is nil is not
// narrowed. It fails if nothing would be narrowed, or if a list is empty rather
// than nil: that would be a token for everything where one for nothing was meant.
func NewNarrowing(repositories []string, ids []int64, permissions map[string]string) (*Narrowing, error) {
	if repositories == nil && ids == nil && permissions == nil {
		return nil, errors.New("nothing to narrow a token to")
	}
	if repositories != nil && len(repositories) == 0 || ids != nil && len(ids) == 0 || permissions != nil && len(permissions) == 0 {
		return nil, errors.New("a token narrowed to an empty list would not be narrowed at all")
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
	body, err := json.Marshal(struct {
		Permissions   map[string]string `json:"permissions,omitempty"` // marshalled in order
		Repositories  []string          `json:"repositories,omitempty"`
		RepositoryIDs []int64           `json:"repository_ids,omitempty"`
	}{permissions, names, ids})
	if err != nil {
		return nil, fmt.Errorf("narrow a token: %w", err)
	}
	return &Narrowing{body}, nil
}

// String returns the narrowing as GitHub is told it, "" for nil.
func (n *Narrowing) String() string {
	if n == nil {
		return ""
	}
	return string(n.body)
}
