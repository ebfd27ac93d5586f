package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// gitDataRoutes are those of docs.github.com, "REST API endpoints for Git
// database": with them a commit is made without git.
func gitDataRoutes() []route {
	return []route{
		post("/repos/{owner}/{repo}/git/blobs", "contents=write", (*call).createBlob),
		get("/repos/{owner}/{repo}/git/blobs/{file_sha}", "contents=read", (*call).getBlob),
		post("/repos/{owner}/{repo}/git/trees", "contents=write", (*call).createTree),
		get("/repos/{owner}/{repo}/git/trees/{tree_sha}", "contents=read", (*call).getTree),
		post("/repos/{owner}/{repo}/git/commits", "contents=write", (*call).createCommit),
		get("/repos/{owner}/{repo}/git/commits/{commit_sha}", "contents=read", (*call).getGitCommit),
		patch("/repos/{owner}/{repo}/git/refs/{ref...}", "contents=write", (*call).updateRef),
	}
}

// object returns the id of the object that a parameter names, if it is of the
// kind.
func (c *call) object(name, kind string) string {
	if strings.HasPrefix(name, "-") {
		return ""
	}
	out, err := c.s.git(c.repo.dir, "", "rev-parse", "--quiet", "--verify", name+"^{"+kind+"}")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// made returns what git says of an object that it makes of input.
func (c *call) made(input string, args ...string) (string, error) {
	out, err := c.s.git(c.repo.dir, input, args...)
	return strings.TrimSpace(out), err
}

func (c *call) gitURL(kind, sha string) string {
	return fmt.Sprintf("%s/git/%s/%s", c.repoURL(c.repo), kind, sha)
}

// makeBlob stores content in the encoding that GitHub knows, utf-8 or base64.
func (c *call) makeBlob(content, encoding string) (string, error) {
	if encoding == "base64" {
		// As GitHub, take it with or without line breaks.
		decoded, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(content))
		if err != nil {
			return "", err
		}
		content = string(decoded)
	}
	return c.made(content, "hash-object", "-w", "--stdin")
}

