package policy

import (
	"cmp"
	"fmt"
	"strings"
)

// Summary says in a few words what the client may do, for people.
func (c *Client) Summary() string {
	if !c.Limited() {
		return "everything"
	}
	var parts []string
	for _, layer := range c.layers() {
		if layer.Owners != nil {
			parts = append(parts, listed("owners", texts(layer.Owners)))
		}
	}
	if narrowing := c.Narrowing(); narrowing != "" {
		parts = append(parts, narrowing)
	}
	for _, layer := range c.layers() {
		parts = append(parts, layer.ownSummary()...)
	}
	return cmp.Or(strings.Join(parts, "; "), "reads")
}

func listed(what string, items []string) string {
	return strings.TrimSpace(what + " " + strings.Join(items, ", "))
}

// ownSummary is about what the Scope does not say.
func (c *Client) ownSummary() (parts []string) {
	add := func(what string, items []string) {
		if items != nil {
			parts = append(parts, listed(what, items))
		}
	}
	add("Apps", c.Apps)
	add("hosts", c.Hosts)
	add("only", texts(c.Allow))
	add("not", texts(c.Deny))
	switch {
	case c.GraphQL == GraphQLDeny:
		add("no GraphQL", []string{})
	case c.GraphQL == GraphQLRead:
		add("GraphQL queries", []string{})
	}
	add("mutations", c.Mutations)
	add("pushes to", texts(c.Push))
	add("no pushes to", texts(c.DenyPush))
	add("deletes", texts(c.DeleteRefs))
	return parts
}

func texts[T any](list []T) []string {
	if list == nil {
		return nil
	}
	all := make([]string, len(list))
	for i := range list {
		all[i] = fmt.Sprint(list[i])
	}
	return all
}
