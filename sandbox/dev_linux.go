package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// devices are those that every program may expect, and that lead nowhere.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// makeDev makes a /dev with these, with terminals and shared memory of its own.
func makeDev() error {
	dev, err := newTmpfs("0755", "")
	if err != nil {
		return err
	}
	defer unix.Close(dev)
	at := fmt.Sprintf("/proc/self/fd/%d/", dev) // until it is at /dev, which has the devices now
	for _, name := range devices {
		if err := os.WriteFile(at+name, nil, 0o666); err != nil {
			return err
		}
		if err := bind("/dev/"+name, at+name); err != nil {
			return err
		}
	}
	for _, dir := range []string{"pts", "shm"} {
		if err := os.Mkdir(at+dir, 0o755); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"} {
		if err := os.Symlink(to, at+name); err != nil {
			return err
		}
	}
	if err := showTerminal(at + "console"); err != nil {
		return err
	}
	if err := attach(dev, "/dev"); err != nil {
		return err
	}
	if err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"); err != nil {
		return &os.PathError{Op: "mount on", Path: "/dev/pts", Err: err}
	}
	if err := tmpfs("/dev/shm", "1777"); err != nil {
		return err
	}
	return restrict("/dev", unix.MOUNT_ATTR_RDONLY, 0)
}

// showTerminal shows the terminal of the standard streams, if they have one: ttyname(3) looks for it
// in /dev, and its own name there is of a file system that is not seen.
func showTerminal(at string) error {
	for _, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if !term.IsTerminal(int(file.Fd())) {
			continue
		}
		path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd())) // the open one is of the namespace outside
		if err != nil {
			return err
		}
		open, err := file.Stat()
		if err != nil {
			return err
		}
		if named, err := os.Stat(path); err != nil || !os.SameFile(open, named) {
			continue // it has no name here
		}
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			return err
		}
		return bind(path, at)
	}
	return nil
}

// makeProc mounts a /proc of this PID namespace. What in it is not of a process is read-only or covered:
// root inside may be root outside, whom the kernel lets write there without a capability. The lists are those
// of Docker (opencontainers/runtime-spec, "maskedPaths" and "readonlyPaths").
func makeProc() error {
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return &Error{Doing: "mount /proc", Err: err, Remedy: "this container covers parts of its own /proc, and the kernel lets nobody see behind that: start it with --security-opt systempaths=unconfined, or give the command a container of its own (docs/sandbox.md, Docker)"}
	}
	for _, path := range []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"} {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if err := bind(path, path); err != nil {
			return err
		}
		if err := restrict(path, unix.MOUNT_ATTR_RDONLY, unix.AT_RECURSIVE); err != nil {
			return err
		}
	}
	for _, path := range []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kmsg", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
	} {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			continue
		case info.IsDir():
			err = tmpfs(path, "0500")
		default:
			err = bind("/dev/null", path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
