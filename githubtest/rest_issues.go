package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func issueRoutes() []route {
	return []route{
		get("/repos/{owner}/{repo}/issues", "issues=read", (*call).listIssues),
		post("/repos/{owner}/{repo}/issues", "issues=write", (*call).createIssue),
		get("/repos/{owner}/{repo}/issues/{issue_number}", "issues=read; pull_requests=read", (*call).getIssue),
		patch("/repos/{owner}/{repo}/issues/{issue_number}", "issues=write; pull_requests=write", (*call).updateIssue),
		get("/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues=read; pull_requests=read", (*call).listComments),
		post("/repos/{owner}/{repo}/issues/{issue_number}/comments", "issues=write; pull_requests=write", (*call).createComment),
		post("/repos/{owner}/{repo}/issues/{issue_number}/labels", "issues=write; pull_requests=write", (*call).addLabels),
		get("/repos/{owner}/{repo}/issues/comments/{comment_id}", "issues=read; pull_requests=read", (*call).getComment),
		get("/repos/{owner}/{repo}/labels", "issues=read; pull_requests=read", (*call).listLabels),
	}
}

func (c *call) listIssues() reply {
	query := c.r.URL.Query()
	var all []any
	for _, is := range slices.Backward(c.repo.issues) { // newest first
		if matchesState(is, query.Get("state")) && hasLabels(is, query.Get("labels")) {
			all = append(all, c.issueJSON(is))
		}
	}
	return c.page(all, c.repoPath("/issues"), nil)
}

func matchesState(is *issue, state string) bool {
	return state == "all" || is.state == state || state == "" && is.state == "open"
}

func hasLabels(is *issue, names string) bool {
	for name := range strings.SplitSeq(names, ",") {
		if name != "" && !slices.ContainsFunc(is.labels, func(l label) bool { return strings.EqualFold(l.name, name) }) {
			return false
		}
	}
	return true
}

func (c *call) getIssue() reply {
	is := c.repo.issue(c.number("issue_number"))
	if is == nil {
		return notFound()
	}
	return ok(c.issueJSON(is))
}

func (c *call) createIssue() reply {
	var body struct {
		Title  any      `json:"title"` // text or a number
		Body   string   `json:"body"`
		Labels []string `json:"labels"`
	}
	if !c.decode(&body) {
		return problem(400, "Problems parsing JSON")
	}
	if body.Title == nil || body.Title == "" {
		return invalid("Issue", "title", "missing_field")
	}
	is := c.s.addIssue(c.repo, c.actor(), fmt.Sprint(body.Title), body.Body)
	is.labels = labelsNamed(body.Labels)
	j := c.issueJSON(is)
	return created(j).with("Location", j["url"].(string))
}

func (c *call) updateIssue() reply {
	is := c.repo.issue(c.number("issue_number"))
	if is == nil {
		return notFound()
	}
	var body struct {
		Title  *string  `json:"title"`
		Body   *string  `json:"body"`
		State  string   `json:"state"`
		Labels []string `json:"labels"`
	}
	if !c.decode(&body) {
		return problem(400, "Problems parsing JSON")
	}
	if body.Title != nil {
		is.title = *body.Title
	}
	if body.Body != nil {
		is.body = *body.Body
	}
	if body.Labels != nil {
		is.labels = labelsNamed(body.Labels)
	}
	switch body.State {
	case "open", "closed":
		c.s.setState(is, body.State)
	case "":
		is.updated = c.s.clock().UTC().Truncate(time.Second)
	default:
		return invalid("Issue", "state", "invalid")
	}
	return ok(c.issueJSON(is))
}

