package main

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// mistake STATUS COMMAND [ARG…] runs a command that must end with that status, and
// prints no secret and changes no file of the user's: nothing is lost by a
// mistake. stdout and stderr look at what it printed.
func mistake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mistake STATUS COMMAND [ARG…]")
	}
	before := usersFiles(ts)
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
	if leaks := fakeOf(ts).Leaks([]byte(ts.ReadFile("stdout") + ts.ReadFile("stderr"))); len(leaks) > 0 {
		ts.Fatalf("it printed %d secrets", len(leaks))
	}
	after := usersFiles(ts)
	for path, sum := range before {
		if after[path] != sum {
			ts.Fatalf("%s was changed", path)
		}
	}
	for path := range after {
		if _, there := before[path]; !there {
			ts.Fatalf("%s was left behind", path)
		}
	}
}

// usersFiles are the sums of what is in the story's directory, save for the
// program's own state.
func usersFiles(ts *testscript.TestScript) map[string][sha256.Size]byte {
	sums := make(map[string][sha256.Size]byte)
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasSuffix(path, filepath.FromSlash(".local/state")):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		sums[path] = sha256.Sum256(text)
		return err
	}))
	return sums
}
