package githubtest

import (
	"slices"
	"strings"
)

// gqlObject is Repository.object, of which the fake has commits:
// https://docs.github.com/en/graphql/reference/objects#commit
func (c *call) gqlObject(g *gql, r *repository, args obj) any {
	name := text(args["oid"])
	if name == "" {
		name = text(args["expression"])
	}
	sha := c.s.resolve(r.dir, name)
	if sha == "" {
		return nil
	}
	return obj{
		"__typename": "Commit", "oid": sha, "id": nodeID("C", r.id), "url": c.in.web + "/" + r.fullName() + "/commit/" + sha,
		"associatedPullRequests": field(func(args obj) any {
			if r.private && !c.access.allows(r, "pull_requests=read") {
				return g.fail("FORBIDDEN", msgNotAccessible)
			}
			var items []any
			for _, is := range r.issues {
				if is.pull != nil && slices.Contains(c.s.pullCommits(is), sha) {
					items = append(items, c.gqlIssue(g, is))
				}
			}
			return connection(items)(args)
		}),
	}
}

// gqlRefs lists refs, of tags also by the dates of their commits:
// https://docs.github.com/en/graphql/reference/objects#repository
func (c *call) gqlRefs(r *repository, args obj) any {
	prefix := text(args["refPrefix"])
	if !strings.HasPrefix(prefix, "refs/") {
		return none(args)
	}
	order, _ := args["orderBy"].(obj)
	key := "refname"
	if text(order["field"]) == "TAG_COMMIT_DATE" {
		key = "committerdate"
	}
	if text(order["direction"]) == "DESC" {
		key = "-" + key
	}
	out, err := c.s.git(r.dir, "", "for-each-ref", "--format=%(refname)", "--sort="+key, prefix)
	if err != nil {
		return none(args)
	}
	var items []any
	for _, name := range strings.Fields(out) {
		items = append(items, c.gqlRef(r, name))
	}
	return connection(items)(args)
}

// committed is the date of the commit.
func (c *call) committed(r *repository, sha string) any {
	out, err := c.s.git(r.dir, "", "show", "--no-patch", "--format=%cI", sha)
	if err != nil {
		return nil
	}
	return strings.TrimSpace(out)
}
