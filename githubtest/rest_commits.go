package githubtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

func (c *call) listCommits() reply {
	query := c.r.URL.Query()
	ref := query.Get("sha")
	if ref == "" {
		ref = defaultBranch
	}
	return c.page(c.commits(ref, query.Get("path"), 1000), c.repoPath("/commits"), nil)
}

func (c *call) getCommit() reply {
	sha := c.s.resolve(c.repo.dir, c.param("ref"))
	if sha == "" {
		return problem(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.param("ref"))
	}
	// https://docs.github.com/en/rest/commits/commits#get-a-commit: the media type sha
	if strings.Contains(c.r.Header.Get("Accept"), "sha") {
		return reply{status: http.StatusOK, value: sha}.
			with("Content-Type", "application/vnd.github.sha; charset=utf-8")
	}
	j := c.commits(sha, "", 1)[0].(obj)
	files, additions, deletions := c.changedFiles(sha)
	j["files"] = files
	j["stats"] = obj{"additions": additions, "deletions": deletions, "total": additions + deletions}
	return ok(j)
}

// commits lists up to n commits reachable from ref that touch path, newest first.
func (c *call) commits(ref, path string, n int) []any {
	sha := c.s.resolve(c.repo.dir, ref)
	if sha == "" {
		return nil
	}
	args := []string{"log", "-z", "-n", strconv.Itoa(n), "--format=%H%n%T%n%P%n%an%n%ae%n%aI%n%B", sha, "--"}
	if path != "" {
		args = append(args, path)
	}
	out, err := c.s.git(c.repo.dir, "", args...)
	if err != nil {
		return nil
	}
	var all []any
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		f := strings.SplitN(entry, "\n", 7)
		if len(f) == 7 {
			all = append(all, c.commitJSON(f))
		}
	}
	return all
}

// commitJSON takes sha, tree, parents, name, mail, date and message.
func (c *call) commitJSON(f []string) obj {
	api, web := c.repoURL(c.repo), c.in.web+"/"+c.repo.fullName()
	parents := []any{}
	for _, p := range strings.Fields(f[2]) {
		parents = append(parents, obj{"sha": p, "url": api + "/commits/" + p, "html_url": web + "/commit/" + p})
	}
	who := obj{"name": f[3], "email": f[4], "date": f[5]}
	user := c.accountJSON(c.s.world.account("octocat"))
	return obj{
		"sha": f[0], "node_id": nodeID("C", c.repo.id), "url": api + "/commits/" + f[0],
		"html_url": web + "/commit/" + f[0], "comments_url": api + "/commits/" + f[0] + "/comments",
		"commit": obj{
			"url": api + "/git/commits/" + f[0], "author": who, "committer": who,
			"message": strings.TrimRight(f[6], "\n"), "comment_count": 0,
			"tree": obj{"sha": f[1], "url": api + "/git/trees/" + f[1]},
			"verification": obj{
				"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil,
			},
		},
		"author": user, "committer": user, "parents": parents,
	}
}

// changedFiles lists what the commit changed against its first parent.
func (c *call) changedFiles(sha string) (files []any, additions, deletions int) {
	files = []any{}
	out, err := c.s.git(c.repo.dir, "", "show", "--numstat", "--format=", "--first-parent", sha)
	if err != nil {
		return files, 0, 0
	}
	api, web := c.repoURL(c.repo), c.in.web+"/"+c.repo.fullName()
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSpace(line), "\t", 3)
		if len(f) < 3 {
			continue
		}
		add, _ := strconv.Atoi(f[0])
		remove, _ := strconv.Atoi(f[1])
		blob, _ := c.s.git(c.repo.dir, "", "rev-parse", sha+":"+f[2])
		files = append(files, obj{
			"sha": strings.TrimSpace(blob), "filename": f[2], "status": "modified",
			"additions": add, "deletions": remove, "changes": add + remove,
			"blob_url":     fmt.Sprintf("%s/blob/%s/%s", web, sha, f[2]),
			"raw_url":      fmt.Sprintf("%s/raw/%s/%s", web, sha, f[2]),
			"contents_url": fmt.Sprintf("%s/contents/%s?ref=%s", api, f[2], sha),
		})
		additions += add
		deletions += remove
	}
	return files, additions, deletions
}
