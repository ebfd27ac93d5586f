package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

func gitRoutes() []route {
	return []route{
		get("/repos/{owner}/{repo}/readme", "contents=read", (*call).getReadme),
		get("/repos/{owner}/{repo}/contents", "contents=read", (*call).getContents),
		get("/repos/{owner}/{repo}/contents/{path...}", "contents=read", (*call).getContents),
		get("/repos/{owner}/{repo}/branches", "contents=read", (*call).listBranches),
		get("/repos/{owner}/{repo}/branches/{branch...}", "contents=read", (*call).getBranch),
		get("/repos/{owner}/{repo}/commits", "contents=read", (*call).listCommits),
		get("/repos/{owner}/{repo}/commits/{ref...}", "contents=read", (*call).getCommit),
		get("/repos/{owner}/{repo}/tags", "metadata=read", (*call).listTags),
		get("/repos/{owner}/{repo}/git/ref/{ref...}", "contents=read", (*call).getRef),
		get("/repos/{owner}/{repo}/git/matching-refs/{ref...}", "contents=read", (*call).matchingRefs),
		// The form of before 2019, which Composer still asks for.
		get("/repos/{owner}/{repo}/git/refs/{ref...}", "contents=read", (*call).matchingRefs),
		post("/repos/{owner}/{repo}/git/refs", "contents=write", (*call).createRef),
		del("/repos/{owner}/{repo}/git/refs/{ref...}", "contents=write", (*call).deleteRef),
		get("/repos/{owner}/{repo}/tarball", "contents=read", (*call).archive),
		get("/repos/{owner}/{repo}/zipball", "contents=read", (*call).archive),
		get("/repos/{owner}/{repo}/tarball/{ref...}", "contents=read", (*call).archive),
		get("/repos/{owner}/{repo}/zipball/{ref...}", "contents=read", (*call).archive),
	}
}

// archive leads to codeload, with the whole name of the ref:
// https://docs.github.com/en/rest/repos/contents#download-a-repository-archive-tar
func (c *call) archive() reply {
	ref, kind := c.param("ref"), "legacy.tar.gz"
	if strings.Contains(c.route.pattern, "/zipball") {
		kind = "legacy.zip"
	}
	if ref == "" {
		ref = defaultBranch
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		if c.s.resolve(c.repo.dir, prefix+ref) != "" {
			ref = prefix + ref
			break
		}
	}
	if c.s.resolve(c.repo.dir, ref) == "" {
		return notFound()
	}
	return reply{status: http.StatusFound}.
		with("Location", fmt.Sprintf("%s/%s/%s/%s", c.in.codeload, c.repo.fullName(), kind, ref))
}

// ref is the commit that ?ref= or the default branch names.
func (c *call) refCommit() (ref, sha string) {
	ref = c.r.URL.Query().Get("ref")
	if ref == "" {
		ref = defaultBranch
	}
	return ref, c.s.resolve(c.repo.dir, ref)
}

func (c *call) getReadme() reply {
	c.params["path"] = "README.md"
	return c.getContents()
}

func (c *call) getContents() reply {
	ref, sha := c.refCommit()
	path := strings.Trim(c.param("path"), "/")
	if sha == "" {
		return notFound()
	}
	kind, err := c.s.git(c.repo.dir, "", "cat-file", "-t", sha+":"+path)
	if err != nil {
		return notFound()
	}
	if strings.TrimSpace(kind) == "tree" {
		return c.directory(ref, sha, path)
	}
	content, err := c.s.git(c.repo.dir, "", "cat-file", "blob", sha+":"+path)
	if err != nil {
		return notFound()
	}
	if strings.Contains(c.r.Header.Get("Accept"), "raw") {
		return reply{status: http.StatusOK, value: content}.
			with("Content-Type", "application/vnd.github.raw; charset=utf-8")
	}
	blob, _ := c.s.git(c.repo.dir, "", "rev-parse", sha+":"+path)
	j := c.entryJSON(ref, path, strings.TrimSpace(blob), "file", len(content))
	j["encoding"] = "base64"
	j["content"] = wrapBase64(content)
	return ok(j)
}

// wrapBase64 is base64 with a line break every 60 characters, as GitHub sends it.
func wrapBase64(content string) string {
	var b strings.Builder
	enc := base64.StdEncoding.EncodeToString([]byte(content))
	for len(enc) > 0 {
		n := min(60, len(enc))
		b.WriteString(enc[:n] + "\n")
		enc = enc[n:]
	}
	return b.String()
}

func (c *call) directory(ref, sha, path string) reply {
	out, err := c.s.git(c.repo.dir, "", "ls-tree", "-z", "-l", sha+":"+path)
	if err != nil {
		return notFound()
	}
	list := []any{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, name, _ := strings.Cut(entry, "\t") // mode type sha size
		f := strings.Fields(meta)
		if len(f) < 4 {
			continue
		}
		kind, size := "dir", 0
		if f[1] == "blob" {
			kind = "file"
			size, _ = strconv.Atoi(f[3])
		}
		list = append(list, c.entryJSON(ref, strings.Trim(path+"/"+name, "/"), f[2], kind, size))
	}
	return ok(list)
}

