package githubtest

import "strings"

// gqlMutation is the root of mutations:
// https://docs.github.com/en/graphql/reference/mutations
func (c *call) gqlMutation(g *gql) obj {
	return obj{
		"__typename":        "Mutation",
		"createIssue":       c.onRepo(g, "issues=write", c.gqlCreateIssue),
		"createPullRequest": c.onRepo(g, "pull_requests=write", c.gqlCreatePull),
		"addComment": c.onIssue(g, "subjectId", func(is *issue, input obj) any {
			cm := c.gqlComment(g, is, c.s.addComment(is, c.actor(), text(input["body"])))
			return obj{"commentEdge": obj{"node": cm}, "subject": c.gqlIssue(g, is)}
		}),
		"updateIssue":       c.onIssue(g, "id", c.gqlUpdate(g, "")),
		"updatePullRequest": c.onIssue(g, "pullRequestId", c.gqlUpdate(g, "")),
		"closeIssue":        c.onIssue(g, "issueId", c.gqlUpdate(g, "closed")),
		"reopenIssue":       c.onIssue(g, "issueId", c.gqlUpdate(g, "open")),
		"closePullRequest":  c.onIssue(g, "pullRequestId", c.gqlUpdate(g, "closed")),
		"reopenPullRequest": c.onIssue(g, "pullRequestId", c.gqlUpdate(g, "open")),
	}
}

// onRepo is a mutation whose input has a repositoryId.
func (c *call) onRepo(g *gql, accepts string, f func(g *gql, r *repository, input obj) any) field {
	return func(args obj) any {
		input, _ := args["input"].(obj)
		v, _ := c.lookup(text(input["repositoryId"]))
		r, ok := v.(*repository)
		if !ok {
			return g.fail("NOT_FOUND", "Could not resolve to a node with the global id of '%s'", text(input["repositoryId"]))
		}
		if !c.access.allows(r, accepts) {
			return g.fail("FORBIDDEN", msgNotAccessible)
		}
		return f(g, r, input)
	}
}

// onIssue is a mutation whose input names an issue or pull request.
func (c *call) onIssue(g *gql, key string, f func(is *issue, input obj) any) field {
	return func(args obj) any {
		input, _ := args["input"].(obj)
		v, _ := c.lookup(text(input[key]))
		is, ok := v.(*issue)
		if !ok {
			return g.fail("NOT_FOUND", "Could not resolve to a node with the global id of '%s'", text(input[key]))
		}
		accepts := "issues=write"
		if is.pull != nil {
			accepts = "pull_requests=write"
		}
		if !c.access.allows(is.repo, accepts) {
			return g.fail("FORBIDDEN", msgNotAccessible)
		}
		return f(is, input)
	}
}

func (c *call) gqlCreateIssue(g *gql, r *repository, input obj) any {
	if text(input["title"]) == "" {
		return g.fail("UNPROCESSABLE", "Title can't be blank")
	}
	is := c.s.addIssue(r, c.actor(), text(input["title"]), text(input["body"]))
	return obj{"issue": c.gqlIssue(g, is)}
}

func (c *call) gqlCreatePull(g *gql, r *repository, input obj) any {
	_, head, found := strings.Cut(text(input["headRefName"]), ":")
	if !found {
		head = text(input["headRefName"])
	}
	if c.s.resolve(r.dir, "refs/heads/"+head) == "" {
		return g.fail("UNPROCESSABLE", "Head sha can't be blank, Base sha can't be blank, Head ref must be a branch")
	}
	is := c.s.openPull(r, c.actor(), text(input["title"]), text(input["body"]), head,
		strings.TrimPrefix(text(input["baseRefName"]), "refs/heads/"))
	is.pull.draft, _ = input["draft"].(bool)
	return obj{"pullRequest": c.gqlIssue(g, is)}
}

// gqlUpdate changes title, body and, if state is not empty, the state.
func (c *call) gqlUpdate(g *gql, state string) func(*issue, obj) any {
	return func(is *issue, input obj) any {
		if title := text(input["title"]); title != "" {
			is.title = title
		}
		if body, ok := input["body"].(string); ok {
			is.body = body
		}
		if state != "" {
			c.s.setState(is, state)
		}
		j := c.gqlIssue(g, is)
		return obj{"issue": j, "pullRequest": j}
	}
}
