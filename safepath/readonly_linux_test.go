package safepath

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadOnlyMount: files of a host's user are fine where a container has them
// read-only.
func TestReadOnlyMount(t *testing.T) {
	dir := t.TempDir()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread keeps its mounts to itself
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			t.Log("skipped:", err)
			return
		}
		must := func(err error) {
			if err != nil {
				t.Error(err)
				runtime.Goexit()
			}
		}
		must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
		must(unix.Mount("none", dir, "tmpfs", 0, ""))
		file := filepath.Join(dir, "key.pem")
		must(os.WriteFile(file, nil, 0o600))
		must(os.Chown(file, other, other))
		if err := Check(file); err == nil {
			t.Error("somebody else's file passes where it can be written")
		}
		must(unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		if err := Check(file); err != nil {
			t.Errorf("mounted read-only: %v", err)
		}
		info, err := os.Stat(file)
		must(err)
		if !IsGiven(file, info) {
			t.Error("what is mounted read-only does not count as given")
		}
	}()
	<-done
}
