//go:build unix

package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunDir(t *testing.T) {
	runtimeDir, state := t.TempDir(), filepath.Join(t.TempDir(), "not", "yet")
	first, err := makeRunDir(runtimeDir, state)
	if err != nil {
		t.Fatal(err)
	}
	second, err := makeRunDir(runtimeDir, state)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []*runDir{first, second} {
		info, err := os.Stat(dir.path)
		if err != nil || info.Mode().Perm() != 0o700 || filepath.Dir(dir.path) != filepath.Join(runtimeDir, "ghapp-proxy") || len(filepath.Base(dir.path)) < 24 {
			t.Errorf("%s: %v, %v", dir.path, info, err)
		}
	}
	if first.path == second.path {
		t.Errorf("two runs have %s", first.path)
	}
	first.remove()
	if _, err := os.Stat(first.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", first.path, err)
	}
	if info, err := os.Stat(filepath.Dir(first.path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("what it was in: %v, %v: whoever made that again could make the directory again", info, err)
	}
	second.remove()
}

// Where the runtime directory is none, or somebody else's, the state directory
// takes its place; and nothing does where that is somebody else's as well.
func TestRunDirOfOthers(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	for what, runtimeDir := range map[string]string{"none": "", "relative": "run", "missing": filepath.Join(state, "none"), "of everybody": open, "below": filepath.Join(open, "mine")} {
		if what == "below" {
			if err := os.Mkdir(runtimeDir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		dir, err := makeRunDir(runtimeDir, state)
		if err != nil || filepath.Dir(dir.path) != filepath.Join(state, "run") {
			t.Errorf("%s: %v, %v, want one in the state directory", what, dir, err)
			continue
		}
		dir.remove()
	}
	_, err := makeRunDir(open, filepath.Join(open, "state"))
	if err == nil || !strings.Contains(err.Error(), open+": others can write to it") || !strings.Contains(err.Error(), "set XDG_RUNTIME_DIR or the state_dir key") {
		t.Errorf("both of everybody: %v", err)
	}
}

// What a run that was killed has left is removed later, what one has that goes
// on is not.
func TestRunDirSweep(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "run")
	running, err := runDirIn(parent)
	if err != nil {
		t.Fatal(err)
	}
	killed, err := runDirIn(parent)
	if err != nil {
		t.Fatal(err)
	}
	killed.lock.Close()
	mine := filepath.Join(parent, "mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed.path, "ca.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	left := func() (names []string) {
		entries, err := os.ReadDir(parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, filepath.Join(parent, entry.Name()))
		}
		return names
	}
	sweepRunDirs(parent, time.Now().Add(-runDirAge))
	if got := left(); len(got) != 3 {
		t.Errorf("a young one was removed: %q", got)
	}
	long := time.Now().Add(-2 * runDirAge)
	for _, path := range left() {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	sweepRunDirs(parent, time.Now().Add(-runDirAge))
	if got := strings.Join(left(), " "); got != mine+" "+running.path {
		t.Errorf("left is %s, want %s and %s", got, mine, running.path)
	}
	running.remove()
}
