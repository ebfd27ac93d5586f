package sandbox

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Check tries what a sandbox needs.
func Check() []Finding {
	runtime.LockOSThread() // see Start
	defer runtime.UnlockOSThread()
	box, err := Start(Options{})
	if err == nil {
		defer box.Close()
		err = box.Ready()
	}
	found := []Finding{{What: "namespaces", Err: err}}
	if err == nil {
		_, err := box.Run(Spec{Dir: "/", HomeMode: HomeHide})
		found = append(found, Finding{What: "files, /proc, seccomp", Err: err})
	}
	return append(found, Finding{What: "Landlock, a second bound to what is written", Err: landlockError(), Optional: true})
}

// landlockError is why there is no Landlock.
func landlockError() error {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version); errno != 0 {
		return errno
	}
	return nil
}
