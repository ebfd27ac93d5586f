package githubtest

import "slices"

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
