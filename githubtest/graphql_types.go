package githubtest

import (
	"maps"
	"slices"
	"strings"
)

// none is an empty connection.
var none = connection(nil)

func (c *call) gqlAccount(g *gql, a *Account) obj {
	typename := string(a.Type)
	return obj{
		"__typename": typename, "id": accountNodeID(a), "databaseId": a.ID, "login": a.Login, "name": a.Login,
		"url": c.in.web + "/" + a.Login, "avatarUrl": c.avatar(a), "viewerCanCreateRepositories": false,
		"repositories": field(func(args obj) any {
			var items []any
			for _, r := range c.s.world.reposOf(a) {
				if c.access.canSee(r) {
					items = append(items, c.gqlRepo(g, r))
				}
			}
			return connection(items)(args)
		}),
		"repository": field(func(args obj) any { return g.repository(a.Login, text(args["name"])) }),
		"projects":   none, "projectsV2": none, "teams": none,
		"organizations": none,
	}
}

// gqlRepo is a Repository: https://docs.github.com/en/graphql/reference/objects#repository
func (c *call) gqlRepo(g *gql, r *repository) obj {
	visibility, permission := "PUBLIC", "READ"
	if r.private {
		visibility = "PRIVATE"
	}
	if c.access.allows(r, "contents=write") {
		permission = "WRITE"
	}
	web := c.in.web + "/" + r.fullName()
	j := obj{
		"__typename": "Repository", "id": nodeID("R", r.id), "databaseId": r.id,
		"name": r.name, "nameWithOwner": r.fullName(), "description": r.description,
		"url": web, "sshUrl": "git@" + c.in.host + ":" + r.fullName() + ".git", "homepageUrl": "", "mirrorUrl": nil,
		"visibility": visibility, "isPrivate": r.private, "viewerPermission": permission,
		"viewerCanAdminister": false, "viewerHasStarred": false, "viewerSubscription": "UNSUBSCRIBED",
		"viewerDefaultCommitEmail": "", "viewerDefaultMergeMethod": "MERGE", "viewerPossibleCommitEmails": []any{},
		"isFork": false, "isArchived": false, "isDisabled": false, "isEmpty": false, "isLocked": false,
		"isMirror": false, "isTemplate": false, "isInOrganization": r.owner.Type == TypeOrganization,
		"isSecurityPolicyEnabled": false, "isUserConfigurationRepository": false, "isBlankIssuesEnabled": true,
		"hasIssuesEnabled": true, "hasProjectsEnabled": true, "hasWikiEnabled": false, "hasDiscussionsEnabled": false,
		"mergeCommitAllowed": true, "squashMergeAllowed": true, "rebaseMergeAllowed": true,
		"autoMergeAllowed": false, "deleteBranchOnMerge": false, "securityPolicyUrl": "", "tempCloneToken": nil,
		"createdAt": r.created, "updatedAt": r.updated, "pushedAt": r.updated, "archivedAt": nil, "diskUsage": 1,
		"forkCount": 0, "stargazerCount": 0, "parent": nil, "templateRepository": nil, "primaryLanguage": nil,
		"licenseInfo": nil, "codeOfConduct": nil, "usesCustomOpenGraphImage": false, "openGraphImageUrl": c.avatar(r.owner),
		"issueTemplates": []any{}, "pullRequestTemplates": []any{}, "contactLinks": []any{}, "fundingLinks": []any{},
	}
	maps.Copy(j, c.gqlRepoFields(g, r))
	return j
}

