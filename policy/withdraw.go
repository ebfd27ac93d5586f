package policy

import (
	"reflect"
	"slices"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// Withdraws reports whether something that was granted before is not any more,
// or cannot be told to be. Patterns are compared by their text. Who the client
// is, its default owner and its Limits do not matter.
func (c *Client) Withdraws(before *Client) bool {
	switch {
	case withdrawn(before.Owners, c.Owners, globText), withdrawn(before.Repositories, c.Repositories, globText),
		withdrawn(before.Apps, c.Apps, asIs), withdrawn(before.Hosts, c.Hosts, asIs),
		withdrawn(before.Allow, c.Allow, Operation.String), withdrawn(before.Mutations, c.Mutations, asIs),
		added(before.Deny, c.Deny, Operation.String), added(before.DenyPush, c.DenyPush, RefPattern.String),
		withdrawn(before.Push, c.Push, RefPattern.String),
		c.LimitsRefs() && (!before.LimitsRefs() || added(c.DeleteRefs, before.DeleteRefs, RefPattern.String)),
		withdrawsPermissions(before.Permissions, c.Permissions),
		c.ReadOnly && !before.ReadOnly, before.JWT && !c.JWT, c.graphQL() < before.graphQL():
		return true
	}
	// What is not compared above, because it is newer, was withdrawn if it changed.
	return !reflect.DeepEqual(c.rest(), before.rest())
}

// graphQL is what the client may do by GraphQL, spelt out.
func (c *Client) graphQL() GraphQLAccess {
	switch {
	case c.GraphQL != GraphQLUnset:
		return c.GraphQL
	case c.ReadOnly:
		return GraphQLRead
	}
	return GraphQLWrite
}

// rest is the client without what Withdraws compares or leaves out.
func (c *Client) rest() Client {
	rest := *c
	rest.Name, rest.Secret, rest.Networks, rest.Listen, rest.UIDs, rest.NoGrants = "", SecretHash{}, nil, "", nil, false
	rest.Owners, rest.Repositories, rest.DefaultOwner = nil, nil, ""
	rest.Permissions, rest.ReadOnly, rest.Apps, rest.Hosts, rest.JWT = nil, false, nil, nil, false
	rest.Allow, rest.Deny, rest.GraphQL, rest.Mutations = nil, nil, GraphQLUnset, nil
	rest.Push, rest.DenyPush, rest.DeleteRefs, rest.Limits, rest.scope = nil, nil, nil, Limits{}, nil
	return rest
}

// withdrawn reports whether a list of what is granted, nil for everything, has
// lost something.
func withdrawn[T any](before, now []T, text func(T) string) bool {
	return now != nil && (before == nil || added(now, before, text))
}

// added reports whether more has something that list has not.
func added[T any](list, more []T, text func(T) string) bool {
	return slices.ContainsFunc(more, func(m T) bool {
		return !slices.ContainsFunc(list, func(l T) bool { return text(l) == text(m) })
	})
}

func asIs(s string) string { return s }

func globText(g rules.Glob) string { return strings.ToLower(string(g)) }

func withdrawsPermissions(before, now map[string]string) bool {
	if now == nil {
		return false
	}
	for name, level := range before {
		if github.LevelRank(now[name]) < github.LevelRank(level) {
			return true
		}
	}
	return before == nil
}
