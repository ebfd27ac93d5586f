package safepath

import (
	"cmp"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// isOfVolume reports whether what is at a path, whose links are resolved, is in a
// volume and belongs to its owner.
func isOfVolume(path string, owner uint32) bool {
	mounts, err := mountinfo.GetMounts(mountinfo.ParentsFilter(path))
	if err != nil {
		return false // it cannot be told
	}
	at := volumeOf(path, mounts)
	if at == "" {
		return false
	}
	info, err := os.Lstat(at)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == owner
}

// volumeOf returns where the volume is mounted that has what is at a path, "" if
// it is in none. Something else than what would be there without it is mounted
// read-only: so are containers given theirs. A sandbox that takes the right to
// write from a service (ProtectSystem= in systemd.exec(5)) mounts what is there.
func volumeOf(name string, mounts []*mountinfo.Info) string {
	mounts = slices.DeleteFunc(slices.Clone(mounts), func(m *mountinfo.Info) bool {
		return m.Mountpoint != "/" && m.Mountpoint != name && !strings.HasPrefix(name, m.Mountpoint+"/")
	})
	slices.SortStableFunc(mounts, func(a, b *mountinfo.Info) int { return cmp.Compare(len(a.Mountpoint), len(b.Mountpoint)) })
	if len(mounts) < 2 {
		return ""
	}
	m, below := mounts[len(mounts)-1], mounts[len(mounts)-2]
	if m.Mountpoint == "/" || !isReadOnlyMount(m) {
		return ""
	}
	there := path.Join(below.Root, strings.TrimPrefix(m.Mountpoint, below.Mountpoint))
	if m.Major == below.Major && m.Minor == below.Minor && m.Root == there {
		return ""
	}
	return m.Mountpoint
}

func isReadOnlyMount(m *mountinfo.Info) bool {
	return slices.Contains(strings.Split(m.Options, ","), "ro") || slices.Contains(strings.Split(m.VFSOptions, ","), "ro")
}

// isReadOnly reports whether what is at a path cannot be written to from here. It
// says nothing of other mounts of the same files.
func isReadOnly(path string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(path, &stat) == nil && stat.Flags&unix.ST_RDONLY != 0
}
