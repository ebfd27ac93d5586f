package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// hide covers what is hidden. It comes last: what it covers is covered under every path that leads there.
func (l *layout) hide() error {
	for _, path := range l.spec.Hide {
		if err := l.coverBut(path); err != nil {
			return err
		}
	}
	for _, s := range l.secrets {
		if err := l.coverSecret(s); err != nil {
			return err
		}
	}
	return nil
}

// What covers files and directories, in SharedDir.
const (
	emptyName    = "empty"
	emptyDirName = "empty.d"
)

// coverBut covers a path, but for what the user asked for by name: one file of a directory that is hidden shows
// nothing of the others.
func (l *layout) coverBut(path string) error {
	real, info := resolved(path)
	if info == nil {
		return nil
	}
	var kept []shownTree
	for _, tree := range l.shown {
		if !within(tree.at, real) || !slices.Contains(l.spec.Read, tree.at) && !slices.Contains(l.spec.Write, tree.at) {
			continue
		}
		if tree.at == real {
			return nil
		}
		fd, err := clone(tree.at) // with what restricts it
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		kept = append(kept, shownTree{tree.at, fd, tree.isDir})
	}
	if kept == nil {
		return l.cover(path)
	}
	if err := tmpfs(real, "0755"); err != nil {
		return err
	}
	for _, tree := range kept {
		if err := place(tree.at, tree.isDir); err != nil {
			return err
		}
		if err := attach(tree.fd, tree.at); err != nil {
			return err
		}
	}
	return restrict(real, unix.MOUNT_ATTR_RDONLY, 0)
}

// cover puts something empty over a path, if there is something.
func (l *layout) cover(path string) error {
	real, info := resolved(path)
	switch {
	case info == nil:
		return nil
	case within(l.spec.Dir, real):
		return &Error{Doing: "hide files", Err: fmt.Errorf("the command is to work in %s, and %s is hidden", l.spec.Dir, path), Remedy: "run it elsewhere, or show the directory with --write"}
	case info.IsDir():
		return bind(filepath.Join(SharedDir, emptyDirName), real)
	default:
		return bind(filepath.Join(SharedDir, emptyName), real)
	}
}

// secret is a file or a directory that no command may see.
type secret struct {
	info  fs.FileInfo
	names []string // under which the mounts show it
}

// findSecrets finds what is secret, and all of its names, while everything is seen.
func (l *layout) findSecrets() error {
	for _, path := range l.spec.Secret {
		real, info := resolved(path)
		if info == nil {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode().IsRegular() && stat.Nlink > 1 {
			return &Error{Doing: "hide files", Err: fmt.Errorf("%s has %d names, and only one is known", path, stat.Nlink), Remedy: "remove the other hard links, or copy it"}
		}
		names, err := otherNames(real, info)
		if err != nil {
			return err
		}
		l.secrets = append(l.secrets, secret{info, append(names, real)})
	}
	return nil
}

// coverSecret covers what is secret where it is seen still. Of a file in a directory of its own that
// directory is covered: one that replaces it outside would else appear inside.
func (l *layout) coverSecret(s secret) error {
	for _, name := range s.names {
		if info, err := os.Lstat(name); err != nil || !os.SameFile(info, s.info) {
			continue
		}
		if dir := filepath.Dir(name); !s.info.IsDir() && l.ofNoUse(dir) {
			name = dir
		}
		if err := l.cover(name); err != nil {
			return err
		}
	}
	return nil
}

// ofNoUse reports whether a directory can be covered as a whole: it is below the home, and
// nothing that the command was given is in it.
func (l *layout) ofNoUse(dir string) bool {
	if home := l.spec.Home; home == "" || dir == home || !within(dir, home) {
		return false
	}
	for _, tree := range l.shown {
		if within(tree.at, dir) {
			return false
		}
	}
	return true
}

// otherNames are the paths under which other mounts show a file or directory: bind mounts.
func otherNames(path string, info fs.FileInfo) (names []string, err error) {
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, err
	}
	var own *mountinfo.Info // the last one on the way to it
	for _, m := range mounts {
		if within(path, m.Mountpoint) && (own == nil || len(m.Mountpoint) >= len(own.Mountpoint)) {
			own = m
		}
	}
	if own == nil {
		return nil, errors.New("no mount has " + path)
	}
	inside := filepath.Join(own.Root, below(path, own.Mountpoint)) // in its file system
	for _, m := range mounts {
		if m.Major != own.Major || m.Minor != own.Minor || !within(inside, m.Root) {
			continue
		}
		name := filepath.Join(m.Mountpoint, below(inside, m.Root))
		if other, err := os.Lstat(name); name != path && err == nil && os.SameFile(info, other) {
			names = append(names, name)
		}
	}
	return names, nil
}

// below is what is left of a path below a directory.
func below(path, dir string) string { return strings.TrimPrefix(path, strings.TrimSuffix(dir, "/")) }
