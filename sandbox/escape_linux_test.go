package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// outside is what there is to get at.
type outside struct {
	TCP, Abstract, Socket string // somebody listens there
	Key                   string // must not be read, nor by these paths:
	KeyPaths              []string
	Pid                   int    // of an outsider
	Directory             string // may be read and not written
	Namespaces            []string
}

// attempt is one way out, and what stops it.
type attempt struct {
	name    string
	stopped []error // any of these; none: that the way is not there
	try     func(outside) error
}

func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

func text(s string) uintptr { p, _ := unix.BytePtrFromString(s); return uintptr(unsafe.Pointer(p)) }

func socket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind, protocol)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func dial(network, address string) error {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("x")) // UDP says it here
	return err
}

// opens tries to open a file to write to it, and changes nothing: the attempts do no harm where they succeed.
func opens(path string, flags int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flags, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// seize begins to trace a process without stopping it.
func seize(pid int) error { return call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0) }

func now() (tv unix.Timeval, ts unix.Timespec) {
	unix.Gettimeofday(&tv)
	unix.ClockGettime(unix.CLOCK_REALTIME, &ts)
	return tv, ts
}

// readKey fails if a path does not show the key: with what stops it, or as if there were no file where it is empty.
func readKey(path string) error {
	content, err := os.ReadFile(path)
	if err == nil && !strings.Contains(string(content), "CANARY") {
		return os.ErrNotExist
	}
	return err
}

// The network is loopback alone (CLONE_NEWNET).
var noNetwork = []error{unix.ENETUNREACH, unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT}

