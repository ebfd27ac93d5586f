package auth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noPackages imports nothing: what the package itself declares is found all the same.
type noPackages struct{}

func (noPackages) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// TestRooms: references between files run down the list in the package's documentation,
// which names each of them.
func TestRooms(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rooms, _ := strings.Cut(string(text), "// # Rooms\n")
	var order []string
	for line := range strings.Lines(rooms) {
		if files, ok := strings.CutPrefix(line, "//\t\t"); ok {
			order = append(order, strings.Fields(files)...)
		}
	}
	fset := token.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "doc.go" {
			continue
		}
		if !slices.Contains(order, name) {
			t.Errorf("%s is in no room: add it to doc.go", name)
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(files) != len(order) {
		t.Errorf("%d files, and %d in the rooms", len(files), len(order))
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: noPackages{}, Error: func(error) {}} // what others declare is missing
	pkg, _ := config.Check("auth", fset, files, info)
	fileOf := func(pos token.Pos) string { return fset.Position(pos).Filename }
	down := 0
	for ident, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		from, to := fileOf(ident.Pos()), fileOf(object.Pos())
		if slices.Index(order, to) > slices.Index(order, from) {
			t.Errorf("%v: %s stands above, in %s", fset.Position(ident.Pos()), ident.Name, to)
		} else if from != to {
			down++
		}
	}
	if down < 1000 { // else this test sees too little
		t.Errorf("%d references run down, want most of them", down)
	}
}
