package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// Scope confines the tokens that are minted for a client. What is nil or zero
// confines nothing. Its functions may be called concurrently.
type Scope struct {
	Key         string // Scopes with the same Key confine the same
	App         func(name string) bool
	Account     func(login string, enterprise bool) bool
	Repository  func(owner, repo string) bool
	Names       []string          // OWNER/REPOSITORY of all that Repository reports true of; nil where there are patterns
	Permissions map[string]string // GitHub's names → the highest level; what is absent is not given
	ReadOnly    bool              // no permission above "read"
}

// Scope returns what confines the client's tokens, nil if nothing does. It must
// not be changed.
func (c *Client) Scope() *Scope {
	switch {
	case c == nil:
		return nil
	case c.scope != nil:
		return c.scope
	}
	return c.makeScope()
}

func (c *Client) makeScope() *Scope { return c.scopeWithin(c.ownScope(nil)) }

// ownScope is that of the client's own limits. Permissions are what it and the
// Scope of what is above it, nil for nothing, have in common.
func (c *Client) ownScope(above *Scope) *Scope {
	if !c.limitsSubjects() && c.Permissions == nil && c.Apps == nil && !c.ReadOnly {
		return nil
	}
	scope := &Scope{Key: c.scopeKey(), Permissions: c.Permissions, ReadOnly: c.ReadOnly}
	if above != nil && above.Permissions != nil {
		if scope.Permissions = above.Permissions; c.Permissions != nil {
			scope.Permissions = github.CommonPermissions(above.Permissions, c.Permissions)
		}
	}
	if c.Apps != nil {
		scope.App = func(name string) bool { return slices.Contains(c.Apps, name) }
	}
	if c.limitsSubjects() {
		scope.Account = func(login string, enterprise bool) bool {
			return c.grantsAccount(&github.Account{Login: login, Enterprise: enterprise})
		}
	}
	if c.Repositories != nil {
		scope.Repository = func(owner, repo string) bool {
			return c.grantsRepository(&github.Account{Login: owner, Repo: repo})
		}
		scope.Names = c.repositoryNames()
		if scope.Permissions == nil {
			scope.Permissions = defaultPermissions
		}
	}
	return scope
}

// Narrowing says to what the client's tokens are narrowed, in words; "" if to
// nothing.
func (c *Client) Narrowing() string {
	scope := c.Scope()
	if scope == nil {
		return ""
	}
	var parts []string
	for _, layer := range c.layers() {
		if layer.Repositories != nil {
			parts = append(parts, strings.TrimSpace("repositories "+strings.Join(texts(layer.Repositories), ", ")))
		}
	}
	if scope.Permissions != nil {
		var levels []string
		for _, name := range slices.Sorted(maps.Keys(scope.Permissions)) {
			levels = append(levels, name+" "+scope.Permissions[name])
		}
		parts = append(parts, "permissions "+strings.Join(levels, ", "))
	}
	if scope.ReadOnly {
		parts = append(parts, "reading only")
	}
	return strings.Join(parts, "; ")
}

// repositoryNames are the client's repositories, nil where some are patterns.
func (c *Client) repositoryNames() (names []string) {
	for _, g := range c.Repositories {
		name := strings.ToLower(string(g))
		owner, repo, _ := strings.Cut(name, "/")
		switch {
		case strings.Contains(name, "*"):
			return nil
		case c.grantsRepository(&github.Account{Login: owner, Repo: repo}): // Owners may say otherwise
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// scopeKey is the same for clients whose tokens may be shared.
func (c *Client) scopeKey() string {
	canonical := func(globs []rules.Glob) (list []string) {
		for _, g := range globs {
			list = append(list, strings.ToLower(string(g)))
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	text, err := json.Marshal([]any{
		canonical(c.Owners), canonical(c.Repositories), c.Permissions, c.ReadOnly,
		slices.Compact(slices.Sorted(slices.Values(c.Apps))),
	})
	if err != nil {
		panic("policy: strings do not marshal: " + err.Error())
	}
	return string(text)
}
