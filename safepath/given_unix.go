//go:build unix

package safepath

import (
	"io/fs"
	"os"
	"syscall"
)

// IsGiven reports whether whoever runs the machine gave the file at a path to
// this user: it is root's and nobody but a group may read it besides, as
// Kubernetes has it with an fsGroup, or it is mounted read-only, as secrets are
// in containers. Its mode is then for the user to read it, and not his to change.
func IsGiven(path string, info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && givenByGroup(stat.Uid, os.Geteuid(), info.Mode()) || isReadOnly(path)
}

func givenByGroup(owner uint32, user int, mode fs.FileMode) bool {
	return owner == 0 && user != 0 && mode.Perm()&0o027 == 0
}
