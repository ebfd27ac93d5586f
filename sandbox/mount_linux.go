package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// newTmpfs makes an empty file system that is nowhere yet.
func newTmpfs(mode, size string) (fd int, err error) {
	context, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(context)
	settings := map[string]string{"mode": mode}
	if size != "" {
		settings["size"] = size
	}
	for key, value := range settings {
		if err := unix.FsconfigSetString(context, key, value); err != nil {
			return -1, err
		}
	}
	if err := unix.FsconfigCreate(context); err != nil {
		return -1, err
	}
	return unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

// attach puts a file system that is nowhere at a path.
func attach(fd int, at string) error {
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "mount on", Path: at, Err: err}
	}
	return nil
}

// tmpfs puts an empty file system at a path.
func tmpfs(at, mode string) error {
	fd, err := newTmpfs(mode, "")
	if err != nil {
		return &os.PathError{Op: "mount on", Path: at, Err: err}
	}
	defer unix.Close(fd)
	return attach(fd, at)
}

// clone is a copy of what is seen at a path, with all that is mounted below: what is
// locked together (mount_namespaces(7)) comes in one piece or not at all.
func clone(path string) (fd int, err error) {
	fd, err = unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return -1, &os.PathError{Op: "copy the mount of", Path: path, Err: err}
	}
	return fd, nil
}

// bind shows at a path what is at another.
func bind(from, at string) error {
	fd, err := clone(from)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attach(fd, at)
}

// restrict sets attributes of the mount at a path, and with AT_RECURSIVE of all below.
func restrict(path string, attributes uint64, flags uint) error {
	if err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: attributes}); err != nil {
		return &os.PathError{Op: "restrict the mount of", Path: path, Err: err}
	}
	return nil
}

// place makes an empty directory or file to mount something on, if there is none.
func place(at string, isDir bool) error {
	if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if isDir {
		return os.MkdirAll(at, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(at, nil, 0o644)
}
