package githubtest

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
)

// authorizeFiles finds the repository for a raw file or an archive.
//
// The scheme Bearer counts as no credential here: people report that it fails on
// these hosts while token works (https://github.com/unjs/giget/issues/263).
func (c *call) authorizeFiles(owner, repo string) (dir string, found bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.access.s = c.s
	if t := c.cred.token; t != nil && c.s.valid(t) && c.cred.scheme != "bearer" {
		c.access.token = t
	}
	r := c.s.world.repo(owner, repo)
	if r == nil || !c.access.canSee(r) || r.private && !c.access.allows(r, "contents=read") {
		return "", false
	}
	c.repo = r
	return r.dir, true
}

// resolve returns the commit that ref names, "" if there is none.
func (s *Server) resolve(dir, ref string) string {
	if ref == "" || ref[0] == '-' {
		return ""
	}
	out, err := s.git(dir, "", "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// serveRaw answers /{owner}/{repo}/{ref}/{path}, where ref may contain slashes.
func (c *call) serveRaw() {
	parts := strings.SplitN(unescape(c.path), "/", 4) // "", owner, repo, rest
	if len(parts) < 4 {
		c.text(http.StatusNotFound, "404: Not Found")
		return
	}
	dir, found := c.authorizeFiles(parts[1], parts[2])
	if !found {
		c.text(http.StatusNotFound, "404: Not Found")
		return
	}
	for i, ch := range parts[3] {
		if ch != '/' {
			continue
		}
		if sha := c.s.resolve(dir, parts[3][:i]); sha != "" {
			if content, err := c.s.git(dir, "", "cat-file", "blob", sha+":"+parts[3][i+1:]); err == nil {
				c.text(http.StatusOK, content)
				return
			}
		}
	}
	c.text(http.StatusNotFound, "404: Not Found")
}

// archiveFormats is kind in codeload's paths → format of git archive.
var archiveFormats = map[string]string{
	"legacy.tar.gz": "tar.gz", "legacy.zip": "zip", "tar.gz": "tar.gz", "zip": "zip",
}

// serveCodeload answers /{owner}/{repo}/{kind}/{ref}.
func (c *call) serveCodeload() {
	parts := strings.SplitN(unescape(c.path), "/", 5)
	if len(parts) < 5 || archiveFormats[parts[3]] == "" {
		c.text(http.StatusNotFound, "404: Not Found")
		return
	}
	dir, found := c.authorizeFiles(parts[1], parts[2])
	sha := ""
	if found {
		sha = c.s.resolve(dir, parts[4])
	}
	if sha == "" {
		c.text(http.StatusNotFound, "404: Not Found")
		return
	}
	c.sendArchive(dir, sha, parts[3], parts[4])
}

func (c *call) sendArchive(dir, sha, kind, ref string) {
	format := archiveFormats[kind]
	owner, name, _ := strings.Cut(c.repoName(), "/")
	folder := name + "-" + strings.NewReplacer("refs/heads/", "", "refs/tags/", "", "/", "-").Replace(ref)
	if strings.HasPrefix(kind, "legacy.") {
		folder = fmt.Sprintf("%s-%s-%s", owner, name, sha[:7])
	}
	h := c.w.Header()
	h.Set("Content-Type", map[string]string{"tar.gz": "application/x-gzip", "zip": "application/zip"}[format])
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%s.%s", folder, format))
	h.Set("ETag", fmt.Sprintf(`W/"%s"`, sha))
	cmd := exec.CommandContext(c.r.Context(), "git", "archive", "--format="+format, "--prefix="+folder+"/", sha)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, c.s.gitEnv(), c.w, io.Discard
	if err := cmd.Run(); err != nil {
		panic(http.ErrAbortHandler) // the client must not take half an archive for a whole one
	}
}

func (c *call) repoName() string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.repo.fullName()
}

// serveArchiveLink redirects /{owner}/{repo}/archive/{ref}.tar.gz to codeload.
func (c *call) serveArchiveLink(rest string) {
	_, found := c.authorizeFiles(c.param("owner"), c.param("repo"))
	kind := "tar.gz"
	ref, isTar := strings.CutSuffix(rest, ".tar.gz")
	if !isTar {
		var isZip bool
		ref, isZip = strings.CutSuffix(rest, ".zip")
		kind = "zip"
		found = found && isZip
	}
	if !found {
		c.text(http.StatusNotFound, "Not Found")
		return
	}
	c.w.Header().Set("Location", fmt.Sprintf("%s/%s/%s/%s", c.in.codeload, c.repoName(), kind, ref))
	c.text(http.StatusFound, "")
}