// gqlRepoFields are the fields of a Repository that lead on.
func (c *call) gqlRepoFields(g *gql, r *repository) obj {
	find := func(pulls, issues bool) field {
		return func(args obj) any {
			is := r.issue(int64(integer(args["number"])))
			if is == nil || is.pull != nil && !pulls || is.pull == nil && !issues {
				return g.fail("NOT_FOUND", "Could not resolve to an issue or pull request with the number of %d.", integer(args["number"]))
			}
			return c.gqlIssue(g, is)
		}
	}
	return obj{
		"owner":              field(func(obj) any { return c.gqlAccount(g, r.owner) }),
		"defaultBranchRef":   field(func(obj) any { return c.gqlRef(r, "refs/heads/"+defaultBranch) }),
		"refs":               field(func(args obj) any { return c.gqlRefs(r, args) }),
		"ref":                field(func(args obj) any { return c.gqlRef(r, text(args["qualifiedName"])) }),
		"issue":              find(false, true),
		"pullRequest":        find(true, false),
		"issueOrPullRequest": find(true, true),
		"object":             field(func(args obj) any { return c.gqlObject(g, r, args) }),
		"issues":             field(func(args obj) any { return c.gqlIssues(g, r, args, false) }),
		"pullRequests":       field(func(args obj) any { return c.gqlIssues(g, r, args, true) }),
		"labels": field(func(args obj) any {
			var items []any
			for _, l := range labels {
				items = append(items, c.gqlLabel(r, l))
			}
			return connection(items)(args)
		}),
		"releases": field(func(args obj) any {
			var items []any
			for _, rel := range slices.Backward(r.releases) {
				items = append(items, c.gqlRelease(rel))
			}
			return connection(items)(args)
		}),
		"release": field(func(args obj) any {
			for _, rel := range r.releases {
				if rel.tag == text(args["tagName"]) {
					return c.gqlRelease(rel)
				}
			}
			return nil
		}),
		"latestRelease": field(func(obj) any {
			if len(r.releases) == 0 {
				return nil
			}
			return c.gqlRelease(r.releases[len(r.releases)-1])
		}),
		"milestones": none, "projects": none, "projectsV2": none, "assignableUsers": none, "mentionableUsers": none,
		"languages": none, "repositoryTopics": none, "watchers": none, "stargazers": none, "forks": none,
	}
}

func (c *call) gqlRef(r *repository, name string) any {
	sha := c.s.resolve(r.dir, name)
	if sha == "" {
		return nil
	}
	short := strings.TrimPrefix(strings.TrimPrefix(name, "refs/heads/"), "refs/tags/")
	return obj{
		"__typename": "Ref", "name": short, "prefix": strings.TrimSuffix(name, short), "id": nodeID("REF", r.id),
		"target": obj{
			"__typename": "Commit", "oid": sha, "id": nodeID("C", r.id),
			"committedDate": field(func(obj) any { return c.committed(r, sha) }),
		},
		"branchProtectionRule": nil,
	}
}

func (c *call) gqlRelease(rel *release) obj {
	return obj{
		"__typename": "Release", "id": nodeID("RE", rel.repo.id, rel.id), "databaseId": rel.id, "name": rel.name,
		"tagName": rel.tag, "isDraft": rel.draft, "isPrerelease": rel.prerelease, "isLatest": true,
		"description": rel.body, "createdAt": rel.created, "publishedAt": rel.created, "url": c.releasePage(rel),
	}
}

// gqlIssues lists the issues or the pull requests of a repository.
func (c *call) gqlIssues(g *gql, r *repository, args obj, pulls bool) any {
	permission := "issues=read"
	if pulls {
		permission = "pull_requests=read"
	}
	if r.private && !c.access.allows(r, permission) {
		return g.fail("FORBIDDEN", msgNotAccessible)
	}
	states := texts(args["states"])
	heads := texts(args["headRefName"])
	var items []any
	for _, is := range slices.Backward(r.issues) {
		if (is.pull != nil) != pulls || len(states) > 0 && !slices.Contains(states, strings.ToUpper(is.state)) {
			continue
		}
		if len(heads) > 0 && !slices.Contains(heads, is.pull.head) {
			continue
		}
		items = append(items, c.gqlIssue(g, is))
	}
	return connection(items)(args)
}

func (c *call) gqlLabel(r *repository, l label) obj {
	return obj{
		"__typename": "Label", "id": nodeID("LA", r.id, l.id), "name": l.name, "color": l.color,
		"description": "", "isDefault": true, "createdAt": r.created, "url": c.in.web + "/" + r.fullName() + "/labels/" + l.name,
	}
}