var attempts = []attempt{
	// network namespace
	{"a port of the machine's loopback", []error{unix.ECONNREFUSED}, func(o outside) error { return dial("tcp", o.TCP) }},
	{"an address elsewhere", noNetwork, func(outside) error { return dial("tcp", "192.0.2.1:443") }},
	{"an address elsewhere, IPv6", noNetwork, func(outside) error { return dial("tcp6", "[2001:db8::1]:443") }},
	{"a resolver elsewhere, UDP", noNetwork, func(outside) error { return dial("udp", "192.0.2.53:53") }},
	{"metadata of a cloud", noNetwork, func(outside) error { return dial("tcp", "169.254.169.254:80") }},
	{"an abstract socket", []error{unix.ECONNREFUSED}, func(o outside) error { return dial("unix", "@"+o.Abstract) }},
	{"take loopback down", []error{unix.EPERM}, func(outside) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return nil
		}
		defer unix.Close(fd)
		lo, _ := unix.NewIfreq("lo")
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
	}},
	{"make a route", []error{unix.EPERM}, func(outside) error {
		return netlink(unix.RTM_NEWROUTE, unix.RtMsg{Family: unix.AF_INET, Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST}, attribute(unix.RTA_OIF, []byte{1, 0, 0, 0}))
	}},
	{"a raw socket", []error{unix.EPERM}, func(outside) error { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) }},

	// seccomp: sockets
	{"AF_PACKET", []error{unix.EAFNOSUPPORT}, func(outside) error { return socket(unix.AF_PACKET, unix.SOCK_RAW, 0) }},
	{"AF_VSOCK", []error{unix.EAFNOSUPPORT}, func(outside) error { return socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0) }},
	{"AF_ALG", []error{unix.EAFNOSUPPORT}, func(outside) error { return socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0) }},
	{"netlink, audit", []error{unix.EAFNOSUPPORT}, func(outside) error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT) }},
	{"a pair of AF_TIPC", []error{unix.EAFNOSUPPORT}, func(outside) error {
		_, err := unix.Socketpair(unix.AF_TIPC, unix.SOCK_STREAM, 0)
		return err
	}},

	// seccomp: namespaces and mounts
	{"unshare a user namespace", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) }},
	{"clone with one", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)) }},
	{"clone with one, and bits that the kernel does not read", []error{unix.EPERM}, func(outside) error {
		return call(unix.SYS_CLONE, 1<<40|unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD))
	}},
	{"clone3", []error{unix.ENOSYS}, func(outside) error { return call(unix.SYS_CLONE3, 0, 0) }},
	{"setns", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_SETNS, 0, 0) }},
	{"mount", []error{unix.EPERM}, func(outside) error { return unix.Mount("x", "/tmp", "tmpfs", 0, "") }},
	{"bind the root", []error{unix.EPERM}, func(outside) error { return unix.Mount("/", "/tmp", "", unix.MS_BIND|unix.MS_REC, "") }},
	{"take a cover off", []error{unix.EPERM}, func(o outside) error { return unix.Unmount(filepath.Dir(o.Key), unix.MNT_DETACH) }},
	{"remount writable", []error{unix.EPERM}, func(outside) error {
		return unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
	}},
	{"open_tree", []error{unix.EPERM}, func(outside) error { _, err := clone("/"); return err }},
	{"open_tree_attr", []error{unix.EPERM}, func(outside) error { return call(sysOpenTreeAttr, 0, text("/"), 0, 0, 0) }},
	{"fsopen", []error{unix.EPERM}, func(outside) error { _, err := unix.Fsopen("tmpfs", 0); return err }},
	{"move_mount", []error{unix.EPERM}, func(outside) error { return attach(0, "/tmp") }},
	{"pivot_root", []error{unix.EPERM}, func(outside) error { return unix.PivotRoot("/tmp", "/tmp") }},
	{"chroot", []error{unix.EPERM}, func(outside) error { return unix.Chroot("/tmp") }},
	{"a file by its handle", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0) }},

	// seccomp: the kernel
	{"io_uring", []error{unix.ENOSYS}, func(outside) error { return call(unix.SYS_IO_URING_SETUP, 1, 0) }},
	{"keyctl", []error{unix.EPERM}, func(outside) error {
		_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
		return err
	}},
	{"add_key", []error{unix.EPERM}, func(outside) error {
		_, err := unix.AddKey("user", "x", []byte("x"), unix.KEY_SPEC_USER_KEYRING)
		return err
	}},
	{"bpf", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_BPF, 0, 0, 0) }},
	{"perf_event_open", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0) }},
	{"userfaultfd", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_USERFAULTFD, 0) }},
	{"the kernel's log", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_SYSLOG, 3, 0, 0) }},
	{"load a module", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_FINIT_MODULE, 0, text(""), 0) }},
	{"TIOCSTI", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_IOCTL, 0, unix.TIOCSTI, text("x")) }},
	{"TIOCSTI, and bits that the kernel does not read", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_IOCTL, 0, 1<<32|unix.TIOCSTI, text("x")) }},
	{"TIOCLINUX", []error{unix.EPERM}, func(outside) error { return call(unix.SYS_IOCTL, 0, unix.TIOCLINUX, text("x")) }},
	{"set the time", []error{unix.EPERM}, func(outside) error { tv, _ := now(); return unix.Settimeofday(&tv) }},
	{"set the clock", []error{unix.EPERM}, func(outside) error { _, ts := now(); return unix.ClockSettime(unix.CLOCK_REALTIME, &ts) }},
	{"the numbers of another ABI", []error{unix.ENOSYS}, otherABI},

	// no capabilities
	{"name the machine", []error{unix.EPERM}, func(outside) error { name, _ := os.Hostname(); return unix.Sethostname([]byte(name)) }},
	{"make a device", []error{unix.EPERM}, func(outside) error { return unix.Mknod("/tmp/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) }},
	{"be another user", []error{unix.EPERM, unix.EINVAL}, func(o outside) error { return call(unix.SYS_SETUID, uintptr(os.Getuid()+1)) }},
	{"have a capability again", []error{unix.EPERM}, func(outside) error {
		all := [2]unix.CapUserData{{Effective: 1 << unix.CAP_SYS_ADMIN, Permitted: 1 << unix.CAP_SYS_ADMIN}}
		return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &all[0])
	}},
	{"gain one by a program", nil, func(outside) error {
		for c := range uintptr(64) {
			if bounded, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err == nil && bounded != 0 {
				return nil
			}
		}
		return os.ErrNotExist
	}},
	{"a capability of any kind", nil, func(outside) error {
		text, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if name, set, _ := strings.Cut(line, ":"); strings.HasPrefix(name, "Cap") && strings.Trim(set, "0\t\n") != "" {
				return nil
			}
		}
		return os.ErrNotExist
	}},
	{"what root gets by a program", nil, func(outside) error {
		const noRoot = 0x2f // linux/securebits.h
		bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
		return errors.Join(err, absentIf(bits&noRoot == noRoot))
	}},
	{"gain by a set-user-ID program", nil, func(outside) error {
		on, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		if err != nil || on != 1 {
			return err
		}
		for _, path := range []string{"/usr", "/tmp", "/dev/shm", "."} {
			var at unix.Statfs_t
			if err := unix.Statfs(path, &at); err != nil || at.Flags&unix.ST_NOSUID == 0 {
				return err
			}
		}
		return os.ErrNotExist
	}},
	{"dump core", nil, func(outside) error {
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err == nil && limit.Max > 1 {
			return nil
		}
		if unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}) == nil {
			return nil
		}
		return os.ErrNotExist
	}},

	{"be in a namespace of the machine's", nil, func(o outside) error {
		for _, ns := range namespacesOf() {
			if ns == "" || slices.Contains(o.Namespaces, ns) {
				return nil
			}
		}
		return os.ErrNotExist
	}},

	// PID namespace
	{"/proc of an outsider", nil, func(o outside) error { _, err := os.Stat(fmt.Sprintf("/proc/%d/cmdline", o.Pid)); return err }},
	{"signal an outsider", []error{unix.ESRCH}, func(o outside) error { return unix.Kill(o.Pid, 0) }},
	{"trace an outsider", []error{unix.ESRCH}, func(o outside) error { return seize(o.Pid) }},
	{"trace the first process", []error{unix.EPERM}, func(outside) error { return seize(1) }},
	{"the first process's memory", []error{unix.EACCES}, func(outside) error { _, err := os.ReadFile("/proc/1/mem"); return err }},
	{"the first process's descriptors", []error{unix.EACCES}, func(outside) error { _, err := os.Readlink("/proc/1/fd/0"); return err }},
	{"a descriptor of its control socket", nil, func(outside) error {
		entries, err := os.ReadDir("/proc/self/fd")
		for _, entry := range entries {
			to, _ := os.Readlink("/proc/self/fd/" + entry.Name())
			if strings.HasPrefix(to, "socket:") || strings.Contains(to, "/keys") {
				return nil
			}
		}
		return errors.Join(err, os.ErrNotExist)
	}},
	{"a directory that was open", nil, func(outside) error { return inheritedDirectory() }},

	// files
	{"a socket in a directory that is seen", []error{unix.ECONNREFUSED, unix.ENOENT, unix.EACCES}, func(o outside) error { return dial("unix", o.Socket) }},
	{"Docker's socket", nil, func(outside) error { _, err := os.Stat("/var/run/docker.sock"); return err }},
	{"D-Bus's socket", nil, func(outside) error { _, err := os.Stat("/run/dbus/system_bus_socket"); return err }},
	{"the key", nil, func(o outside) error { return readKey(o.Key) }},
	{"the key, by /proc/self/root", nil, func(o outside) error { return readKey("/proc/self/root" + o.Key) }},
	{"the key, by /proc/1/root", nil, func(o outside) error { return readKey("/proc/1/root" + o.Key) }},
	{"the key, by a link", nil, func(o outside) error {
		os.Remove("/tmp/link")
		if err := os.Symlink(o.Key, "/tmp/link"); err != nil {
			return err
		}
		return readKey("/tmp/link")
	}},
	{"the key, by other names", nil, func(o outside) error {
		for _, path := range o.KeyPaths {
			if err := readKey(path); err == nil {
				return nil
			}
		}
		return os.ErrNotExist
	}},
	{"write to what is seen", []error{unix.EROFS, unix.EACCES}, func(o outside) error { return opens(o.Directory, unix.O_TMPFILE) }},
	{"write to the system", []error{unix.EROFS, unix.EACCES}, func(outside) error { return opens("/etc/passwd", 0) }},
	{"what others left, or is mounted now and then", nil, func(outside) error {
		for _, path := range []string{"/tmp", "/var/tmp", "/run", "/home", "/root", "/mnt", "/media", "/boot"} {
			var at unix.Statfs_t
			if err := unix.Statfs(path, &at); err == nil && at.Type != unix.TMPFS_MAGIC {
				return nil
			}
		}
		return os.ErrNotExist
	}},
	{"a mount that can be written to, if Landlock let it", nil, func(o outside) error {
		for _, path := range []string{"/", "/usr", "/etc", "/dev", "/home", "/root", "/run/ghapp-proxy", "/proc/sys", filepath.Dir(o.Key), o.Directory} {
			var at unix.Statfs_t
			if err := unix.Statfs(path, &at); err == nil && at.Flags&unix.ST_RDONLY == 0 {
				return nil
			}
		}
		return os.ErrNotExist
	}},
	{"a program for every user's shell", []error{unix.EROFS, unix.EACCES}, func(outside) error { return opens("/usr/local/bin", unix.O_TMPFILE) }},
	{"core_pattern", []error{unix.EROFS, unix.EACCES}, func(outside) error { return opens("/proc/sys/kernel/core_pattern", 0) }},
	{"sysrq", []error{unix.EROFS, unix.EACCES, unix.ENOENT}, func(outside) error { return opens("/proc/sysrq-trigger", 0) }},
	{"a cgroup", []error{unix.EROFS, unix.EACCES, unix.ENOENT}, func(outside) error {
		defer os.Remove("/sys/fs/cgroup/ghapp-proxy-test")
		return os.Mkdir("/sys/fs/cgroup/ghapp-proxy-test", 0o700)
	}},
	{"what /proc and /sys tell of the machine", nil, func(outside) error {
		for _, path := range []string{"/proc/interrupts", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats"} {
			if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
				return nil
			}
		}
		for _, path := range []string{"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"} {
			if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
				return nil
			}
		}
		return os.ErrNotExist
	}},
	{"the memory of the kernel", nil, func(outside) error { _, err := os.Stat("/dev/mem"); return err }},
	{"FUSE", nil, func(outside) error { _, err := os.Stat("/dev/fuse"); return err }},
	{"a disk", nil, func(outside) error {
		entries, _ := filepath.Glob("/dev/[svn][dv][a-z]*")
		return absentIf(len(entries) == 0)
	}},
	{"other terminals", nil, func(outside) error {
		entries, _ := filepath.Glob("/dev/pts/[0-9]*")
		return absentIf(len(entries) == 0)
	}},
}

