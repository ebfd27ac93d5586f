package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

func cursor(n int) string { return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "cursor:%d", n)) }

// position is the inverse of cursor, 0 for anything else.
func position(cursor string) int {
	b, _ := base64.StdEncoding.DecodeString(cursor)
	var n int
	_, _ = fmt.Sscanf(string(b), "cursor:%d", &n)
	return n
}

// gqlQuery is the root of queries:
// https://docs.github.com/en/graphql/reference/queries
func (c *call) gqlQuery(g *gql) obj {
	w := &c.s.world
	account := func(kind AccountType, what string) field {
		return func(args obj) any {
			a := w.account(text(args["login"]))
			if a == nil || kind != "" && a.Type != kind {
				return g.fail("NOT_FOUND", "Could not resolve to %s with the login of '%s'.", what, text(args["login"]))
			}
			return c.gqlAccount(g, a)
		}
	}
	return obj{
		"__typename":      "Query",
		"__type":          field(func(args obj) any { return c.gqlType(g, text(args["name"])) }),
		"viewer":          field(func(obj) any { return c.gqlAccount(g, c.actor()) }),
		"rateLimit":       field(func(obj) any { return c.gqlRateLimit() }),
		"user":            account(TypeUser, "a User"),
		"organization":    account(TypeOrganization, "an Organization"),
		"repositoryOwner": account("", "a RepositoryOwner"),
		"repository":      field(func(args obj) any { return g.repository(text(args["owner"]), text(args["name"])) }),
		"search":          field(func(args obj) any { return c.gqlSearch(g, args) }),
		"node":            field(func(args obj) any { return g.node(text(args["id"])) }),
		"nodes": field(func(args obj) any {
			out := []any{}
			for _, id := range texts(args["ids"]) {
				out = append(out, g.node(id))
			}
			return out
		}),
		"resource": field(func(args obj) any { return g.resource(text(args["url"])) }),
	}
}

// gqlType is the little introspection that gh's feature detection needs.
func (c *call) gqlType(g *gql, name string) any {
	r := &repository{owner: &Account{}}
	is := &issue{repo: r, author: &Account{}}
	switch name {
	case "Repository":
		return typeFields(name, c.gqlRepo(g, r))
	case "Issue":
		return typeFields(name, c.gqlIssue(g, is))
	case "PullRequest":
		is.pull = &pull{}
		return typeFields(name, c.gqlIssue(g, is))
	}
	return nil
}

func (c *call) gqlRateLimit() obj {
	q := c.s.quota(c.access.token.quotaKey())
	return obj{
		"__typename": "RateLimit", "limit": q.limit, "cost": 1, "remaining": q.limit - q.used,
		"used": q.used, "nodeCount": 1, "resetAt": q.reset.UTC(),
	}
}

// repository follows renames, as GitHub's GraphQL does.
func (g *gql) repository(owner, name string) any {
	w := &g.c.s.world
	r := w.repo(owner, name)
	if r == nil {
		r = w.renamed(owner, name)
	}
	if r == nil || !g.c.access.canSee(r) {
		return g.fail("NOT_FOUND", "Could not resolve to a Repository with the name '%s/%s'.", owner, name)
	}
	return g.c.gqlRepo(g, r)
}

// resource takes the URL of a repository, issue or pull request on the web.
func (g *gql) resource(link string) any {
	u, err := url.Parse(link)
	if err != nil {
		return g.fail("NOT_FOUND", "Could not resolve to a resource.")
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) < 2 {
		return nil
	}
	repo, _ := g.repository(parts[0], parts[1]).(obj)
	if repo == nil || len(parts) < 4 {
		return repo
	}
	var number int64
	_, _ = fmt.Sscan(parts[3], &number)
	return repo["issueOrPullRequest"].(field)(obj{"number": number})
}

// node finds what a node id names, as far as the credential can see it.
func (g *gql) node(id string) any {
	v, found := g.c.lookup(id)
	if !found {
		return g.fail("NOT_FOUND", "Could not resolve to a node with the global id of '%s'", id)
	}
	switch v := v.(type) {
	case *repository:
		return g.c.gqlRepo(g, v)
	case *issue:
		return g.c.gqlIssue(g, v)
	case *Account:
		return g.c.gqlAccount(g, v)
	}
	return nil
}

// lookup returns the *repository, *issue or *Account of a node id.
func (c *call) lookup(id string) (any, bool) {
	prefix, ids, ok := parseNodeID(id)
	if !ok || len(ids) == 0 {
		return nil, false
	}
	w := &c.s.world
	if prefix == "U" || prefix == "O" {
		a := w.accountByID(ids[0])
		return a, a != nil
	}
	r := w.repos[ids[0]]
	if r == nil || !c.access.canSee(r) {
		return nil, false
	}
	if prefix == "R" {
		return r, true
	}
	for _, is := range r.issues {
		if len(ids) == 2 && (is.pull == nil && prefix == "I" && is.id == ids[1] ||
			is.pull != nil && prefix == "PR" && is.pull.id == ids[1]) {
			return is, true
		}
	}
	return nil, false
}

func (c *call) gqlSearch(g *gql, args obj) any {
	s := parseSearch(text(args["query"]))
	var items []any
	issues, repos := 0, 0
	if kind := text(args["type"]); kind == "REPOSITORY" {
		for _, r := range c.visibleRepos() {
			if s.coversRepo(r) && s.coversText(r.name+" "+r.description) {
				items = append(items, c.gqlRepo(g, r))
			}
		}
		repos = len(items)
	} else {
		for _, is := range c.findIssues(s) {
			items = append(items, c.gqlIssue(g, is))
		}
		issues = len(items)
	}
	page := connection(items)(args).(obj)
	page["issueCount"], page["repositoryCount"] = issues, repos
	return page
}
