package main

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"ghapp-proxy/githubtest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the tables of docs/tools.md and docs/refusals.md")

// Each story of testdata/tools is about tools that .ci/tools installs, and that
// are told nothing but "run --". What they can do must be what docs/tools.md
// says. A story whose tools are missing is skipped, and the table not compared;
// where GHAPP_PROXY_REQUIRE_CLIENTS is set, it fails.
func TestTools(t *testing.T) {
	if os.Getenv("GHAPP_PROXY_TOOLS") == "" {
		t.Skip("GHAPP_PROXY_TOOLS is not set")
	}
	stories, err := filepath.Glob("testdata/tools/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var table toolTable
	passed := t.Run("stories", func(t *testing.T) {
		testscript.Run(t, testscript.Params{Files: stories, Setup: table.setUp, Cmds: toolCommands()})
	})
	if passed && table.stories-table.skipped == len(stories) { // -run may choose some
		table.compare(t, "docs/tools.md")
	}
}

func toolCommands() map[string]func(*testscript.TestScript, bool, []string) {
	commands := maps.Clone(storyCommands)
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"needs": needTools, "tool": startTool, "works": toolWorks, "shows": toolShows, "note": noteTool, "publish": publish,
	})
	return commands
}

// toolTable is what the stories, which run in parallel, find out.
type toolTable struct {
	mu      sync.Mutex
	stories int // that began
	skipped int
	rows    []*toolRow
}

// toolRow is what is known of one tool.
type toolRow struct {
	name, version string
	works         map[string]bool // column → it does
	refusal       string          // what the tool shows of one
	note          string
}

// toolColumns are the columns that "works" fills.
var toolColumns = []string{"REST", "pages", "GraphQL", "git"}

// toolStory is the state of one story.
type toolStory struct {
	t     testscript.T
	table *toolTable
	row   *toolRow // the present tool
}

type toolStoryKey struct{}

// setUp is setUpStory, and what .ci/tools installed.
func (table *toolTable) setUp(env *testscript.Env) error {
	if err := setUpStory(env); err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	tools := filepath.Join(cache, "ghapp-proxy-tools")
	if err := os.Symlink(filepath.Join(tools, "npm", "node_modules"), filepath.Join(env.WorkDir, "node_modules")); err != nil {
		return err
	}
	env.Setenv("TOOLS", filepath.Join(tools, "bin"))
	env.Setenv("PATH", filepath.Join(tools, "bin")+string(os.PathListSeparator)+env.Getenv("PATH"))
	// For the hosts that are tunnelled unread, what the machine trusts.
	env.Setenv("SSL_CERT_FILE", filepath.Join(env.WorkDir, "keys", "github-ca.pem"))
	env.Values[toolStoryKey{}] = &toolStory{t: env.T(), table: table}
	env.Defer(func() {
		if err := noneUnknown(env.Values[githubKey{}].(*githubtest.Server)); err != nil {
			env.T().Log(err)
			env.T().FailNow()
		}
	})
	table.mu.Lock()
	defer table.mu.Unlock()
	table.stories++
	return nil
}

// noneUnknown fails if a credential arrived that is none of GitHub's, such as the
// placeholder.
func noneUnknown(github *githubtest.Server) error {
	for _, r := range github.Requests() {
		if r.Credential == githubtest.CredentialUnknown {
			return fmt.Errorf("arrived with a wrong credential: %v", r)
		}
	}
	return nil
}

func toolStoryOf(ts *testscript.TestScript) *toolStory {
	return ts.Value(toolStoryKey{}).(*toolStory)
}

func output(ts *testscript.TestScript) string { return ts.ReadFile("stdout") + ts.ReadFile("stderr") }

// needs TOOL... skips the story if a tool is missing: a program, with a slash a
// file, or a library, as python3:requests.
func needTools(ts *testscript.TestScript, _ bool, args []string) {
	missing := slices.DeleteFunc(slices.Clone(args), func(tool string) bool { return hasTool(ts, tool) })
	if len(missing) == 0 {
		return
	}
	reason := fmt.Sprintf("missing: %s; .ci/tools installs what the stories need", strings.Join(missing, ", "))
	if os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") != "" {
		ts.Fatalf("%s", reason)
	}
	story := toolStoryOf(ts)
	story.table.mu.Lock()
	story.table.skipped++
	story.table.mu.Unlock()
	story.t.Skip(reason)
}

func hasTool(ts *testscript.TestScript, tool string) bool {
	switch language, library, _ := strings.Cut(tool, ":"); {
	case strings.Contains(tool, "/"):
		_, err := os.Stat(ts.MkAbs(tool))
		return err == nil
	case language == "python3" && library != "":
		return ts.Exec(language, "-c", "import "+library) == nil
	case language == "ruby" && library != "":
		return ts.Exec(language, "-r"+library, "-e", "") == nil
	}
	return slices.ContainsFunc(filepath.SplitList(ts.Getenv("PATH")), func(dir string) bool {
		_, err := exec.LookPath(filepath.Join(dir, tool))
		return err == nil
	})
}