// namespacesOf are those of this process.
func namespacesOf() (list []string) {
	for _, kind := range []string{"user", "net", "mnt", "pid", "ipc", "uts"} {
		ns, _ := os.Readlink("/proc/self/ns/" + kind)
		list = append(list, ns)
	}
	return list
}

func absentIf(yes bool) error {
	if yes {
		return os.ErrNotExist
	}
	return nil
}

// inheritedDirectory looks for descriptors of directories.
func inheritedDirectory() error {
	for fd := 3; fd < 64; fd++ {
		var at unix.Stat_t
		if unix.Fstat(fd, &at) == nil && at.Mode&unix.S_IFMT == unix.S_IFDIR {
			return nil
		}
	}
	return os.ErrNotExist
}

// attemptAll makes all attempts, and prints those that came to something.
func attemptAll(what string) int {
	var o outside
	if err := json.Unmarshal([]byte(what), &o); err != nil {
		fmt.Println(err)
		return 1
	}
	failed := 0
	for _, a := range attempts {
		err := a.try(o)
		ok := err != nil && (len(a.stopped) > 0 || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission))
		if len(a.stopped) > 0 {
			ok = false
			for _, why := range a.stopped {
				ok = ok || errors.Is(err, why)
			}
		}
		if !ok {
			failed++
			fmt.Printf("%s: %v, want %v\n", a.name, err, a.stopped)
		}
	}
	fmt.Printf("%d attempts\n", len(attempts))
	return min(failed, 100)
}

