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
	add := func(what string, items []string) {
		if items != nil {
			parts = append(parts, strings.TrimSpace(what+" "+strings.Join(items, ", ")))
		}
	}
	add("owners", texts(c.Owners))
	if narrowing := c.Narrowing(); narrowing != "" {
		parts = append(parts, narrowing)
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
	return cmp.Or(strings.Join(parts, "; "), "reads")
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
