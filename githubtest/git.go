package githubtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// serveWeb answers at the web host: git over smart HTTP, LFS, links to archives.
// https://git-scm.com/docs/http-protocol
func (c *call) serveWeb() {
	if c.in.server && strings.HasPrefix(c.path, storedPath) {
		c.serveStored()
		return
	}
	parts := strings.SplitN(c.path, "/", 4) // "", owner, repo, rest
	if len(parts) < 4 {
		c.text(http.StatusNotFound, "Not Found")
		return
	}
	c.params = map[string]string{
		"owner": unescape(parts[1]),
		"repo":  strings.TrimSuffix(unescape(parts[2]), ".git"),
	}
	rest := parts[3]
	switch {
	case rest == "info/refs":
		c.serveGit(rest, c.r.URL.Query().Get("service") == "git-receive-pack")
	case rest == "git-upload-pack" || rest == "git-receive-pack":
		c.serveGit(rest, rest == "git-receive-pack")
	case strings.HasPrefix(rest, "info/lfs/"):
		c.serveLFS(strings.TrimPrefix(rest, "info/lfs/"))
	case strings.HasPrefix(rest, "archive/"):
		c.serveArchiveLink(strings.TrimPrefix(rest, "archive/"))
	default:
		c.text(http.StatusNotFound, "Not Found")
	}
}

// text answers with plain text, which git shows as "remote: …".
func (c *call) text(status int, message string) {
	h := c.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", fmt.Sprint(len(message)))
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, message)
}

// refusal is why git or LFS is refused.
type refusal struct {
	status  int
	message string
	moved   string // full name of the repository's present name
}

// authorizeGit finds the repository for the Basic credentials that git sends. The
// refusal of a push is as in https://github.com/semantic-release/github/issues/578.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation#about-authentication-as-a-github-app-installation
func (c *call) authorizeGit(push bool) (dir string, refused *refusal) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.access.s = c.s
	if c.cred.kind != CredentialNone {
		if c.cred.kind != CredentialBasicToken || !c.s.valid(c.cred.token) {
			return "", &refusal{status: http.StatusUnauthorized, message: "Invalid username or token. Password authentication is not supported for Git operations."}
		}
		c.access.token = c.cred.token
	}
	anonymous := c.access.token == nil
	w := &c.s.world
	c.repo = w.repo(c.param("owner"), c.param("repo"))
	if c.repo == nil {
		if moved := w.renamed(c.param("owner"), c.param("repo")); moved != nil && c.access.canSee(moved) {
			return "", &refusal{status: http.StatusMovedPermanently, moved: moved.fullName()}
		}
	}
	switch {
	case anonymous && (c.repo == nil || c.repo.private || push):
		return "", &refusal{status: http.StatusUnauthorized, message: "Repository not found."}
	case c.repo == nil || !c.access.canSee(c.repo), c.repo.private && !c.access.allows(c.repo, "contents=read"):
		return "", &refusal{status: http.StatusNotFound, message: "Repository not found."}
	case push && !c.access.allows(c.repo, "contents=write"):
		return "", &refusal{status: http.StatusForbidden, message: "Write access to repository not granted."}
	}
	return c.repo.dir, nil
}

func (c *call) serveGit(rest string, push bool) {
	dir, refused := c.authorizeGit(push)
	if refused != nil {
		c.refuseGit(rest, refused)
		return
	}
	// git http-backend reads to the end of its input if there is no CONTENT_LENGTH,
	// but net/http/cgi refuses chunked bodies before it gets so far.
	r := c.r.Clone(c.r.Context())
	r.TransferEncoding = nil
	if r.ProtoMajor == 2 && r.ContentLength <= 0 {
		r.ContentLength = -1
	}
	r.URL = &url.URL{Path: "/" + filepath.Base(dir) + "/" + rest, RawQuery: c.r.URL.RawQuery}
	backend, err := gitBackend()
	if err != nil {
		c.text(http.StatusInternalServerError, err.Error())
		return
	}
	h := &cgi.Handler{
		Path: backend,
		Root: "/",
		Dir:  c.s.dir,
		Env: append(c.s.gitEnv(),
			"GIT_PROJECT_ROOT="+c.s.dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x-access-token"),
		Logger: c.s.opts.ErrorLog,
		Stderr: io.Discard,
	}
	h.ServeHTTP(c.w, r)
}

// gitBackend finds git http-backend, which is not in PATH.
var gitBackend = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("find git http-backend: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	_, err = os.Stat(path)
	return path, err
})

func (c *call) refuseGit(rest string, f *refusal) {
	switch f.status {
	case http.StatusMovedPermanently:
		to := c.in.web + "/" + f.moved + ".git/" + rest
		if q := c.r.URL.RawQuery; q != "" {
			to += "?" + q
		}
		c.w.Header().Set("Location", to)
		c.text(f.status, "")
		return
	case http.StatusUnauthorized:
		c.w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
	}
	c.text(f.status, f.message)
}