// addLabels takes the names alone, too:
// https://docs.github.com/en/rest/issues/labels#add-labels-to-an-issue
func (c *call) addLabels() reply {
	is := c.repo.issue(c.number("issue_number"))
	if is == nil {
		return notFound()
	}
	var body struct{ Labels []string }
	if !c.decode(&body.Labels) && !c.decode(&body) {
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	for _, l := range labelsNamed(body.Labels) {
		if !hasLabels(is, l.name) {
			is.labels = append(is.labels, l)
		}
	}
	return ok(c.labelsJSON(is))
}

func (c *call) listComments() reply {
	is := c.repo.issue(c.number("issue_number"))
	if is == nil {
		return notFound()
	}
	var all []any
	for _, cm := range is.comments {
		all = append(all, c.commentJSON(is, cm))
	}
	return c.page(all, c.repoPath(fmt.Sprintf("/issues/%d/comments", is.number)), nil)
}

func (c *call) createComment() reply {
	is := c.repo.issue(c.number("issue_number"))
	if is == nil {
		return notFound()
	}
	var body struct {
		Body string `json:"body"`
	}
	if !c.decode(&body) || body.Body == "" {
		return invalid("IssueComment", "body", "missing_field")
	}
	return created(c.commentJSON(is, c.s.addComment(is, c.actor(), body.Body)))
}

func (c *call) getComment() reply {
	for _, is := range c.repo.issues {
		for _, cm := range is.comments {
			if cm.id == c.number("comment_id") {
				return ok(c.commentJSON(is, cm))
			}
		}
	}
	return notFound()
}

func (c *call) listLabels() reply {
	var all []any
	for _, l := range labels {
		all = append(all, c.labelJSON(c.repo, l))
	}
	return c.page(all, c.repoPath("/labels"), nil)
}

// issuePage is the page of an issue or pull request on the web.
func (c *call) issuePage(is *issue) string {
	kind := "issues"
	if is.pull != nil {
		kind = "pull"
	}
	return fmt.Sprintf("%s/%s/%s/%d", c.in.web, is.repo.fullName(), kind, is.number)
}

func (c *call) issueJSON(is *issue) obj {
	url := fmt.Sprintf("%s/issues/%d", c.repoURL(is.repo), is.number)
	j := obj{
		"id": is.id, "node_id": nodeID("I", is.repo.id, is.id), "number": is.number,
		"url": url, "repository_url": c.repoURL(is.repo), "labels_url": url + "/labels{/name}",
		"comments_url": url + "/comments", "events_url": url + "/events", "timeline_url": url + "/timeline",
		"html_url": c.issuePage(is), "title": is.title, "body": is.body, "state": is.state,
		"state_reason": nil, "user": c.accountJSON(is.author), "labels": c.labelsJSON(is),
		"assignee": nil, "assignees": []any{}, "milestone": nil, "locked": false, "active_lock_reason": nil,
		"comments": len(is.comments), "created_at": is.created, "updated_at": is.updated,
		"closed_at": timeOrNull(is.closed), "closed_by": nil,
		"author_association": "NONE", "performed_via_github_app": nil, "reactions": reactions(url),
	}
	if is.state == "closed" {
		j["state_reason"] = "completed"
		j["closed_by"] = c.accountJSON(is.author)
	}
	if is.pull != nil {
		api := fmt.Sprintf("%s/pulls/%d", c.repoURL(is.repo), is.number)
		j["node_id"] = nodeID("PR", is.repo.id, is.pull.id)
		j["draft"] = is.pull.draft
		j["pull_request"] = obj{
			"url": api, "html_url": c.issuePage(is), "diff_url": c.issuePage(is) + ".diff",
			"patch_url": c.issuePage(is) + ".patch", "merged_at": nil,
		}
	}
	return j
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

func reactions(url string) obj {
	return obj{
		"url": url + "/reactions", "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
		"confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
	}
}

func (c *call) labelsJSON(is *issue) []any {
	out := []any{}
	for _, l := range is.labels {
		out = append(out, c.labelJSON(is.repo, l))
	}
	return out
}

func (c *call) labelJSON(r *repository, l label) obj {
	return obj{
		"id": l.id, "node_id": nodeID("LA", r.id, l.id), "url": c.repoURL(r) + "/labels/" + l.name,
		"name": l.name, "color": l.color, "default": true, "description": "",
	}
}

func (c *call) commentJSON(is *issue, cm *comment) obj {
	url := fmt.Sprintf("%s/issues/comments/%d", c.repoURL(is.repo), cm.id)
	return obj{
		"id": cm.id, "node_id": nodeID("IC", is.repo.id, cm.id), "url": url,
		"html_url":  fmt.Sprintf("%s#issuecomment-%d", c.issuePage(is), cm.id),
		"issue_url": fmt.Sprintf("%s/issues/%d", c.repoURL(is.repo), is.number),
		"body":      cm.body, "user": c.accountJSON(cm.author), "created_at": cm.created, "updated_at": cm.created,
		"author_association": "NONE", "performed_via_github_app": nil, "reactions": reactions(url),
	}
}
