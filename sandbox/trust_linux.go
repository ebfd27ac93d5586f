package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// share shows what is shared, in its own place and in those where the command looks for other files.
func (l *layout) share(shared int) error {
	if err := place(SharedDir, true); err != nil {
		return err
	}
	if err := attach(shared, SharedDir); err != nil {
		return err
	}
	for name, mode := range map[string]fs.FileMode{markName: 0o444, emptyName: 0o400} {
		if err := os.WriteFile(filepath.Join(SharedDir, name), nil, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(SharedDir, emptyDirName), 0o500); err != nil {
		return err
	}
	if l.spec.Roots != "" {
		if err := addCertFile("/usr/lib/ssl", l.spec.Roots); err != nil { // Debian's OPENSSLDIR; elsewhere it has a cert.pem
			return err
		}
	}
	if err := restrict(SharedDir, unix.MOUNT_ATTR_RDONLY, 0); err != nil {
		return err
	}
	return l.showBinds()
}

// showBinds comes when everything is in its place, but what is hidden.
func (l *layout) showBinds() error {
	done := map[string]bool{}
	for _, b := range l.spec.Bind {
		for _, at := range matches(b.At) {
			real, info := resolved(at)
			if real == "" {
				if real = l.dangling(at); real == "" {
					continue
				}
			}
			if done[real] || info != nil && !info.Mode().IsRegular() {
				continue
			}
			done[real] = true
			if err := bind(filepath.Join(SharedDir, b.Name), real); err != nil {
				return err
			}
		}
	}
	return nil
}

// matches are the paths that a pattern stands for; one without wildcards is itself, also where there is nothing.
func matches(pattern string) []string {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}
	}
	paths, _ := filepath.Glob(pattern) // a pattern of ours
	return paths
}

// dangling makes the file that a link leads to whose target went with what was emptied, as /etc/resolv.conf's
// to /run; "" if there is no link, or its target is not in such a place.
func (l *layout) dangling(link string) string {
	target, err := os.Readlink(link)
	if err != nil {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	if !within(target, "/run") || place(target, false) != nil {
		return ""
	}
	return target
}

// addCertFile gives OpenSSL a file of certificates where there is only a directory of them, whose files are named
// by a hash: it reads cert.pem besides. The directory above is covered by one of links, into where it is now.
func addCertFile(dir, file string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, "cert.pem")); !errors.Is(err, fs.ErrNotExist) {
		return err // it is there, and is among the places
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	kept := filepath.Join(SharedDir, "openssl")
	if err := place(kept, true); err != nil {
		return err
	}
	if err := bind(real, kept); err != nil {
		return err
	}
	if err := tmpfs(real, "0755"); err != nil {
		return err
	}
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join(kept, entry.Name()))
		if err != nil {
			target = filepath.Join(kept, entry.Name())
		}
		if err := os.Symlink(target, filepath.Join(real, entry.Name())); err != nil {
			return err
		}
	}
	if err := os.Symlink(filepath.Join(SharedDir, file), filepath.Join(real, "cert.pem")); err != nil {
		return err
	}
	return restrict(real, unix.MOUNT_ATTR_RDONLY, 0)
}
