package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/answer"
)

const troubleshootingPage = "docs/troubleshooting.md"

// toolMark divides what is written by hand from what is made.
const toolMark = "<!-- what follows is made of the program: go test -run TestTroubleshooting -update . -->\n"

// TestTroubleshooting compares what docs/troubleshooting.md has of messages with
// what the program says; -update writes it. What stands above the mark is about what
// tools print themselves.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile(troubleshootingPage)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(text), toolMark)
	if !ok {
		t.Fatalf("%s has no line %s", troubleshootingPage, toolMark)
	}
	kinds := slices.Clone(answer.All())
	slices.SortStableFunc(kinds, func(a, b *answer.Kind) int {
		return cmp.Compare(strings.ToLower(strings.TrimLeft(a.Describe(), "… ")), strings.ToLower(strings.TrimLeft(b.Describe(), "… ")))
	})
	page := head + toolMark
	for _, kind := range kinds {
		if kind.Remedy == "" {
			continue
		}
		remedy := strings.ToUpper(kind.Remedy[:1]) + kind.Remedy[1:]
		page += fmt.Sprintf("\n**`%s`** (%d)\n: %s.\n", kind.Describe(), kind.Status, remedy)
	}
	if *update {
		if err := os.WriteFile(troubleshootingPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != string(text) {
		t.Errorf("%s is not what the program says: run go test -run TestTroubleshooting -update .", troubleshootingPage)
	}
}
