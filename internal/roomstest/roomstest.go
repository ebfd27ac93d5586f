// Package roomstest tests that references between the files of a package run down.
//
// The package's doc.go lists the files under a heading "# Rooms", the lowest first,
// on lines that are indented twice. Other lines say what the rooms are:
//
//	// # Rooms
//	//
//	//	names: whose something is
//	//		owner.go answer.go
//	//	calls: GitHub's API is asked
//	//		budget.go send.go
package roomstest

import (
	"go/ast"
	"go/build"
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

// Check fails t for each reference from a file of the package in dir to one that its
// rooms list later, and where the rooms do not list each file once. Of files for
// other systems it checks only that they are listed.
func Check(t *testing.T, dir string) {
	t.Helper()
	order := rooms(t, dir)
	names := sources(t, dir)
	for _, name := range names {
		if !slices.Contains(order, name) {
			t.Errorf("%s is in no room: add it to doc.go", name)
		}
	}
	for i, name := range order {
		if !slices.Contains(names, name) {
			t.Errorf("%s is in a room of doc.go, and there is no such file", name)
		}
		if slices.Contains(order[:i], name) {
			t.Errorf("%s is in the rooms of doc.go twice", name)
		}
	}

	down := 0
	for _, ref := range references(t, dir, names) {
		switch from, to := slices.Index(order, ref.from.Filename), slices.Index(order, ref.to.Filename); {
		case to > from:
			t.Errorf("%v: %s stands above, in %s", ref.from, ref.name, ref.to.Filename)
		case to < from:
			down++
		}
	}
	if down < 10*len(names) { // else this test sees too little
		t.Errorf("%d references of %d files run down, want at least ten for each", down, len(names))
	}
}

// rooms lists the files as dir's doc.go does.
func rooms(t *testing.T, dir string) (order []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, rooms, _ := strings.Cut(string(text), "// # Rooms\n")
	for line := range strings.Lines(rooms) {
		if files, ok := strings.CutPrefix(line, "//\t\t"); ok {
			order = append(order, strings.Fields(files)...)
		}
	}
	return order
}

// sources lists the files of the package in dir, for every system, without its
// tests and doc.go.
func sources(t *testing.T, dir string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if name := filepath.Base(path); name != "doc.go" && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names
}

// reference is the use of a name at one place that another declares.
type reference struct {
	name     string
	from, to token.Position
}

// references lists the uses of what the package itself declares.
func references(t *testing.T, dir string, names []string) (refs []reference) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if match, err := build.Default.MatchFile(dir, name); err != nil {
			t.Fatal(err)
		} else if !match {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: noPackages{}, Error: func(error) {}} // what others declare is missing
	pkg, _ := config.Check("it", fset, files, info)
	for ident, object := range info.Uses {
		if object.Pkg() == pkg && object.Pos().IsValid() {
			refs = append(refs, reference{ident.Name, fset.Position(ident.Pos()), fset.Position(object.Pos())})
		}
	}
	return refs
}
