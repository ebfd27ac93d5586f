package safepath

import "golang.org/x/sys/unix"

// isReadOnly reports whether what is at a path is mounted read-only.
func isReadOnly(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && stat.Flags&unix.ST_RDONLY != 0
}
