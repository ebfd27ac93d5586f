package safepath

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Mounts as proc_pid_mountinfo(5) has them.
const (
	hostMounts = `26 1 254:0 / / rw,relatime - ext4 /dev/vda rw
27 26 254:1 / /home rw,relatime - ext4 /dev/vdb rw
`
	containerMounts = `500 400 0:60 / / rw,relatime - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
501 500 0:61 / /proc rw - proc proc rw
`
)

func TestVolumeOf(t *testing.T) {
	for _, test := range []struct{ name, mounts, path, want string }{
		{"a host's file", hostMounts, "/etc/ghapp-proxy/key.pem", ""},
		{"a container's file", containerMounts, "/etc/ghapp-proxy/key.pem", ""},
		{"a file of a container that cannot write to its own", "500 400 0:60 / / ro,relatime - overlay overlay rw\n", "/etc/ghapp-proxy/key.pem", ""},
		{"docker run -v …:ro", containerMounts + "502 500 254:0 /etc/ghapp-proxy /etc/ghapp-proxy ro,relatime - ext4 /dev/vda rw\n", "/etc/ghapp-proxy/key.pem", "/etc/ghapp-proxy"},
		{"docker run -v …", containerMounts + "502 500 254:0 /etc/ghapp-proxy /etc/ghapp-proxy rw,relatime - ext4 /dev/vda rw\n", "/etc/ghapp-proxy/key.pem", ""},
		{"beside it", containerMounts + "502 500 254:0 /etc/ghapp-proxy /etc/ghapp-proxy ro,relatime - ext4 /dev/vda rw\n", "/etc/ghapp-proxy2/key.pem", ""},
		{"a file alone", containerMounts + "502 500 254:0 /home/ann/my\\040key.pem /run/secrets/my\\040key ro - ext4 /dev/vda rw\n", "/run/secrets/my key", "/run/secrets/my key"},
		{"a Kubernetes secret", containerMounts + "502 500 0:70 / /etc/ghapp-proxy ro,relatime - tmpfs tmpfs rw,size=1g\n", "/etc/ghapp-proxy/..data/key.pem", "/etc/ghapp-proxy"},
		{"a volume of a container whose files are the host's", "500 400 254:0 /var/lib/docker/vfs/dir/0a / rw - ext4 /dev/vda rw\n502 500 254:0 /etc/ghapp-proxy /etc/ghapp-proxy ro - ext4 /dev/vda rw\n", "/etc/ghapp-proxy/key.pem", "/etc/ghapp-proxy"},
		{"a read-only file system", hostMounts + "30 26 7:0 / /mnt rw,relatime - squashfs /dev/loop0 ro\n", "/mnt/key.pem", "/mnt"},
		{"something within a volume", containerMounts + "502 500 254:0 /v /v ro - ext4 /dev/vda rw\n503 502 0:80 / /v/tmp rw - tmpfs tmpfs rw\n", "/v/tmp/key.pem", ""},
		{"ProtectSystem=full", hostMounts + "30 26 254:0 /etc /etc ro,relatime - ext4 /dev/vda rw\n", "/etc/ghapp-proxy/key.pem", ""},
		{"ReadOnlyPaths= below another file system", hostMounts + "30 27 254:1 /eve /home/eve ro,relatime - ext4 /dev/vdb rw\n", "/home/eve/key.pem", ""},
		{"ProtectHome=read-only, twice", hostMounts + "30 27 254:1 / /home ro,relatime - ext4 /dev/vdb rw\n", "/home/eve/key.pem", ""},
	} {
		mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(test.mounts), mountinfo.ParentsFilter(test.path))
		if err != nil {
			t.Fatal(err)
		}
		if got := volumeOf(test.path, mounts); got != test.want {
			t.Errorf("%s: volumeOf(%q) = %q, want %q", test.name, test.path, got, test.want)
		}
	}
}

// withMounts runs f in a thread that keeps its mounts to itself.
func withMounts(t *testing.T, f func(must func(error))) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
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
		f(must)
	}()
	<-done
}

// TestVolume: what a container has been given read-only may be its owner's, but
// nobody else's, and not what others can write to.
func TestVolume(t *testing.T) {
	const third = other + 1
	withMounts(t, func(must func(error)) {
		root := tree(t, "host/", "volume/")
		host, volume := filepath.Join(root, "host"), filepath.Join(root, "volume")
		must(unix.Mount("none", host, "tmpfs", 0, ""))
		for _, name := range []string{".", "key.pem", "open.pem", "group.pem", "alien.pem", "dir", "dir/key.pem"} {
			path := filepath.Join(host, name)
			switch {
			case name == "dir":
				must(os.Mkdir(path, 0o700))
			case name != ".":
				must(os.WriteFile(path, nil, 0o600))
			}
			must(os.Chown(path, other, other))
			must(os.Chmod(path, 0o700))
		}
		must(os.Chmod(filepath.Join(host, "key.pem"), 0o644))
		must(os.Chmod(filepath.Join(host, "open.pem"), 0o646))
		must(os.Chmod(filepath.Join(host, "group.pem"), 0o660))
		must(os.Chmod(filepath.Join(host, "dir"), 0o777))
		must(os.Chown(filepath.Join(host, "alien.pem"), third, third))
		must(unix.Mount(host, volume, "", unix.MS_BIND, ""))
		if err := Check(filepath.Join(volume, "key.pem")); err == nil {
			t.Error("somebody else's file passes where it can be written")
		}
		must(unix.Mount("", volume, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
		for name, reason := range map[string]string{
			"key.pem":     "",
			"open.pem":    "others can write to it (mode 0646)",
			"group.pem":   "others can write to it (mode 0660)",
			"alien.pem":   "belongs to uid 65534",
			"dir/key.pem": "others can write to it (mode 0777)",
		} {
			path := filepath.Join(volume, name)
			err := Check(path)
			fault := (*Error)(nil)
			if errors.As(err, &fault) != (reason != "") || reason == "" && err != nil {
				t.Errorf("Check(%s): %v, want %q", name, err, reason)
			} else if fault != nil && (!strings.Contains(fault.Reason, reason) || !strings.Contains(fault.Remedy, "mounted read-only")) {
				t.Errorf("Check(%s): %v, want %q and how to mend what is mounted", name, err, reason)
			}
			info, err := os.Stat(path)
			must(err)
			if got, want := IsGiven(path, info), name == "key.pem" || name == "dir/key.pem"; got != want {
				t.Errorf("IsGiven(%s) = %v, want %v", name, got, want)
			}
		}
	})
}

// TestReadOnlySandbox: that a service may not write says nothing of who else may.
func TestReadOnlySandbox(t *testing.T) {
	withMounts(t, func(must func(error)) {
		root := tree(t, "eve/key.pem", "mine.pem")
		must(os.Chown(filepath.Join(root, "eve"), other, other))
		must(os.Chmod(filepath.Join(root, "mine.pem"), 0o644))
		must(unix.Mount(root, root, "", unix.MS_BIND, ""))
		must(unix.Mount(filepath.Join(root, "eve"), filepath.Join(root, "eve"), "", unix.MS_BIND, ""))
		for _, dir := range []string{root, filepath.Join(root, "eve")} {
			must(unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
		}
		if err := Check(filepath.Join(root, "eve/key.pem")); err == nil {
			t.Error("another user's directory passes where it is mounted read-only in its own place")
		}
		path := filepath.Join(root, "mine.pem")
		info, err := os.Stat(path)
		must(err)
		if IsGiven(path, info) {
			t.Error("a user's own file that all can read counts as given")
		}
	})
}
