package cli

import "golang.org/x/sys/unix"

// harden keeps other processes of the same user, the tools among them, from
// reading keys and tokens out of this process: out of /proc/PID/environ and
// /proc/PID/mem, with ptrace, or from a core dump (prctl(2), PR_SET_DUMPABLE).
func harden() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