// entryJSON describes a file or directory.
func (c *call) entryJSON(ref, path, sha, kind string, size int) obj {
	self := fmt.Sprintf("%s/contents/%s?ref=%s", c.repoURL(c.repo), path, ref)
	gitURL, page, download := fmt.Sprintf("%s/git/blobs/%s", c.repoURL(c.repo), sha), "blob",
		any(fmt.Sprintf("%s/%s/%s/%s", c.in.raw, c.repo.fullName(), ref, path))
	if kind == "dir" {
		gitURL, page, download = fmt.Sprintf("%s/git/trees/%s", c.repoURL(c.repo), sha), "tree", nil
	}
	html := fmt.Sprintf("%s/%s/%s/%s/%s", c.in.web, c.repo.fullName(), page, ref, path)
	return obj{
		"type": kind, "size": size, "name": path[strings.LastIndex(path, "/")+1:], "path": path, "sha": sha,
		"url": self, "git_url": gitURL, "html_url": html, "download_url": download,
		"_links": obj{"self": self, "git": gitURL, "html": html},
	}
}

// refs lists name and object of the refs that begin with prefix.
func (c *call) refs(prefix string) [][2]string {
	out, err := c.s.git(c.repo.dir, "", "for-each-ref", "--format=%(refname) %(objectname)")
	if err != nil {
		return nil
	}
	var all [][2]string
	for line := range strings.Lines(out) {
		name, sha, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(name, prefix) {
			all = append(all, [2]string{name, sha})
		}
	}
	return all
}

func (c *call) commitLink(sha string) obj {
	return obj{"sha": sha, "url": c.repoURL(c.repo) + "/commits/" + sha}
}

func (c *call) listBranches() reply {
	var all []any
	for _, ref := range c.refs("refs/heads/") {
		all = append(all, obj{
			"name": strings.TrimPrefix(ref[0], "refs/heads/"), "commit": c.commitLink(ref[1]), "protected": false,
		})
	}
	return c.page(all, c.repoPath("/branches"), nil)
}

func (c *call) getBranch() reply {
	branch := c.param("branch")
	commits := c.commits("refs/heads/"+branch, "", 1)
	if len(commits) == 0 {
		return problem(http.StatusNotFound, "Branch not found")
	}
	url := c.repoURL(c.repo) + "/branches/" + branch
	return ok(obj{
		"name": branch, "commit": commits[0], "protected": false,
		"_links": obj{"self": url, "html": c.in.web + "/" + c.repo.fullName() + "/tree/" + branch},
		"protection": obj{"enabled": false, "required_status_checks": obj{
			"enforcement_level": "off", "contexts": []any{}, "checks": []any{},
		}},
		"protection_url": url + "/protection",
	})
}

func (c *call) listTags() reply {
	var all []any
	for _, ref := range c.refs("refs/tags/") {
		tag := strings.TrimPrefix(ref[0], "refs/tags/")
		all = append(all, obj{
			"name": tag, "commit": c.commitLink(ref[1]), "node_id": nodeID("REF", c.repo.id),
			"zipball_url": c.repoURL(c.repo) + "/zipball/" + ref[0],
			"tarball_url": c.repoURL(c.repo) + "/tarball/" + ref[0],
		})
	}
	return c.page(all, c.repoPath("/tags"), nil)
}

func (c *call) refJSON(ref [2]string) obj {
	return obj{
		"ref": ref[0], "node_id": nodeID("REF", c.repo.id), "url": c.repoURL(c.repo) + "/git/" + ref[0],
		"object": obj{"type": "commit", "sha": ref[1], "url": c.repoURL(c.repo) + "/git/commits/" + ref[1]},
	}
}

func (c *call) getRef() reply {
	for _, ref := range c.refs("refs/" + c.param("ref")) {
		if ref[0] == "refs/"+c.param("ref") {
			return ok(c.refJSON(ref))
		}
	}
	return notFound()
}

func (c *call) matchingRefs() reply {
	list := []any{}
	for _, ref := range c.refs("refs/" + c.param("ref")) {
		list = append(list, c.refJSON(ref))
	}
	return ok(list)
}

func (c *call) createRef() reply {
	var body struct{ Ref, SHA string }
	if !c.decode(&body) || !strings.HasPrefix(body.Ref, "refs/") || c.s.resolve(c.repo.dir, body.SHA) != body.SHA {
		return problem(http.StatusUnprocessableEntity, "Reference name must start with 'refs/' and the object must exist")
	}
	// A zero old value means that the ref must not exist, git-update-ref(1).
	zero := strings.Repeat("0", 40)
	if _, err := c.s.git(c.repo.dir, "", "update-ref", body.Ref, body.SHA, zero); err != nil {
		return problem(http.StatusUnprocessableEntity, "Reference already exists")
	}
	j := c.refJSON([2]string{body.Ref, body.SHA})
	return created(j).with("Location", j["url"].(string))
}

func (c *call) deleteRef() reply {
	ref := "refs/" + c.param("ref")
	if c.s.resolve(c.repo.dir, ref) == "" {
		return problem(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	if _, err := c.s.git(c.repo.dir, "", "update-ref", "-d", ref); err != nil {
		return problem(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	return noContent()
}
