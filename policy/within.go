package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// Within returns the client within further limits: it may do what c and each of the
// others may, and no more. Of these only what they grant counts, not who they are
// or their Limits, and their Grant is named where they refuse. None of them is
// changed.
//
// A request that names nobody is about c's default owner, if that is granted still;
// else about the only account that is left.
func (c *Client) Within(limits ...*Client) *Client {
	narrowed := *c
	narrowed.scope = nil
	narrowed.within = make([]*Client, 0, len(c.within)+len(limits))
	for _, limit := range slices.Concat(c.within, limits) {
		if !limit.limited() {
			continue // or it would forbid what is for clients without limits
		}
		one := *limit
		one.Name, one.within, one.scope = c.Name, nil, nil
		if one.Mutations == nil {
			one.Mutations = c.Mutations // that GitHub added later, too
		}
		narrowed.within = append(narrowed.within, &one)
	}
	if !narrowed.Grants(c.DefaultOwner) {
		narrowed.DefaultOwner = narrowed.OnlyOwner()
	}
	for _, one := range narrowed.within {
		one.DefaultOwner = narrowed.DefaultOwner
	}
	narrowed.scope = narrowed.makeScope()
	return &narrowed
}

// layers are the limits that must all grant a request; none for nil.
func (c *Client) layers() []*Client {
	if c == nil {
		return nil
	}
	return append([]*Client{c}, c.within...)
}

// anyWithin reports whether one of the limits within which the client is has a property.
func (c *Client) anyWithin(has func(*Client) bool) bool {
	return c != nil && slices.ContainsFunc(c.within, has)
}

// firstWithin is the first denial of the limits within which the client is.
func (c *Client) firstWithin(decide func(*Client) *Denial) *Denial {
	if c == nil {
		return nil
	}
	for _, limit := range c.within {
		if denial := decide(limit); denial != nil {
			return denial
		}
	}
	return nil
}

// OnlyOwner is the login of all that the client is granted, "" if that is nobody
// or several.
func (c *Client) OnlyOwner() string {
	for _, layer := range c.layers() {
		if login := layer.onlyOwner(); login != "" && c.Grants(login) {
			return login
		}
	}
	return ""
}

func (c *Client) onlyOwner() string {
	var logins []string
	for _, g := range slices.Concat(c.Owners, c.Repositories) {
		owner, _, _ := strings.Cut(string(g), "/") // "enterprises", of an enterprise, is nobody's login
		logins = append(logins, strings.ToLower(owner))
	}
	if logins = slices.Compact(logins); len(logins) != 1 || !github.IsLogin(logins[0]) {
		return ""
	}
	return logins[0]
}

// scopeWithin confines a scope of c to that of the limits within which c is.
func (c *Client) scopeWithin(scope *Scope) *Scope {
	for _, limit := range c.within {
		scope = scope.and(limit.ownScope(scope))
	}
	if scope == nil || len(c.within) == 0 {
		return scope
	}
	if scope.Names != nil {
		scope.Names = slices.DeleteFunc(slices.Clone(scope.Names), func(name string) bool {
			owner, repo, _ := strings.Cut(name, "/")
			return !scope.Repository(owner, repo)
		})
	}
	return scope
}

// and is what two Scopes have in common, but for the Names, which are those of one
// of them. Permissions of more are those of both already.
func (s *Scope) and(more *Scope) *Scope {
	switch {
	case s == nil:
		return more
	case more == nil:
		return s
	}
	both := &Scope{Key: keyOf(s.Key, more.Key), Names: s.Names, Permissions: more.Permissions, ReadOnly: s.ReadOnly || more.ReadOnly}
	if both.Names == nil {
		both.Names = more.Names
	}
	both.App = andApp(s.App, more.App)
	both.Account = andAccount(s.Account, more.Account)
	both.Repository = andRepository(s, more)
	return both
}

func keyOf(keys ...string) string {
	text, err := json.Marshal(keys)
	if err != nil {
		panic("policy: strings do not marshal: " + err.Error())
	}
	return string(text)
}

func andApp(a, b func(string) bool) func(string) bool {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(name string) bool { return a(name) && b(name) }
}

func andAccount(a, b func(string, bool) bool) func(string, bool) bool {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(login string, enterprise bool) bool { return a(login, enterprise) && b(login, enterprise) }
}

// andRepository is nil where neither limits repositories: then the account decides.
// Else what limits accounts alone limits their repositories.
func andRepository(a, b *Scope) func(owner, repo string) bool {
	if a.Repository == nil && b.Repository == nil {
		return nil
	}
	grants := func(s *Scope, owner, repo string) bool {
		switch {
		case s.Repository != nil:
			return s.Repository(owner, repo)
		case s.Account != nil:
			return s.Account(owner, false)
		}
		return true
	}
	return func(owner, repo string) bool { return grants(a, owner, repo) && grants(b, owner, repo) }
}
