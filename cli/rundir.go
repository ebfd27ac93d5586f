package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ghapp-proxy/safepath"
)

// runDirAge is how old a directory must be to be taken for one that a run left
// behind.
const runDirAge = 24 * time.Hour

// runDir is the directory of the files of one run. Those who outlive it may
// still have its path: in NODE_OPTIONS, from which Node runs a file, and in the
// variables that name whom to trust. So it is in a place where nobody else can
// make another, and no two runs have the same name.
type runDir struct {
	path string
	lock *os.File // held as long as the run goes on; nil where there are no locks
}

// makeRunDir makes a directory in the user's runtime directory, or if that is
// not his alone in the state directory. What runs that were killed have left
// there is removed.
func makeRunDir(runtimeDir, stateDir string) (*runDir, error) {
	if filepath.IsAbs(runtimeDir) && safepath.Check(runtimeDir) == nil {
		return runDirIn(filepath.Join(runtimeDir, "ghapp-proxy"))
	}
	dir, err := runDirIn(filepath.Join(stateDir, "run"))
	if err != nil {
		return nil, fmt.Errorf("%w: set XDG_RUNTIME_DIR or the state_dir key to a directory of your own", err)
	}
	return dir, nil
}

func runDirIn(parent string) (*runDir, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for what tools trust: %w", err)
	}
	if err := safepath.Check(parent); err != nil {
		return nil, fmt.Errorf("make a directory for what tools trust: %w", err)
	}
	sweepRunDirs(parent, time.Now().Add(-runDirAge))
	path := filepath.Join(parent, "run-"+strings.ToLower(rand.Text()))
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for what tools trust: %w", err)
	}
	lock, err := lockDir(path)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		os.Remove(path)
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &runDir{path, lock}, nil
}

// sweepRunDirs removes directories of runs that have ended, of before a time:
// one that was just made is not locked yet. What cannot be removed stays.
func sweepRunDirs(parent string, before time.Time) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !entry.IsDir() || !strings.HasPrefix(entry.Name(), "run-") || info.ModTime().After(before) {
			continue
		}
		path := filepath.Join(parent, entry.Name())
		lock, err := lockDir(path)
		if err != nil {
			continue // its run goes on, or it cannot be told
		}
		os.RemoveAll(path)
		lock.Close()
	}
}

// remove removes the directory.
func (d *runDir) remove() {
	os.RemoveAll(d.path)
	if d.lock != nil {
		d.lock.Close()
	}
}