func (c *call) createBlob() reply {
	var body struct{ Content, Encoding string }
	if !c.decode(&body) {
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	sha, err := c.makeBlob(body.Content, body.Encoding)
	if err != nil {
		return invalid("Blob", "content", "invalid")
	}
	url := c.gitURL("blobs", sha)
	return created(obj{"sha": sha, "url": url}).with("Location", url)
}

func (c *call) getBlob() reply {
	sha := c.object(c.param("file_sha"), "blob")
	if sha == "" {
		return notFound()
	}
	content, err := c.s.git(c.repo.dir, "", "cat-file", "blob", sha)
	if err != nil {
		return notFound()
	}
	return ok(obj{
		"sha": sha, "node_id": nodeID("B", c.repo.id), "url": c.gitURL("blobs", sha),
		"size": len(content), "encoding": "base64", "content": wrapBase64(content),
	})
}

// treeEntry is one of what a tree is made of. An SHA of null removes.
type treeEntry struct {
	Path, Mode, Type string
	SHA              *string
	Content          *string
}

// createTree makes a tree in an index of its own, in which the entries take the
// place of what is at their paths in base_tree.
func (c *call) createTree() reply {
	var body struct {
		BaseTree string `json:"base_tree"`
		Tree     []treeEntry
	}
	if !c.decode(&body) || len(body.Tree) == 0 {
		return problem(http.StatusUnprocessableEntity, "Invalid tree info")
	}
	base := ""
	if body.BaseTree != "" {
		if base = c.object(body.BaseTree, "tree"); base == "" {
			return problem(http.StatusNotFound, "Not Found")
		}
	}
	sha, err := c.makeTree(base, body.Tree)
	if err != nil {
		return problem(http.StatusUnprocessableEntity, "GitRPC::BadObjectState")
	}
	return created(c.treeJSON(sha, false)).with("Location", c.gitURL("trees", sha))
}

// makeTree needs no lock of its own: the index is used while s.mu is held.
func (c *call) makeTree(base string, entries []treeEntry) (string, error) {
	start := []string{"read-tree", "--empty"}
	if base != "" {
		start = []string{"read-tree", base}
	}
	if _, err := c.made("", start...); err != nil {
		return "", err
	}
	for _, e := range entries {
		if err := c.addEntry(e); err != nil {
			return "", err
		}
	}
	return c.made("", "write-tree")
}

// addEntry puts an entry into the index, instead of the file or directory that is there.
func (c *call) addEntry(e treeEntry) error {
	_, err := c.made("", "rm", "--cached", "-r", "-f", "-q", "--ignore-unmatch", "--", ":(literal)"+e.Path)
	if err != nil || e.SHA == nil && e.Content == nil {
		return err
	}
	sha := ""
	if e.SHA != nil {
		sha = *e.SHA
	} else if sha, err = c.makeBlob(*e.Content, "utf-8"); err != nil {
		return err
	}
	if e.Mode == "040000" {
		_, err = c.made("", "read-tree", "--prefix="+e.Path+"/", sha)
	} else {
		_, err = c.made(fmt.Sprintf("%s %s\t%s\x00", e.Mode, sha, e.Path), "update-index", "-z", "--index-info")
	}
	return err
}

func (c *call) getTree() reply {
	sha := c.object(c.param("tree_sha"), "tree")
	if sha == "" {
		return notFound()
	}
	return ok(c.treeJSON(sha, c.r.URL.Query().Has("recursive")))
}

func (c *call) treeJSON(sha string, recursive bool) obj {
	args := []string{"ls-tree", "-z", "-l"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, _ := c.s.git(c.repo.dir, "", append(args, sha)...) // a tree that is there
	list := []any{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, path, _ := strings.Cut(entry, "\t") // mode type sha size
		f := strings.Fields(meta)
		if len(f) < 4 {
			continue
		}
		j := obj{"path": path, "mode": f[0], "type": f[1], "sha": f[2]}
		if f[1] != "commit" {
			j["url"] = c.gitURL(f[1]+"s", f[2])
		}
		if size, err := strconv.Atoi(f[3]); err == nil {
			j["size"] = size
		}
		list = append(list, j)
	}
	return obj{"sha": sha, "url": c.gitURL("trees", sha), "tree": list, "truncated": false}
}

// identity is an author or a committer.
type identity struct{ Name, Email, Date string }

// line is the identity as a commit has it.
func (i identity) line() string {
	when, err := time.Parse(time.RFC3339, i.Date)
	if err != nil {
		when = time.Now()
	}
	clean := strings.NewReplacer("<", "", ">", "", "\n", "")
	return fmt.Sprintf("%s <%s> %d %s", clean.Replace(i.Name), clean.Replace(i.Email), when.Unix(), when.Format("-0700"))
}

// createCommit makes a commit that no ref has yet. Without an author it is the
// App's, as GitHub makes it.
func (c *call) createCommit() reply {
	var body struct {
		Message, Tree     string
		Parents           []string
		Author, Committer *identity
	}
	if !c.decode(&body) || body.Message == "" {
		return invalid("Commit", "message", "missing_field")
	}
	tree := c.object(body.Tree, "tree")
	if tree == "" {
		return problem(http.StatusUnprocessableEntity, "Tree SHA does not exist")
	}
	text := "tree " + tree + "\n"
	for _, parent := range body.Parents {
		sha := c.object(parent, "commit")
		if sha == "" {
			return problem(http.StatusUnprocessableEntity, "Parent SHA does not exist or is not a commit object")
		}
		text += "parent " + sha + "\n"
	}
	author := body.Author
	if author == nil {
		author = &identity{Name: "ci-bot[bot]", Email: "ci-bot[bot]@users.noreply.github.com"}
	}
	committer := body.Committer
	if committer == nil {
		committer = author
	}
	text += "author " + author.line() + "\ncommitter " + committer.line() + "\n\n" + body.Message
	sha, err := c.made(text, "hash-object", "-t", "commit", "-w", "--stdin")
	if err != nil {
		return invalid("Commit", "author", "invalid")
	}
	return created(c.gitCommitJSON(sha)).with("Location", c.gitURL("commits", sha))
}

func (c *call) getGitCommit() reply {
	sha := c.object(c.param("commit_sha"), "commit")
	if sha == "" {
		return notFound()
	}
	return ok(c.gitCommitJSON(sha))
}

// gitCommitJSON is the commit as git has it, without what GitHub knows of its
// authors.
func (c *call) gitCommitJSON(sha string) obj {
	full := c.commits(sha, "", 1)[0].(obj)
	j := full["commit"].(obj)
	delete(j, "comment_count")
	for _, key := range []string{"sha", "node_id", "html_url", "parents"} {
		j[key] = full[key]
	}
	return j
}

func (c *call) updateRef() reply {
	var body struct {
		SHA   string
		Force bool
	}
	ref := "refs/" + c.param("ref")
	old := c.s.resolve(c.repo.dir, ref)
	if old == "" {
		return problem(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	if !c.decode(&body) || c.object(body.SHA, "commit") == "" || c.object(body.SHA, "commit") != body.SHA {
		return problem(http.StatusUnprocessableEntity, "Object does not exist")
	}
	if _, err := c.made("", "merge-base", "--is-ancestor", old, body.SHA); err != nil && !body.Force {
		return problem(http.StatusUnprocessableEntity, "Update is not a fast forward")
	}
	if _, err := c.made("", "update-ref", ref, body.SHA, old); err != nil {
		return problem(http.StatusUnprocessableEntity, "Reference cannot be updated")
	}
	return ok(c.refJSON([2]string{ref, body.SHA}))
}
