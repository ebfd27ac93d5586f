package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ghapp-proxy/answer"
	"ghapp-proxy/docs"
)

const refusalsPage = "docs/refusals.md"

const refusalsIntro = `# Refusals

What the proxy answers itself begins with ` + "`ghapp-proxy:`" + ` and has a Proxy-Status field ([RFC 9209](https://www.rfc-editor.org/rfc/rfc9209)) whose
error is in the second column; GitHub's own answers have neither. A refused CONNECT says it in its reason phrase, and a push in
what git prints. "…" stands for what depends on the request. Where a key of the configuration decided, the log
and the audit log name it, too (` + "`decided_by`" + `).

This page is what ` + "`ghapp-proxy explain --refusals`" + ` prints.
`

// TestRefusals compares docs/refusals.md with the refusals that there are;
// go test -run TestRefusals -update . writes it.
func TestRefusals(t *testing.T) {
	page := refusalsIntro + "\n## Answers\n\n| status | error | message | what to do |\n|---|---|---|---|\n"
	for _, kind := range answer.All() {
		page += fmt.Sprintf("| %d | %s | %s | %s |\n", kind.Status, kind.Code, inTable(kind.Describe()), inTable(kind.Remedy))
	}
	page += "\n## What the rules refuse: 403\n\n| message |\n|---|\n"
	for _, text := range refusedByRules(t) {
		page += "| " + inTable(text) + " |\n"
	}
	page += "\n## What a client's limits deny: 403\n\n| key of the client | message: client … | what to do |\n|---|---|---|\n"
	for _, row := range deniedToClients(t) {
		page += fmt.Sprintf("| %s | %s | %s |\n", inTable(row[0]), inTable(row[2]), inTable(row[1]))
	}
	if *update {
		if err := os.WriteFile(refusalsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != docs.Refusals {
		t.Errorf("%s is not what the program refuses: run go test -run TestRefusals -update .", refusalsPage)
	}
}

func inTable(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// refusedByRules are the texts of package rules' constants of type Refusal.
func refusedByRules(t *testing.T) (texts []string) {
	t.Helper()
	inspect(t, "rules", func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Refusal" {
			texts = append(texts, textOf(spec.Values[0]))
		}
	})
	if len(texts) == 0 {
		t.Fatal("package rules has no constants of type Refusal")
	}
	return texts
}

// deniedToClients are the arguments of package policy's calls of Client.deny: the
// key, the remedy and the reason.
func deniedToClients(t *testing.T) (rows [][3]string) {
	t.Helper()
	inspect(t, "policy", func(n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 3 {
			return
		}
		if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "deny" {
			rows = append(rows, [3]string{textOf(call.Args[0]), textOf(call.Args[1]), textOf(call.Args[2])})
		}
	})
	if len(rows) == 0 {
		t.Fatal("package policy does not call Client.deny")
	}
	slices.SortFunc(rows, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(rows)
}

// inspect visits the syntax of a package without its tests.
func inspect(t *testing.T, dir string, visit func(ast.Node)) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

// textOf is a string as it is written in the source, with "…" for what is not.
func textOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return (&answer.Kind{Title: text}).Describe()
		}
	case *ast.BinaryExpr:
		return textOf(e.X) + textOf(e.Y)
	}
	return "…"
}
