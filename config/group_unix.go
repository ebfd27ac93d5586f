//go:build unix

package config

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a command end with all the children that it has left.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
