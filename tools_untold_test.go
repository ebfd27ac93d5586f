package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/githubtest"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each tool of docs/tools.md works in a sandbox where no variable tells it of a proxy or of certificates,
// or with those that docs/sandbox.md says. What is skipped, and what fails, is as in TestTools.
func TestToolsUntold(t *testing.T) {
	if os.Getenv("GHAPP_PROXY_TOOLS") == "" {
		t.Skip("GHAPP_PROXY_TOOLS is not set")
	}
	stories, err := filepath.Glob("testdata/untold/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var table toolTable
	passed := t.Run("stories", func(t *testing.T) {
		commands := toolCommands()
		commands["untold"] = untold
		testscript.Run(t, testscript.Params{Files: stories, Setup: table.setUp, Cmds: commands})
	})
	if !passed || table.stories-table.skipped < len(stories) {
		return
	}
	found := untoldTable(table.rows)
	if *update {
		replaceTable(t, "docs/sandbox.md", untoldBegin, found)
	} else if _, have, _ := cutTable(t, "docs/sandbox.md", untoldBegin); have != found {
		t.Errorf("docs/sandbox.md has\n%s\nand found was\n%s\n-update writes it", have, found)
	}
	_, all, _ := cutTable(t, "docs/tools.md", tableBegin)
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| [0-9]`).FindAllStringSubmatch(all, -1) {
		if !slices.ContainsFunc(table.rows, func(row *toolRow) bool { return row.name == m[1] }) {
			t.Errorf("%s of docs/tools.md was not tried", m[1])
		}
	}
}

const untoldBegin = "<!-- what TestToolsUntold found; -update writes it -->\n"

// untoldTable is Markdown, of rows whose notes say what they need.
func untoldTable(rows []*toolRow) string {
	tools := make(map[string][]string) // need → names
	for _, row := range rows {
		tools[row.note] = append(tools[row.note], row.name)
	}
	var b strings.Builder
	b.WriteString("| needs | tools |\n|---|---|\n")
	for _, need := range slices.SortedFunc(maps.Keys(tools), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(tools[b]), len(tools[a])), cmp.Compare(a, b))
	}) {
		slices.SortFunc(tools[need], func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		fmt.Fprintf(&b, "| %s | %s |\n", need, strings.Join(tools[need], "; "))
	}
	return b.String()
}

// need is how the table says what a tool needs.
func need(name string) string {
	flag, value, _ := strings.Cut(name, "=")
	if flag == "--client" {
		value = "NAME" // of a story
	}
	return "`" + strings.TrimSpace(flag+" "+value) + "`"
}

// untold TOOL [VARIABLE...] [--FLAG=VALUE...] -- COMMAND... runs a command in a sandbox, with no variable but PATH, HOME and
// these. It must get to GitHub with a credential; without the variables and flags, if there are some, it must not.
func untold(ts *testscript.TestScript, neg bool, args []string) {
	at := slices.Index(args, "--")
	if neg || at < 1 || at == len(args)-1 {
		ts.Fatalf("usage: untold TOOL [VARIABLE...] [--FLAG=VALUE...] -- COMMAND...")
	}
	if !makesSandboxes() {
		toolStoryOf(ts).t.Skip("this machine makes no sandbox")
	}
	name, needs, command := args[0], args[1:at], args[at+1:]
	if len(needs) > 0 && runUntold(ts, nil, command) == nil {
		ts.Fatalf("%s needs no %s", name, strings.Join(needs, ", "))
	}
	if err := runUntold(ts, needs, command); err != nil {
		ts.Fatalf("%s: %v\n%s\narrived: %v", name, err, output(ts), fakeOf(ts).Requests())
	}
	note := "nothing"
	if len(needs) > 0 {
		var words []string
		for _, name := range needs {
			words = append(words, need(name))
		}
		note = strings.Join(words, ", ")
	}
	table := toolStoryOf(ts).table
	table.mu.Lock()
	defer table.mu.Unlock()
	table.rows = append(table.rows, &toolRow{name: name, note: note})
}

// runUntold runs a command in a sandbox, with these variables and flags.
func runUntold(ts *testscript.TestScript, needs, command []string) error {
	tools, err := os.UserHomeDir() // they are there, and so is what .ci/tools links to
	ts.Check(err)
	clear := `exec env -i PATH="$PATH" HOME="$HOME"`
	box := []string{"run", "--sandbox", "--home", "own", "--write", ts.Getenv("WORK"), "--read", tools}
	limits := []string{"--repo", "acme/*"}
	for _, name := range needs {
		switch {
		case strings.HasPrefix(name, "--client="):
			limits = []string{name}
		case strings.HasPrefix(name, "--"):
			box = append(box, name)
		default:
			clear += fmt.Sprintf(" %s=\"$%[1]s\"", name)
		}
	}
	fakeOf(ts).Reset()
	box = slices.Concat(box, limits, []string{"--", "sh", "-c", clear + ` "$@"`, "sh"}, command)
	if err := ts.Exec("ghapp-proxy", box...); err != nil {
		return err
	}
	for _, r := range fakeOf(ts).Requests() {
		if r.Credential == githubtest.CredentialInstallation || r.Credential == githubtest.CredentialBasicToken {
			return noneUnknown(fakeOf(ts))
		}
	}
	return fmt.Errorf("nothing arrived with a credential")
}
