package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// startError is why the command did not start, as env(1) says it.
type startError struct {
	status int
	err    error
}

func (e *startError) Error() string { return e.err.Error() }

// start starts the command on this thread's terms: what it must not have is given up first. Without a
// command pid is 0.
func start(spec *Spec) (pid int, err error) {
	var path string
	if len(spec.Args) > 0 {
		if path, err = lookPath(spec.Args[0], spec.Env); err != nil {
			return 0, err
		}
	}
	for _, step := range []struct {
		doing string
		do    func() error
	}{
		// 1, and not 0: with a core_pattern that is a command the kernel takes 0 for "any size" (core(5)).
		{"forbid core dumps", func() error {
			return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1})
		}},
		{"give up capabilities", dropCapabilities},
		{"renounce privileges", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }},
		{"set Landlock's rules", func() error { return landlocked(spec) }},
		{"set a seccomp filter", filterSyscalls},
	} {
		if err := step.do(); err != nil {
			return 0, wrapped(step.doing, err)
		}
	}
	if path == "" {
		return 0, nil
	}
	pid, err = syscall.ForkExec(path, spec.Args, &syscall.ProcAttr{
		Env: spec.Env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: spec.NewSession},
	})
	if err != nil {
		return 0, &startError{statusOf(err), &os.PathError{Op: "run", Path: path, Err: err}}
	}
	return pid, nil
}

// lookPath is exec.LookPath with another environment, and with the files of the sandbox.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	var dirs string
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			dirs = value
		}
	}
	for _, dir := range filepath.SplitList(dirs) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && filepath.IsAbs(path) && !info.IsDir() && unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", &startError{statusNotFound, fmt.Errorf("%s: command not found in the sandbox: install it where it is seen, or show its directory with --read", name)}
}

func statusOf(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return statusNotFound
	}
	return statusCannotRun
}

// dropCapabilities gives up all, for good: also those that a program of root's would get
// when it is run (capabilities(7)).
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // the kernel has no more
		}
		if err != nil {
			return err
		}
	}
	const noRoot = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5 // linux/securebits.h: NOROOT and NO_SETUID_FIXUP, and locks, also of KEEP_CAPS
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	var none [2]unix.CapUserData
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
}

// landlocked has the kernel say once more what the mounts say: nothing is written to but what the
// command may write to. Where it is new enough, no signal, and no connection to a socket with a
// name, leaves the sandbox either. A kernel without Landlock has the mounts alone.
func landlocked(spec *Spec) error {
	writable := []string{"/tmp", "/var/tmp", "/run", "/dev", "/proc"}
	if spec.writesDir() {
		writable = append(writable, spec.Dir)
	}
	if spec.HomeMode == HomeOwn && spec.Home != "" {
		writable = append(writable, spec.Home)
	}
	var files []string
	for _, path := range spec.Write {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			files = append(files, path)
		} else {
			writable = append(writable, path)
		}
	}
	writable = slices.DeleteFunc(writable, func(path string) bool { return path == "/" })
	limits := landlock.V9
	limits.HandledAccessNet = 0 // the network is our own
	rules := []landlock.Rule{
		landlock.RODirs("/").WithIoctlDev(),
		landlock.RWDirs(writable...).WithRefer().WithIoctlDev().IgnoreIfMissing(),
		landlock.RWFiles(files...),
	}
	fd, flags, err := limits.BestEffort().NewRulesetFD(rules...)
	if err != nil || fd < 0 {
		return err
	}
	defer unix.Close(fd)
	return ll.LandlockRestrictSelf(fd, flags)
}