// gqlIssue is an Issue or a PullRequest:
// https://docs.github.com/en/graphql/reference/objects#issue
func (c *call) gqlIssue(g *gql, is *issue) obj {
	var labels, comments []any
	for _, l := range is.labels {
		labels = append(labels, c.gqlLabel(is.repo, l))
	}
	for _, cm := range is.comments {
		comments = append(comments, c.gqlComment(g, is, cm))
	}
	j := obj{
		"__typename": "Issue", "id": nodeID("I", is.repo.id, is.id), "databaseId": is.id, "number": is.number,
		"title": is.title, "body": is.body, "bodyText": is.body, "state": strings.ToUpper(is.state), "stateReason": nil,
		"url": c.issuePage(is), "createdAt": is.created, "updatedAt": is.updated, "closedAt": timeOrNull(is.closed),
		"closed": is.state == "closed", "locked": false, "isPinned": false, "milestone": nil, "reactionGroups": []any{},
		"authorAssociation": "NONE", "author": field(func(obj) any { return c.gqlAccount(g, is.author) }),
		"labels": connection(labels), "comments": connection(comments), "assignees": none, "participants": none,
		"projectCards": none, "projectItems": none, "timelineItems": none,
		"repository": field(func(obj) any { return c.gqlRepo(g, is.repo) }),
	}
	if is.pull != nil {
		maps.Copy(j, c.gqlPull(g, is))
	}
	return j
}

// gqlPull is what a PullRequest has besides.
func (c *call) gqlPull(g *gql, is *issue) obj {
	head := c.s.resolve(is.repo.dir, "refs/heads/"+is.pull.head)
	commit := obj{
		"__typename": "Commit", "oid": head, "statusCheckRollup": nil, "messageHeadline": is.title, "messageBody": "",
		"committedDate": is.created, "authoredDate": is.created, "authors": none, "id": nodeID("C", is.repo.id),
	}
	return obj{
		"__typename": "PullRequest", "id": nodeID("PR", is.repo.id, is.pull.id), "databaseId": is.pull.id,
		"headRefName": is.pull.head, "headRefOid": head, "baseRefName": is.pull.base,
		"baseRefOid":          c.s.resolve(is.repo.dir, "refs/heads/"+is.pull.base),
		"headRepository":      field(func(obj) any { return c.gqlRepo(g, is.repo) }),
		"baseRepository":      field(func(obj) any { return c.gqlRepo(g, is.repo) }),
		"headRepositoryOwner": field(func(obj) any { return c.gqlAccount(g, is.repo.owner) }),
		"isCrossRepository":   false, "isDraft": is.pull.draft, "maintainerCanModify": false,
		"mergeable": "MERGEABLE", "mergeStateStatus": "CLEAN", "merged": false, "mergedAt": nil, "mergedBy": nil,
		"mergeCommit": nil, "potentialMergeCommit": nil, "autoMergeRequest": nil, "reviewDecision": "",
		"additions": 1, "deletions": 0, "changedFiles": 1, "files": none, "reviews": none, "latestReviews": none,
		"reviewRequests": none, "reviewThreads": none, "closingIssuesReferences": none, "statusCheckRollup": nil,
		"commits": connection([]any{obj{"__typename": "PullRequestCommit", "commit": commit}}),
	}
}

func (c *call) gqlComment(g *gql, is *issue, cm *comment) obj {
	return obj{
		"__typename": "IssueComment", "id": nodeID("IC", is.repo.id, cm.id), "databaseId": cm.id, "body": cm.body,
		"createdAt": cm.created, "updatedAt": cm.created, "authorAssociation": "NONE", "includesCreatedEdit": false,
		"isMinimized": false, "minimizedReason": "", "viewerDidAuthor": false, "reactionGroups": []any{},
		"author": field(func(obj) any { return c.gqlAccount(g, cm.author) }),
		"url":    c.commentJSON(is, cm)["html_url"],
	}
}
