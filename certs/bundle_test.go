package certs

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// useWellKnown replaces the well-known places for the test.
func useWellKnown(t *testing.T, files, dirs []string) {
	oldFiles, oldDirs := wellKnownFiles, wellKnownDirs
	wellKnownFiles, wellKnownDirs = files, dirs
	t.Cleanup(func() { wellKnownFiles, wellKnownDirs = oldFiles, oldDirs })
}

func TestBundle(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	if err := os.Mkdir(name("certs"), 0o700); err != nil {
		t.Fatal(err)
	}
	a, b, c, ours := newCA(t, github).PEM(), newCA(t, github).PEM(), newCA(t, github).PEM(), newCA(t, github).PEM()
	write(t, name("a.pem"), append([]byte("# the a root\n"), a...), 0o644)
	write(t, name("b.pem"), append(b, b...), 0o644)
	write(t, name("empty.pem"), []byte("nothing"), 0o644)
	write(t, name("certs/c.pem"), c, 0o644)
	write(t, name("certs/README"), []byte("about c.pem"), 0o644)
	os.Symlink("c.pem", name("certs/12345678.0"))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

	for _, test := range []struct {
		name        string
		files, dirs []string
		roots       SystemRoots
		want        []byte // nil: an error
	}{
		{"first file", []string{"none", "empty.pem", "a.pem", "b.pem"}, []string{"certs"}, SystemRoots{}, join(a, ours)},
		{"no file", []string{"none"}, []string{"none", "certs"}, SystemRoots{}, join(c, ours)},
		{"nothing", []string{"none"}, []string{"none"}, SystemRoots{}, nil},
		{"given file", []string{"a.pem"}, []string{"certs"}, SystemRoots{File: name("b.pem")}, join(b, ours)},
		{"given file missing", []string{"a.pem"}, nil, SystemRoots{File: name("none")}, nil},
		{"given file empty", []string{"a.pem"}, nil, SystemRoots{File: name("empty.pem")}, nil},
		{"given dirs", []string{"a.pem"}, nil, SystemRoots{Dirs: "/none::" + name("certs")}, join(a, c, ours)},
		{"both given", []string{"a.pem"}, nil, SystemRoots{File: name("b.pem"), Dirs: name("certs")}, join(b, c, ours)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var files, dirs []string
			for _, f := range test.files {
				files = append(files, name(f))
			}
			for _, d := range test.dirs {
				dirs = append(dirs, name(d))
			}
			useWellKnown(t, files, dirs)
			got, err := test.roots.Bundle(ours, ours)
			if (err != nil) != (test.want == nil) || !bytes.Equal(got, test.want) {
				t.Errorf("Bundle() = %d bytes, %v, want %d bytes", len(got), err, len(test.want))
			}
		})
	}
}

func TestBundleTakesOnlyCertificates(t *testing.T) {
	dir := t.TempDir()
	ca := open(t, dir, github)
	private, err := os.ReadFile(filepath.Join(dir, "github.com.key"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := SystemRoots{File: ca.Path()}.Bundle(private)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(got, []byte("PRIVATE")) {
		t.Error("the bundle holds the private key")
	}
	trusted := pem.EncodeToMemory(&pem.Block{Type: "TRUSTED CERTIFICATE", Bytes: ca.root().Raw})
	_, err = SystemRoots{File: ca.Path()}.Bundle(ca.PEM(), trusted)
	if err == nil || !strings.Contains(err.Error(), "input 2 of 2 holds none") {
		t.Errorf("Bundle with an input without certificates: %v", err)
	}
}

func TestBundleOfThisSystem(t *testing.T) {
	got, err := SystemRoots{}.Bundle()
	if err != nil {
		t.Skip(err)
	}
	t.Logf("%d roots", bytes.Count(got, []byte("BEGIN CERTIFICATE")))
}
