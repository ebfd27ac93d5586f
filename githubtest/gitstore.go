package githubtest

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// defaultBranch is the default branch of every repository.
const defaultBranch = "main"

// gitEnv keeps git from reading anything of the machine's configuration, and
// makes commits the same in every run.
func (s *Server) gitEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + s.dir,
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=Octo Cat", "GIT_AUTHOR_EMAIL=octocat@example.com",
		"GIT_COMMITTER_NAME=Octo Cat", "GIT_COMMITTER_EMAIL=octocat@example.com",
		"GIT_AUTHOR_DATE=2024-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2024-01-02T03:04:05Z",
	}
}

// git runs git in the repository's directory and returns its output.
func (s *Server) git(dir, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, s.gitEnv()
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, errs.String())
	}
	return string(out), nil
}

// gitConfig is the configuration of every bare repository.
const gitConfig = `[core]
	repositoryformatversion = 0
	bare = true
[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[gc]
	auto = 0
[receive]
	autogc = false
	advertisePushOptions = true
`

// createGit makes the bare repository of that id from a fast-import stream. It
// writes the skeleton itself, which is faster than git init.
func (s *Server) createGit(id int64, history string) (string, error) {
	dir := filepath.Join(s.dir, fmt.Sprintf("%d.git", id))
	for _, sub := range []string{"objects", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	err := writeFiles(dir, map[string][]byte{"HEAD": []byte("ref: refs/heads/" + defaultBranch + "\n"), "config": []byte(gitConfig)})
	if err != nil {
		return "", err
	}
	if !HasGit() {
		return dir, nil
	}
	return dir, s.importGit(dir, history)
}

// imported are the files that git has made of a fast-import stream: what the
// first server of a process has imported, the others copy.
var imported sync.Map // fast-import stream → map[string][]byte, path → content

// importGit fills a new bare repository from a fast-import stream.
func (s *Server) importGit(dir, history string) error {
	if made, ok := imported.Load(history); ok {
		return writeFiles(dir, made.(map[string][]byte))
	}
	if _, err := s.git(dir, history, "fast-import", "--quiet", "--force"); err != nil {
		return err
	}
	made := make(map[string][]byte)
	for _, sub := range []string{"objects", "refs"} {
		err := fs.WalkDir(os.DirFS(dir), sub, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				made[path], err = os.ReadFile(filepath.Join(dir, path))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	imported.Store(history, made)
	return nil
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// HasGit reports whether git is installed. Without it every repository is empty,
// and clones of it are refused.
func HasGit() bool {
	_, err := exec.LookPath("git")
	return err == nil
}

// commit is one commit of a history: files written, path → content.
type commit struct {
	branch, message string
	from            string // branch to start from, "" to continue
	files           []file
}

type file struct{ path, content string }

// fastImport writes commits and tags in the format of git-fast-import(1).
func fastImport(commits []commit, tags map[string]string) string {
	var b strings.Builder
	data := func(s string) { fmt.Fprintf(&b, "data %d\n%s\n", len(s), s) }
	for i, c := range commits {
		fmt.Fprintf(&b, "commit refs/heads/%s\nmark :%d\n", c.branch, i+1)
		fmt.Fprintf(&b, "author Octo Cat <octocat@example.com> %d +0000\n", 1704164645+i*60)
		fmt.Fprintf(&b, "committer Octo Cat <octocat@example.com> %d +0000\n", 1704164645+i*60)
		data(c.message)
		if c.from != "" {
			fmt.Fprintf(&b, "from refs/heads/%s\n", c.from)
		}
		for _, f := range c.files {
			fmt.Fprintf(&b, "M 100644 inline %s\n", f.path)
			data(f.content)
		}
		b.WriteString("\n")
	}
	for tag, branch := range tags {
		fmt.Fprintf(&b, "reset refs/tags/%s\nfrom refs/heads/%s\n\n", tag, branch)
	}
	return b.String()
}

// defaultHistory is the history of a repository nobody described.
func defaultHistory(r Repo) string {
	return fastImport([]commit{{
		branch: defaultBranch, message: "Initial commit",
		files: []file{{"README.md", "# " + r.Name + "\n"}},
	}}, nil)
}

// Commit adds files, path → content, to the repository's default branch, and a
// tag on that commit.
func (s *Server) Commit(owner, name, tag string, files map[string]string) error {
	s.mu.Lock()
	r := s.world.repo(owner, name)
	s.mu.Unlock()
	if r == nil {
		return fmt.Errorf("commit to %s/%s: no such repository", owner, name)
	}
	c := commit{branch: defaultBranch, from: defaultBranch + "^0", message: "Add files"}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		c.files = append(c.files, file{path, files[path]})
	}
	_, err := s.git(r.dir, fastImport([]commit{c}, map[string]string{tag: defaultBranch}), "fast-import", "--quiet")
	return err
}
