package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// actionsRoutes are those that read workflow runs and what they have left.
func actionsRoutes() []route {
	const repo, read = "/repos/{owner}/{repo}", "actions=read"
	return []route{
		get(repo+"/actions/workflows", read, (*call).listWorkflows),
		get(repo+"/actions/workflows/{workflow_id}", read, (*call).getWorkflow),
		get(repo+"/actions/runs", read, (*call).listRuns),
		get(repo+"/actions/runs/{run_id}", read, (*call).getRun),
		get(repo+"/actions/runs/{run_id}/jobs", read, (*call).listJobs),
		get(repo+"/actions/runs/{run_id}/logs", read, (*call).getLogs),
		get(repo+"/actions/runs/{run_id}/artifacts", read, (*call).listRunArtifacts),
		get(repo+"/actions/artifacts", read, (*call).listArtifacts),
		get(repo+"/actions/artifacts/{artifact_id}", read, (*call).getArtifact),
		get(repo+"/actions/artifacts/{artifact_id}/{archive_format}", read, (*call).getArchive),
		get(repo+"/check-runs/{check_run_id}/annotations", "checks=read", (*call).listAnnotations),
	}
}

// counted wraps a page of a list as Actions does.
func counted(key string, total int) func([]any) any {
	return func(items []any) any { return obj{"total_count": total, key: items} }
}

// runs are the repository's, newest first.
func (r *repository) runs() []*workflowRun {
	var all []*workflowRun
	for _, wf := range r.workflows {
		all = append(all, wf.runs...)
	}
	slices.SortFunc(all, func(a, b *workflowRun) int { return int(b.id - a.id) })
	return all
}

// run returns the run of the path.
func (c *call) run() *workflowRun {
	for _, run := range c.repo.runs() {
		if run.id == c.number("run_id") {
			return run
		}
	}
	return nil
}

func (c *call) listWorkflows() reply {
	var all []any
	for _, wf := range c.repo.workflows {
		all = append(all, c.workflowJSON(wf))
	}
	return c.page(all, c.repoPath("/actions/workflows"), counted("workflows", len(all)))
}

func (c *call) getWorkflow() reply {
	for _, wf := range c.repo.workflows {
		if wf.id == c.number("workflow_id") {
			return ok(c.workflowJSON(wf))
		}
	}
	return notFound()
}

func (c *call) listRuns() reply {
	var all []any
	for _, run := range c.repo.runs() {
		all = append(all, c.runJSON(run))
	}
	return c.page(all, c.repoPath("/actions/runs"), counted("workflow_runs", len(all)))
}

func (c *call) getRun() reply {
	run := c.run()
	if run == nil {
		return notFound()
	}
	return ok(c.runJSON(run))
}

func (c *call) listJobs() reply {
	run := c.run()
	if run == nil {
		return notFound()
	}
	return c.page([]any{c.jobJSON(run)}, c.repoPath(fmt.Sprintf("/actions/runs/%d/jobs", run.id)), counted("jobs", 1))
}

// getLogs leads to the archive:
// https://docs.github.com/en/rest/actions/workflow-runs#download-workflow-run-logs
func (c *call) getLogs() reply {
	run := c.run()
	if run == nil {
		return notFound()
	}
	return reply{status: http.StatusFound}.with("Location", c.s.signArchive(run.logs, "logs"))
}

// artifactsOf lists the artifacts of the runs, those of one name if one is asked for.
func (c *call) artifactsOf(runs []*workflowRun, path string) reply {
	name := c.r.URL.Query().Get("name")
	var all []any
	for _, run := range runs {
		for _, a := range run.artifacts {
			if name == "" || name == a.name {
				all = append(all, c.artifactJSON(a))
			}
		}
	}
	return c.page(all, c.repoPath(path), counted("artifacts", len(all)))
}

func (c *call) listRunArtifacts() reply {
	run := c.run()
	if run == nil {
		return notFound()
	}
	return c.artifactsOf([]*workflowRun{run}, fmt.Sprintf("/actions/runs/%d/artifacts", run.id))
}

func (c *call) listArtifacts() reply { return c.artifactsOf(c.repo.runs(), "/actions/artifacts") }

// artifact returns the artifact of the path.
func (c *call) artifact() *artifact {
	for _, run := range c.repo.runs() {
		for _, a := range run.artifacts {
			if a.id == c.number("artifact_id") {
				return a
			}
		}
	}
	return nil
}

func (c *call) getArtifact() reply {
	a := c.artifact()
	if a == nil {
		return notFound()
	}
	return ok(c.artifactJSON(a))
}

// getArchive leads to the archive, also where anybody may read the repository
// only for those who are somebody:
// https://docs.github.com/en/rest/actions/artifacts#download-an-artifact
func (c *call) getArchive() reply {
	a := c.artifact()
	switch {
	case c.access.token == nil:
		return requiresAuthentication()
	case a == nil || c.param("archive_format") != "zip":
		return notFound()
	}
	return reply{status: http.StatusFound}.with("Location", c.s.signArchive(a.oid, a.name))
}

