//go:build unix

package safepath

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks bounds the symbolic links of a path, as Linux does (path_resolution(7)).
const maxLinks = 40

// Check returns an *Error unless root and the user of this process alone can
// change what path leads to, as sshd wants it of ~/.ssh (StrictModes in
// sshd_config(5)): the file or directory there, every directory above it and
// every symbolic link on the way belong to one of the two, and nobody else may
// write to them. Above, a directory in which everybody can change only what is
// his own, as /tmp, is good enough.
//
// A volume that a container has been given read-only may be its owner's, who is
// then whom whoever gave it trusts. That says nothing of modes: what cannot be
// written to here may be mounted elsewhere, too.
//
// Errors that are no *Error are those of looking, such as fs.ErrNotExist.
func Check(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	dir, rest, links := "/", components(path), 0
	if err := checkEntry(dir, len(rest) > 0); err != nil {
		return err
	}
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." { // of a link
			dir = filepath.Dir(dir)
			continue
		}
		at := filepath.Join(dir, name)
		if err := checkEntry(at, len(rest) > 0); err != nil {
			return err
		}
		target, err := os.Readlink(at)
		if err != nil { // it is no link, or it is met again
			dir = at
			continue
		}
		if links++; links > maxLinks {
			return &fs.PathError{Op: "check", Path: path, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			dir = "/"
		}
		rest = append(components(target), rest...)
	}
	return nil
}

// components are the names that a path is made of.
func components(path string) []string {
	return strings.FieldsFunc(filepath.ToSlash(path), func(r rune) bool { return r == '/' })
}

// checkEntry checks what is at a path whose directories are checked; above says
// that the path goes on below it.
func checkEntry(path string, above bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if fault := faultOf(path, info, stat, above); fault != nil {
		return fault
	}
	return nil
}

// faultOf is what is wrong with an entry; nil for nothing. A link has no mode
// of its own.
func faultOf(path string, info fs.FileInfo, stat *syscall.Stat_t, above bool) *Error {
	mode := info.Mode()
	writable := mode.Perm() & 0o022
	if writable&0o002 == 0 && isPrivateGroup(stat.Gid) {
		writable = 0
	}
	switch {
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid() && !isOfVolume(path, stat.Uid):
		return &Error{
			Path: path, Reason: fmt.Sprintf("belongs to uid %d, neither to root nor to the user, uid %d", stat.Uid, os.Geteuid()),
			Remedy: remedy(fmt.Sprintf("chown %d", os.Geteuid()), path),
		}
	case mode.Type() == fs.ModeSymlink, writable == 0, above && mode&fs.ModeSticky != 0:
		return nil
	}
	return &Error{
		Path: path, Reason: fmt.Sprintf("others can write to it (mode %04o)", mode.Perm()),
		Remedy: remedy("chmod go-w", path),
	}
}

// remedy is what to do about a path.
func remedy(command, path string) string {
	where := ""
	if isReadOnly(path) {
		where = " where it can be written to (here it is mounted read-only)"
	}
	return "run `" + command + " " + shellQuote(path) + "`" + where + ", or take another place"
}
