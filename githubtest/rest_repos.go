package githubtest

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

func repoRoutes() []route {
	return []route{
		get("/repos/{owner}/{repo}", "metadata=read", (*call).getRepo),
		post("/repos/{owner}/{repo}/actions/runners/registration-token", "administration=write", (*call).repoRunnerToken),
		post("/orgs/{org}/actions/runners/registration-token", "organization_self_hosted_runners=write", (*call).orgRunnerToken),
	}
}

// repoRunnerToken hands out a credential: a proxy that lets this through has let
// its client out.
func (c *call) repoRunnerToken() reply {
	secret := "A" + Canary + randomText(22, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
	c.s.secret = append(c.s.secret, secret)
	return created(obj{"token": secret, "expires_at": c.s.clock().Add(time.Hour).UTC().Truncate(time.Second)})
}

func (c *call) orgRunnerToken() reply {
	in := c.s.world.installations[c.access.token.installation]
	switch {
	case !strings.EqualFold(in.account.Login, c.param("org")):
		return notFound()
	case !c.access.allows(nil, c.route.accepts):
		return problem(http.StatusForbidden, msgNotAccessible).
			with("X-Accepted-GitHub-Permissions", c.route.accepts)
	}
	return c.repoRunnerToken()
}

func (c *call) getRepo() reply { return ok(c.fullRepoJSON(c.repo)) }

// repoLinks are the URLs of a repository below its own: suffix of the key → path.
var repoLinks = map[string]string{
	"archive_url":       "/{archive_format}{/ref}",
	"assignees_url":     "/assignees{/user}",
	"blobs_url":         "/git/blobs{/sha}",
	"branches_url":      "/branches{/branch}",
	"collaborators_url": "/collaborators{/collaborator}",
	"comments_url":      "/comments{/number}",
	"commits_url":       "/commits{/sha}",
	"compare_url":       "/compare/{base}...{head}",
	"contents_url":      "/contents/{+path}",
	"contributors_url":  "/contributors",
	"deployments_url":   "/deployments",
	"downloads_url":     "/downloads",
	"events_url":        "/events",
	"forks_url":         "/forks",
	"git_commits_url":   "/git/commits{/sha}",
	"git_refs_url":      "/git/refs{/sha}",
	"git_tags_url":      "/git/tags{/sha}",
	"hooks_url":         "/hooks",
	"issue_comment_url": "/issues/comments{/number}",
	"issue_events_url":  "/issues/events{/number}",
	"issues_url":        "/issues{/number}",
	"keys_url":          "/keys{/key_id}",
	"labels_url":        "/labels{/name}",
	"languages_url":     "/languages",
	"merges_url":        "/merges",
	"milestones_url":    "/milestones{/number}",
	"notifications_url": "/notifications{?since,all,participating}",
	"pulls_url":         "/pulls{/number}",
	"releases_url":      "/releases{/id}",
	"stargazers_url":    "/stargazers",
	"statuses_url":      "/statuses/{sha}",
	"subscribers_url":   "/subscribers",
	"subscription_url":  "/subscription",
	"tags_url":          "/tags",
	"teams_url":         "/teams",
	"trees_url":         "/git/trees{/sha}",
}

func (c *call) repoURL(r *repository) string { return c.in.api + "/repos/" + r.fullName() }

// repoJSON is a repository as in lists.
func (c *call) repoJSON(r *repository) obj {
	api, web := c.repoURL(r), c.in.web+"/"+r.fullName()
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	open := 0
	for _, is := range r.issues {
		if is.state == "open" {
			open++
		}
	}
	j := obj{
		"id": r.id, "node_id": nodeID("R", r.id), "name": r.name, "full_name": r.fullName(),
		"private": r.private, "visibility": visibility, "owner": c.accountJSON(r.owner),
		"html_url": web, "url": api, "description": r.description, "fork": false, "homepage": nil,
		"git_url": "git" + web[len("https"):] + ".git", "clone_url": web + ".git", "svn_url": web,
		"ssh_url": "git@" + c.in.host + ":" + r.fullName() + ".git", "mirror_url": nil,
		"created_at": r.created, "updated_at": r.updated, "pushed_at": r.updated,
		"size": 1, "language": nil, "license": nil, "topics": []string{}, "default_branch": defaultBranch,
		"has_issues": true, "has_projects": false, "has_downloads": true, "has_wiki": false,
		"has_pages": false, "has_discussions": false, "has_pull_requests": true,
		"archived": false, "disabled": false, "allow_forking": true, "is_template": false,
		"web_commit_signoff_required": false, "pull_request_creation_policy": "all",
		"stargazers_count": 0, "watchers_count": 0, "watchers": 0, "forks_count": 0, "forks": 0,
		"open_issues_count": open, "open_issues": open,
		"permissions": c.repoPermissions(r),
	}
	for key, path := range repoLinks {
		j[key] = api + path
	}
	return j
}

// repoPermissions is what the token may do, in the words of roles.
func (c *call) repoPermissions(r *repository) obj {
	return obj{
		"admin": false, "maintain": false, "triage": false, "pull": true,
		"push": c.access.allows(r, "contents=write"),
	}
}

// fullRepoJSON is a repository as one asks for it alone.
func (c *call) fullRepoJSON(r *repository) obj {
	j := maps.Clone(c.repoJSON(r))
	maps.Copy(j, obj{
		"network_count": 0, "subscribers_count": 0, "temp_clone_token": nil,
		"allow_squash_merge": true, "allow_merge_commit": true, "allow_rebase_merge": true,
		"allow_auto_merge": false, "delete_branch_on_merge": false, "allow_update_branch": false,
		"custom_properties": obj{},
	})
	if r.private && c.s.opts.TempCloneTokens {
		secret := Canary + randomText(23, alphanumeric)
		c.s.secret = append(c.s.secret, secret)
		j["temp_clone_token"] = secret
	}
	if r.owner.Type == TypeOrganization {
		j["organization"] = c.accountJSON(r.owner)
	}
	return j
}
