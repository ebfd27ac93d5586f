package githubtest

import (
	"fmt"
	"maps"
)

func accountRoutes() []route {
	return []route{
		get("/user", "", (*call).notAccessible).as(asUser),
		get("/users/{username}", "", (*call).getUser),
		get("/users/{username}/repos", "metadata=read", (*call).listUserRepos),
		get("/orgs/{org}", "", (*call).getOrg),
		get("/orgs/{org}/repos", "metadata=read", (*call).listOrgRepos),
	}
}

// notAccessible is never called: the role asUser refuses before.
func (c *call) notAccessible() reply { return problem(403, msgNotAccessible) }

func (c *call) getUser() reply {
	a := c.s.world.account(c.param("username"))
	if a == nil || a.Type == TypeEnterprise {
		return notFound()
	}
	j := c.userJSON(a)
	maps.Copy(j, c.profile(a))
	maps.Copy(j, obj{"public_gists": 0, "hireable": nil, "bio": nil})
	return ok(j)
}

func (c *call) getOrg() reply {
	a := c.s.world.account(c.param("org"))
	if a == nil || a.Type != TypeOrganization {
		return notFound()
	}
	url := c.in.api + "/orgs/" + a.Login
	j := c.profile(a)
	maps.Copy(j, obj{
		"login": a.Login, "id": a.ID, "node_id": accountNodeID(a), "url": url,
		"repos_url": url + "/repos", "events_url": url + "/events", "hooks_url": url + "/hooks",
		"issues_url": url + "/issues", "members_url": url + "/members{/member}",
		"public_members_url": url + "/public_members{/member}", "avatar_url": c.avatar(a),
		"description": "", "html_url": c.in.web + "/" + a.Login, "type": "Organization",
		"is_verified": false, "has_organization_projects": true, "has_repository_projects": true,
		"public_gists": 0, "archived_at": nil,
	})
	return ok(j)
}

// profile is what users and organizations say about themselves.
func (c *call) profile(a *Account) obj {
	public := 0
	for _, r := range c.s.world.reposOf(a) {
		if !r.private {
			public++
		}
	}
	return obj{
		"name": a.Login, "company": "", "blog": "", "location": "", "email": "", "twitter_username": nil,
		"public_repos": public, "followers": 0, "following": 0,
		"created_at": c.s.world.epoch, "updated_at": c.s.world.epoch,
	}
}

func (c *call) listOrgRepos() reply {
	return c.listReposOf(c.param("org"), TypeOrganization, "/organizations/%d/repos")
}

func (c *call) listUserRepos() reply {
	return c.listReposOf(c.param("username"), TypeUser, "/user/%d/repos")
}

// listReposOf links to further pages by the account's id, as GitHub does.
func (c *call) listReposOf(login string, kind AccountType, path string) reply {
	a := c.s.world.account(login)
	if a == nil || kind == TypeOrganization && a.Type != kind {
		return notFound()
	}
	var all []any
	for _, r := range c.s.world.reposOf(a) {
		if c.access.canSee(r) {
			all = append(all, c.repoJSON(r))
		}
	}
	return c.page(all, fmt.Sprintf(path, a.ID), nil)
}

// accountJSON is a "simple user", or a short enterprise.
func (c *call) accountJSON(a *Account) any {
	if a == nil {
		return nil
	}
	if a.Type == TypeEnterprise {
		return obj{
			"id": a.ID, "slug": a.Login, "name": a.Login, "node_id": nodeID("E", a.ID),
			"html_url": c.in.web + "/enterprises/" + a.Login, "avatar_url": c.avatar(a),
			"created_at": c.s.world.epoch, "updated_at": c.s.world.epoch,
		}
	}
	return c.userJSON(a)
}

func (c *call) avatar(a *Account) string {
	return fmt.Sprintf("%s/u/%d?v=4", c.in.avatars, a.ID)
}

// accountNodeID is the node id of the account.
func accountNodeID(a *Account) string {
	return nodeID(map[AccountType]string{TypeUser: "U", TypeOrganization: "O", TypeEnterprise: "E"}[a.Type], a.ID)
}

func (c *call) userJSON(a *Account) obj {
	u := c.in.api + "/users/" + a.Login
	return obj{
		"login":               a.Login,
		"id":                  a.ID,
		"node_id":             accountNodeID(a),
		"avatar_url":          c.avatar(a),
		"gravatar_id":         "",
		"url":                 u,
		"html_url":            c.in.web + "/" + a.Login,
		"followers_url":       u + "/followers",
		"following_url":       u + "/following{/other_user}",
		"gists_url":           u + "/gists{/gist_id}",
		"starred_url":         u + "/starred{/owner}{/repo}",
		"subscriptions_url":   u + "/subscriptions",
		"organizations_url":   u + "/orgs",
		"repos_url":           u + "/repos",
		"events_url":          u + "/events{/privacy}",
		"received_events_url": u + "/received_events",
		"type":                string(a.Type),
		"user_view_type":      "public",
		"site_admin":          false,
	}
}