func (c *call) listAnnotations() reply {
	for _, run := range c.repo.runs() {
		if run.job == c.number("check_run_id") {
			return ok([]any{})
		}
	}
	return notFound()
}

func (c *call) workflowJSON(wf *workflow) obj {
	web := c.in.web + "/" + c.repo.fullName()
	return obj{
		"id": wf.id, "node_id": nodeID("W", c.repo.id, wf.id), "name": wf.name, "path": wf.path, "state": "active",
		"url": fmt.Sprintf("%s/actions/workflows/%d", c.repoURL(c.repo), wf.id), "html_url": web + "/blob/" + defaultBranch + "/" + wf.path,
		"badge_url": web + "/workflows/" + wf.name + "/badge.svg", "created_at": c.repo.created, "updated_at": c.repo.created,
	}
}

func (c *call) runJSON(run *workflowRun) obj {
	api := fmt.Sprintf("%s/actions/runs/%d", c.repoURL(c.repo), run.id)
	sha := c.s.resolve(c.repo.dir, "refs/heads/"+run.branch)
	j := obj{
		"id": run.id, "node_id": nodeID("WFR", c.repo.id, run.id), "name": run.workflow.name, "path": run.workflow.path,
		"display_title": run.workflow.name, "run_number": run.number, "run_attempt": 1, "event": run.event,
		"status": "completed", "conclusion": "success", "head_branch": run.branch, "head_sha": sha, "head_commit": nil,
		"workflow_id": run.workflow.id, "workflow_url": fmt.Sprintf("%s/actions/workflows/%d", c.repoURL(c.repo), run.workflow.id),
		"check_suite_id": run.id, "check_suite_node_id": nodeID("CS", c.repo.id, run.id),
		"check_suite_url": fmt.Sprintf("%s/check-suites/%d", c.repoURL(c.repo), run.id),
		"url":             api, "html_url": c.runPage(run), "jobs_url": api + "/jobs", "logs_url": api + "/logs",
		"artifacts_url": api + "/artifacts", "cancel_url": api + "/cancel", "rerun_url": api + "/rerun", "previous_attempt_url": nil,
		"actor": c.accountJSON(run.actor), "triggering_actor": c.accountJSON(run.actor), "pull_requests": []any{},
		"repository": c.repoJSON(c.repo), "head_repository": c.repoJSON(c.repo), "referenced_workflows": []any{},
		"created_at": run.created, "updated_at": run.created, "run_started_at": run.created,
	}
	if commits := c.commits(sha, "", 1); len(commits) > 0 {
		commit := commits[0].(obj)["commit"].(obj)
		who := commit["author"].(obj)
		j["head_commit"] = obj{
			"id": sha, "tree_id": commit["tree"].(obj)["sha"], "message": commit["message"], "timestamp": who["date"],
			"author": obj{"name": who["name"], "email": who["email"]}, "committer": obj{"name": who["name"], "email": who["email"]},
		}
	}
	return j
}

func (c *call) runPage(run *workflowRun) string {
	return fmt.Sprintf("%s/%s/actions/runs/%d", c.in.web, c.repo.fullName(), run.id)
}

func (c *call) jobJSON(run *workflowRun) obj {
	api := c.repoURL(c.repo)
	return obj{
		"id": run.job, "node_id": nodeID("CR", c.repo.id, run.job), "run_id": run.id, "run_attempt": 1,
		"run_url": fmt.Sprintf("%s/actions/runs/%d", api, run.id), "workflow_name": run.workflow.name,
		"head_sha": c.s.resolve(c.repo.dir, "refs/heads/"+run.branch), "head_branch": run.branch, "name": "build",
		"url": fmt.Sprintf("%s/actions/jobs/%d", api, run.job), "html_url": fmt.Sprintf("%s/job/%d", c.runPage(run), run.job),
		"check_run_url": fmt.Sprintf("%s/check-runs/%d", api, run.job), "status": "completed", "conclusion": "success",
		"created_at": run.created, "started_at": run.created, "completed_at": run.created,
		"steps": []any{obj{
			"name": "Build", "status": "completed", "conclusion": "success", "number": 1,
			"started_at": run.created, "completed_at": run.created,
		}},
		"labels": []any{"ubuntu-latest"}, "runner_id": 1, "runner_name": "GitHub Actions 1",
		"runner_group_id": 0, "runner_group_name": "GitHub Actions",
	}
}

func (c *call) artifactJSON(a *artifact) obj {
	api := fmt.Sprintf("%s/actions/artifacts/%d", c.repoURL(c.repo), a.id)
	return obj{
		"id": a.id, "node_id": nodeID("A", c.repo.id, a.id), "name": a.name, "size_in_bytes": a.size,
		"url": api, "archive_download_url": api + "/zip", "expired": false, "digest": "sha256:" + a.oid,
		"created_at": a.run.created, "updated_at": a.run.created, "expires_at": a.run.created.Add(90 * 24 * time.Hour),
		"workflow_run": obj{
			"id": a.run.id, "repository_id": c.repo.id, "head_repository_id": c.repo.id,
			"head_branch": a.run.branch, "head_sha": c.s.resolve(c.repo.dir, "refs/heads/"+a.run.branch),
		},
	}
}