// tool NAME REGEXP begins a row; the first group is the version, in the output
// of the last command.
func startTool(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: tool NAME REGEXP")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	match := pattern.FindStringSubmatch(output(ts))
	if len(match) < 2 {
		ts.Fatalf("no version matches %q", args[1])
	}
	story := toolStoryOf(ts)
	story.row = &toolRow{name: args[0], version: match[1], works: make(map[string]bool)}
	fakeOf(ts).Reset()
	story.table.mu.Lock()
	defer story.table.mu.Unlock()
	story.table.rows = append(story.table.rows, story.row)
}

// works COLUMN METHOD HOST PATH-REGEXP CREDENTIAL [INSTALLATION] is arrived, and
// notes it; nothing with a wrong credential may have come. It then forgets
// the requests.
func toolWorks(ts *testscript.TestScript, neg bool, args []string) {
	story := toolStoryOf(ts)
	if neg || story.row == nil || len(args) < 5 || !slices.Contains(toolColumns, args[0]) {
		ts.Fatalf("usage, after tool: works %s METHOD HOST PATH-REGEXP CREDENTIAL [INSTALLATION]", strings.Join(toolColumns, "|"))
	}
	arrived(ts, false, args[1:])
	for _, r := range fakeOf(ts).Requests() {
		if r.Status == http.StatusUnauthorized {
			ts.Fatalf("refused: %v", r)
		}
	}
	ts.Check(noneUnknown(fakeOf(ts)))
	story.row.works[args[0]] = true
	fakeOf(ts).Reset()
}

// ownWords is what `run` says itself when the tool has ended.
var ownWords = regexp.MustCompile(`(?m)^ghapp-proxy: GitHub answered .*$`)

// shows message | status notes what the tool, in the output of the last
// command, tells of a refusal: our words, or no more than the number.
func toolShows(ts *testscript.TestScript, neg bool, args []string) {
	story := toolStoryOf(ts)
	if neg || story.row == nil || len(args) != 1 {
		ts.Fatalf("usage, after tool: shows message|status")
	}
	text, message := ownWords.ReplaceAllString(output(ts), ""), "ghapp-proxy: "
	switch {
	case args[0] == "message" && !strings.Contains(text, message),
		args[0] == "status" && (strings.Contains(text, message) || !strings.Contains(text, "403")):
		ts.Fatalf("it does not show the %s:\n%s", args[0], text)
	}
	story.row.refusal = args[0]
}

// note TEXT is the last column.
func noteTool(ts *testscript.TestScript, _ bool, args []string) {
	toolStoryOf(ts).row.note = strings.Join(args, " ")
}

// publish DIRECTORY OWNER/REPO TAG commits the files of a directory at the fake
// GitHub, and tags them.
func publish(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: publish DIRECTORY OWNER/REPO TAG")
	}
	root := ts.MkAbs(args[0])
	files := make(map[string]string)
	ts.Check(fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, path))
		files[path] = string(text)
		return err
	}))
	owner, repo, _ := strings.Cut(args[1], "/")
	ts.Check(fakeOf(ts).Commit(owner, repo, args[2], files))
}

// cells are the row without its version.
func (row *toolRow) cells() []string {
	cells := []string{row.name}
	for _, column := range toolColumns {
		mark := ""
		if row.works[column] {
			mark = "yes"
		}
		cells = append(cells, mark)
	}
	return append(cells, row.refusal, row.note)
}

const (
	tableBegin = "<!-- what TestTools found; -update writes it -->\n"
	tableEnd   = "<!-- end -->\n"
)

// compare checks the table of a Markdown file, or with -update writes it.
// Versions may differ.
func (table *toolTable) compare(t *testing.T, path string) {
	t.Helper()
	slices.SortFunc(table.rows, func(a, b *toolRow) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	if *update {
		replaceTable(t, path, tableBegin, table.markdown())
		return
	}
	_, old, _ := cutTable(t, path, tableBegin)
	if diff := cmp.Diff(withoutVersions(old), withoutVersions(table.markdown())); diff != "" {
		t.Errorf("%s differs from what was found; -update mends it (-file +found):\n%s", path, diff)
	}
}

// cutTable is a Markdown file around the table that begins with a marker.
func cutTable(t *testing.T, path, begin string) (head, table, tail string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	table, tail, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no markers %q and %q", path, begin, tableEnd)
	}
	return head, table, tail
}

// replaceTable writes the file with another table.
func replaceTable(t *testing.T, path, begin, table string) {
	t.Helper()
	head, _, tail := cutTable(t, path, begin)
	if err := os.WriteFile(path, []byte(head+begin+table+tableEnd+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (table *toolTable) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| tool | version | %s | a refusal shows | note |\n", strings.Join(toolColumns, " | "))
	b.WriteString(strings.Repeat("|---", len(toolColumns)+4) + "|\n")
	for _, row := range table.rows {
		cells := row.cells()
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cells[0], row.version, strings.Join(cells[1:], " | "))
	}
	return b.String()
}

// withoutVersions are the lines of a table without its second column.
func withoutVersions(table string) []string {
	var lines []string
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 3 {
			lines = append(lines, strings.Join(slices.Delete(cells, 2, 3), "|"))
		}
	}
	return lines
}
