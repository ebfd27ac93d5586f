package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ghapp-proxy/internal/freeport"

	"github.com/rogpeppe/go-internal/testscript"
)

// runnable matches what a page says to run: a block that begins with ```sh run. A
// page's blocks are run by one shell, in order, as a reader would.
var runnable = regexp.MustCompile("(?ms)^```sh run\n(.*?)^```")

// TestDocumentedRuns runs the commands of the pages in docs, against the fake GitHub.
func TestDocumentedRuns(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var stories []string
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		script := ""
		for _, block := range runnable.FindAllStringSubmatch(string(text), -1) {
			script += block[1]
		}
		if script == "" {
			continue
		}
		// A reader would not be as fast.
		script = strings.ReplaceAll(script, "ghapp-proxy serve &\n", "ghapp-proxy serve 2>serve.log &\nuntil grep -q listening serve.log; do sleep 0.1; done\n")
		story := filepath.Join(dir, strings.TrimSuffix(filepath.Base(page), ".md")+".txtar")
		stories = append(stories, story)
		if err := os.WriteFile(story, fmt.Appendf(nil, documentedRun, script), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(stories) < 2 {
		t.Fatalf("only these pages have commands that can be run: %v", stories)
	}
	testscript.Run(t, testscript.Params{
		Files: stories,
		Setup: func(env *testscript.Env) error {
			if err := setUpStory(env); err != nil {
				return err
			}
			address, err := freeport.Find()
			if err != nil {
				return err
			}
			path := filepath.Join(env.WorkDir, "config.toml")
			config, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(config), "127.0.0.1:0", address, 1)), 0o600)
		},
		Cmds: storyCommands,
	})
}

const documentedRun = `
[!exec:curl] skip 'curl is not installed'
[!exec:gh] skip 'gh is not installed'
[!exec:git] skip 'git is not installed'
exec sh -e commands.sh
noleaks
arrived GET api.github.com /repos/acme/widgets.* installation 111
-- commands.sh --
trap 'kill $! 2>/dev/null || true; wait' EXIT
%s`

// TestThreatModel: the tests that the threat model names are there.
func TestThreatModel(t *testing.T) {
	page, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	err = filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			there[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("`(Test[A-Za-z]+|[a-z./-]*/[a-z_./-]+)`").FindAllStringSubmatch(string(page), -1) {
		_, err := os.Stat(match[1])
		if !there[match[1]] && err != nil {
			t.Errorf("docs/threat-model.md names %s, which is not there", match[1])
		}
	}
}
