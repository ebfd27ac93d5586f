package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// controlFD is the socket to the process that called Start.
const controlFD = 3

// Init is the first process of a sandbox. It returns the exit status of the command.
func Init(args []string) int {
	// Capabilities, no_new_privs, Landlock and seccomp are each thread's own, and a
	// child has those of the thread that forks it.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passedOn...) // before anybody sends one: the first process of a namespace ignores the rest
	file := os.NewFile(controlFD, "control")
	conn, err := net.FileConn(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ghapp-proxy:", initName, "is how run --sandbox calls itself:", err)
		return statusFailed
	}
	file.Close()
	control := conn.(*net.UnixConn)
	say := json.NewEncoder(control)
	listen := json.NewDecoder(control)
	pid, err := prepare(args, listen, control)
	if err != nil {
		said := replyOf(err)
		say.Encode(said) // if nobody hears it, nobody waits for it
		return said.Status
	}
	if pid == 0 {
		return 0
	}
	go func() { // nothing more is said to this process: whoever called Start has ended
		listen.Decode(new(struct{}))
		os.Exit(statusFailed)
	}()
	go func() {
		for sig := range signals {
			syscall.Kill(pid, sig.(syscall.Signal)) // fails only if it has ended
		}
	}()
	return reap(pid, func() { say.Encode(reply{Stopped: true}) })
}

// prepare makes the sandbox and starts the command.
func prepare(args []string, listen *json.Decoder, control *net.UnixConn) (pid int, err error) {
	if err := alone(); err != nil {
		return 0, err
	}
	var opts Options
	if err := listen.Decode(&opts); err != nil {
		return 0, err
	}
	if err := mapUser(args[1], args[2]); err != nil {
		return 0, err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil { // from here on nobody may look into it
		return 0, &Error{Doing: "keep others out", Err: err}
	}
	if err := loopbackUp(opts.Local); err != nil {
		return 0, &Error{Doing: "bring loopback up", Err: err}
	}
	shared, err := newTmpfs("0755", "")
	if err != nil {
		return 0, &Error{Doing: "make a file system", Err: err, Remedy: remedyKernel}
	}
	files, err := openListeners(opts)
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if err != nil {
		return 0, &Error{Doing: "listen", Err: err}
	}
	fds := []int{shared}
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	if err := sendFiles(control, fds); err != nil {
		return 0, err
	}
	var spec Spec
	if err := listen.Decode(&spec); err != nil {
		return 0, err
	}
	if err := layOut(&spec, shared); err != nil {
		return 0, err
	}
	return start(&spec)
}

// alone makes this process end with the one that started it, and sees that no descriptor gets to the command that was open by chance: a directory would lead out.
func alone() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return &Error{Doing: "end with its parent", Err: err}
	}
	if err := unix.CloseRange(controlFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return &Error{Doing: "close descriptors", Err: err, Remedy: remedyKernel}
	}
	return nil
}

// passedOn are the signals that the command gets from outside.
var passedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT}

// reap waits for the command, and for all whose parents have ended, and returns the command's exit
// status. stopped is called when a signal stops it.
func reap(command int, stopped func()) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return statusFailed // there is always the command
		case pid != command:
		case status.Stopped():
			stopped()
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}
