package githubtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func pullRoutes() []route {
	return []route{
		get("/repos/{owner}/{repo}/pulls", "pull_requests=read", (*call).listPulls),
		post("/repos/{owner}/{repo}/pulls", "pull_requests=write", (*call).createPull),
		get("/repos/{owner}/{repo}/pulls/{pull_number}", "pull_requests=read", (*call).getPull),
		get("/repos/{owner}/{repo}/pulls/{pull_number}/commits", "pull_requests=read", (*call).listPullCommits),
	}
}

func (c *call) listPulls() reply {
	var all []any
	for _, is := range slices.Backward(c.repo.issues) {
		if is.pull != nil && matchesState(is, c.r.URL.Query().Get("state")) {
			all = append(all, c.simplePullJSON(is))
		}
	}
	return c.page(all, c.repoPath("/pulls"), nil)
}

func (c *call) createPull() reply {
	var body struct {
		Title string `json:"title"`
		Body  string `json:"body"`
		Head  string `json:"head"`
		Base  string `json:"base"`
		Draft bool   `json:"draft"`
	}
	if !c.decode(&body) || body.Title == "" {
		return invalid("PullRequest", "title", "missing_field")
	}
	_, head, found := strings.Cut(body.Head, ":") // owner:branch
	if !found {
		head = body.Head
	}
	if c.s.resolve(c.repo.dir, "refs/heads/"+head) == "" {
		return invalid("PullRequest", "head", "invalid")
	}
	if c.s.resolve(c.repo.dir, "refs/heads/"+body.Base) == "" {
		return invalid("PullRequest", "base", "invalid")
	}
	is := c.s.openPull(c.repo, c.actor(), body.Title, body.Body, head, body.Base)
	is.pull.draft = body.Draft
	return created(c.pullJSON(is))
}

// pull returns the pull request of the path.
func (c *call) pull() *issue {
	is := c.repo.issue(c.number("pull_number"))
	if is == nil || is.pull == nil {
		return nil
	}
	return is
}

func (c *call) getPull() reply {
	is := c.pull()
	if is == nil {
		return notFound()
	}
	// https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types
	if strings.Contains(c.r.Header.Get("Accept"), "diff") {
		diff, err := c.s.git(is.repo.dir, "", "diff", is.pull.base+"..."+is.pull.head)
		if err != nil {
			return problem(500, "Server Error")
		}
		return reply{status: 200, value: diff}.with("Content-Type", "application/vnd.github.v3.diff; charset=utf-8")
	}
	return ok(c.pullJSON(is))
}

// openPull is addPull, and remembers where the base was.
func (s *Server) openPull(r *repository, author *Account, title, body, head, base string) *issue {
	is := s.addPull(r, author, title, body, head, base)
	is.pull.fork = s.resolve(r.dir, "refs/heads/"+base)
	return is
}

// pullCommits are the ids of the commits of a pull request, newest first, and
// also where its base has them by now.
func (s *Server) pullCommits(is *issue) []string {
	from := is.pull.fork
	if from == "" {
		from = "refs/heads/" + is.pull.base
	}
	out, err := s.git(is.repo.dir, "", "rev-list", from+"..refs/heads/"+is.pull.head)
	if err != nil {
		return nil // the branch is gone
	}
	return strings.Fields(out)
}

func (c *call) listPullCommits() reply {
	is := c.pull()
	if is == nil {
		return notFound()
	}
	var all []any
	for _, sha := range slices.Backward(c.s.pullCommits(is)) {
		all = append(all, c.commits(sha, "", 1)...)
	}
	return c.page(all, c.repoPath(fmt.Sprintf("/pulls/%d/commits", is.number)), nil)
}

func (c *call) simplePullJSON(is *issue) obj {
	api := fmt.Sprintf("%s/pulls/%d", c.repoURL(is.repo), is.number)
	page := c.issuePage(is)
	head := c.branchJSON(is.repo, is.pull.head)
	issueURL := fmt.Sprintf("%s/issues/%d", c.repoURL(is.repo), is.number)
	statuses := fmt.Sprintf("%s/statuses/%s", c.repoURL(is.repo), head["sha"])
	urls := obj{
		"self": api, "html": page, "issue": issueURL, "comments": issueURL + "/comments",
		"review_comments": api + "/comments", "review_comment": c.repoURL(is.repo) + "/pulls/comments{/number}",
		"commits": api + "/commits", "statuses": statuses,
	}
	links := obj{}
	for name, u := range urls {
		links[name] = obj{"href": u}
	}
	return obj{
		"id": is.pull.id, "node_id": nodeID("PR", is.repo.id, is.pull.id), "number": is.number,
		"url": api, "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch",
		"issue_url": issueURL, "commits_url": urls["commits"], "comments_url": urls["comments"],
		"review_comments_url": urls["review_comments"], "review_comment_url": urls["review_comment"],
		"statuses_url": statuses, "_links": links,
		"title": is.title, "body": is.body, "state": is.state, "locked": false, "active_lock_reason": nil,
		"user": c.accountJSON(is.author), "labels": c.labelsJSON(is), "milestone": nil,
		"assignee": nil, "assignees": []any{}, "requested_reviewers": []any{}, "requested_teams": []any{},
		"head": head, "base": c.branchJSON(is.repo, is.pull.base),
		"created_at": is.created, "updated_at": is.updated, "closed_at": timeOrNull(is.closed), "merged_at": nil,
		"merge_commit_sha": nil, "draft": is.pull.draft, "author_association": "NONE", "auto_merge": nil,
	}
}

// branchJSON is the head or the base of a pull request.
func (c *call) branchJSON(r *repository, branch string) obj {
	return obj{
		"label": r.owner.Login + ":" + branch, "ref": branch,
		"sha":  c.s.resolve(r.dir, "refs/heads/"+branch),
		"user": c.accountJSON(r.owner), "repo": c.repoJSON(r),
	}
}

func (c *call) pullJSON(is *issue) obj {
	j := c.simplePullJSON(is)
	maps.Copy(j, obj{
		"merged": false, "mergeable": true, "rebaseable": true, "mergeable_state": "clean", "merged_by": nil,
		"comments": len(is.comments), "review_comments": 0, "maintainer_can_modify": false,
		"commits": 1, "additions": 1, "deletions": 0, "changed_files": 1,
	})
	return j
}
