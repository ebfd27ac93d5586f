package cli

import (
	"os/exec"
	"syscall"
)

// tellsUsers says that the proxy can tell whose a loopback connection is.
const tellsUsers = true

// endWith makes the child end when the thread that starts it does, and with it
// if this process is killed outright: its proxy would be gone. The caller keeps
// the thread (golang/go#27505).
func endWith(child *exec.Cmd) {
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