// Whoever has taken a command over gets nowhere, as root and as nobody.
func TestEscapes(t *testing.T) {
	needSandbox(t)
	for _, u := range users() {
		t.Run(u.name, func(t *testing.T) {
			w := newWorld(t, u)
			tcp, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer tcp.Close()
			o := outside{
				TCP: tcp.Addr().String(), Abstract: fmt.Sprintf("ghapp-proxy-test-%d-%s", os.Getpid(), u.name), Socket: filepath.Join(w.dir, "seen", "s"),
				Key: filepath.Join(w.dir, "home/keys/app.pem"), Pid: os.Getpid(), Directory: filepath.Join(w.dir, "seen"), Namespaces: namespacesOf(),
			}
			for _, address := range []string{"@" + o.Abstract, o.Socket} {
				ln, err := net.Listen("unix", address)
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
			}
			os.Chmod(o.Socket, 0o777)
			p := plan{Options: Options{Listen: []string{"127.0.0.1:3128"}}}
			if u.uid == 0 {
				bound := w.write(t, "seen/bound", "")
				p.Mounts = [][2]string{{o.Key, bound}}
				o.KeyPaths = append(o.KeyPaths, bound)
			}
			told, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			p.Spec = w.spec("attempt", string(told))
			p.Spec.Read = append(p.Spec.Read, o.Directory)
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			cmd := w.starting(t, p)
			cmd.Args[2] = string(text)
			dir, err := os.Open(filepath.Join(w.dir, "home/keys"))
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			for range 8 { // it has them, and must not hand them on
				cmd.ExtraFiles = append(cmd.ExtraFiles, dir)
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "attempts") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// A process of the sandbox is nobody's to keep: it ends with the command, and with who made the sandbox, also when that is killed.
func TestNothingIsLeft(t *testing.T) {
	needSandbox(t)
	for _, u := range users() {
		t.Run(u.name, func(t *testing.T) {
			w := newWorld(t, u)
			p := plan{Spec: w.spec()}
			p.Spec.Args = []string{"/bin/sh", "-c", "sleep 1000 & echo ready"}
			cmd := w.starting(t, p)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if got := drained(t, out); got != "ready\n" {
				t.Errorf("it printed %q", got)
			}
			cmd.Wait()

			p.Spec.Args = []string{"/bin/sh", "-c", "trap '' TERM HUP INT; echo ready; while :; do sleep 1000; done"}
			cmd = w.starting(t, p)
			if out, err = cmd.StdoutPipe(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ready := make([]byte, 6)
			if _, err := out.Read(ready); err != nil {
				t.Fatal(err)
			}
			cmd.Process.Signal(syscall.SIGKILL)
			drained(t, out)
			cmd.Wait()
		})
	}
}
