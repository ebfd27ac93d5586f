package sandbox

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// layOut makes the files of the command. The mount namespace is our own: everything is
// made read-only, what holds sockets and what others left there is covered by empty file
// systems, what the command is to have is put on top, and what it must not see is covered last. The command has no
// capability to take any of it away, and cannot have another namespace.
func layOut(spec *Spec, shared int) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &Error{Doing: "make its mounts private", Err: err}
	}
	l := &layout{spec: spec}
	defer l.close()
	for _, step := range []struct {
		doing string
		do    func() error
	}{
		{"find what is secret", l.findSecrets},
		{"find what is to be seen", l.find},
		{"make the system read-only", func() error {
			return restrict("/", unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID, unix.AT_RECURSIVE)
		}},
		{"empty directories", l.empty},
		{"make /dev", makeDev},
		{"make /proc", makeProc},
		{"show directories", l.show},
		{"show certificates", func() error { return l.share(shared) }},
		{"hide files", l.hide},
	} {
		if err := step.do(); err != nil {
			return wrapped(step.doing, err)
		}
	}
	if err := os.Chdir(spec.Dir); err != nil { // the one of before is below what was put there
		return &Error{Doing: "enter the working directory", Err: err}
	}
	return nil
}

// wrapped is an error with what was done; one that has it already stays.
func wrapped(doing string, err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	e := &Error{Doing: doing, Err: err}
	if errors.Is(err, unix.ENOSYS) {
		e.Remedy = remedyKernel
	}
	return e
}

// layout is what is seen where.
type layout struct {
	spec    *Spec
	shown   []shownTree
	secrets []secret
	emptied []emptyDir // without links
}

// shownTree is a piece of the machine's files that the command sees.
type shownTree struct {
	at    string
	fd    int
	isDir bool
}

func (l *layout) close() {
	for _, tree := range l.shown {
		unix.Close(tree.fd)
	}
}

// find takes hold of what is to be seen, before anything covers it.
func (l *layout) find() error {
	paths := map[string]bool{l.spec.Dir: l.spec.writesDir()} // path → may be written to
	read := l.spec.Read
	if l.spec.HomeMode == HomeRead && l.spec.Home != "" {
		read = append(slices.Clone(read), l.spec.Home)
	}
	for _, path := range read {
		if _, ok := paths[path]; !ok {
			paths[path] = false
		}
	}
	for _, path := range l.spec.Write {
		paths[path] = true
	}
	for path, writable := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) && path == l.spec.Home {
			continue
		}
		if err != nil {
			return err
		}
		fd, err := clone(path)
		if err != nil {
			return err
		}
		l.shown = append(l.shown, shownTree{path, fd, info.IsDir()})
		attributes := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
		if !writable {
			attributes |= unix.MOUNT_ATTR_RDONLY
		}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: attributes}); err != nil {
			return &os.PathError{Op: "restrict the mount of", Path: path, Err: err}
		}
	}
	slices.SortFunc(l.shown, func(a, b shownTree) int { return cmp.Compare(len(a.at), len(b.at)) }) // what is above comes first
	return nil
}

type emptyDir struct {
	path, mode string
	writable   bool
}

// emptied are directories whose contents are no command's business: sockets, other
// users' files, and what was left there for others. Some are links, as /home is to /var/home on Fedora Atomic: then what
// they lead to is.
var emptied = []emptyDir{
	{"/tmp", "1777", true},
	{"/var/tmp", "1777", true},
	{"/run", "0755", true}, // SharedDir is in it
	{"/home", "0755", false},
	{"/root", "0755", false},
	{"/mnt", "0755", false},
	{"/media", "0755", false},
	{"/boot", "0755", false},
}

func (l *layout) empty() error {
	for _, dir := range emptied {
		real, info := resolved(dir.path)
		if info == nil || !info.IsDir() || real == "/" || slices.ContainsFunc(l.emptied, func(other emptyDir) bool { return other.path == real }) {
			continue // there is none, or it is empty already
		}
		if err := l.emptyOne(emptyDir{real, dir.mode, dir.writable}); err != nil {
			return err
		}
	}
	home := l.spec.Home
	if home == "" || home == "/" || l.spec.HomeMode == HomeRead {
		return nil
	}
	inEmptied := slices.ContainsFunc(slices.Concat(emptied, l.emptied), func(dir emptyDir) bool { return within(home, dir.path) })
	if _, err := os.Stat(home); err != nil && !inEmptied {
		return nil // a user without a home
	}
	if err := place(home, true); err != nil {
		return err
	}
	return l.emptyOne(emptyDir{home, "0700", l.spec.HomeMode != HomeHide})
}

// emptyOne covers a directory, and what was emptied in it.
func (l *layout) emptyOne(dir emptyDir) error {
	l.emptied = slices.DeleteFunc(l.emptied, func(other emptyDir) bool { return within(other.path, dir.path) })
	l.emptied = append(l.emptied, dir)
	return tmpfs(dir.path, dir.mode)
}

// show puts what is to be seen in its place.
func (l *layout) show() error {
	for _, tree := range l.shown {
		if tree.at == "/" {
			continue // a command that works in "/" writes to nothing but what is named
		}
		if err := place(tree.at, tree.isDir); err != nil {
			return err
		}
		if err := attach(tree.fd, tree.at); err != nil {
			return err
		}
	}
	for _, dir := range l.emptied {
		if dir.writable || l.isShown(dir.path) {
			continue
		}
		if err := restrict(dir.path, unix.MOUNT_ATTR_RDONLY, 0); err != nil {
			return err
		}
	}
	return nil
}

// isShown reports whether a path itself is one of those that are shown.
func (l *layout) isShown(path string) bool {
	return slices.ContainsFunc(l.shown, func(t shownTree) bool { return t.at == path })
}

// resolved is where a path leads, and what is there; "" if there is nothing.
func resolved(path string) (string, fs.FileInfo) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", nil
	}
	info, err := os.Lstat(real)
	if err != nil {
		return "", nil
	}
	return real, info
}
