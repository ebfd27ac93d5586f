//go:build unix

package safepath

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// IsGiven reports whether whoever runs the machine gave the file at a path to
// this user: it is root's and nobody but a group may read it besides, as
// Kubernetes has it with an fsGroup, or it is in a volume, as secrets are in
// containers, and nobody but its owner may write to it. Its mode is then for the
// user to read it, and not his to change.
func IsGiven(path string, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	if givenByGroup(stat.Uid, os.Geteuid(), info.Mode()) {
		return true
	}
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	return err == nil && info.Mode().Perm()&0o022 == 0 && isOfVolume(path, stat.Uid)
}

func givenByGroup(owner uint32, user int, mode fs.FileMode) bool {
	return owner == 0 && user != 0 && mode.Perm()&0o027 == 0
}
