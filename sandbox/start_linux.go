package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sandbox is one that is made, waits for its command, or runs it.
type Sandbox struct {
	Listeners []net.Listener   // for Options.Listen
	Packets   []net.PacketConn // for Options.Packets
	Shared    string           // a directory, as this process names it, which the command sees as SharedDir

	opts   Options
	init   *exec.Cmd
	conn   *net.UnixConn
	shared *os.File
	ended  bool
}

// Needed in the user namespace until the command starts: to map the user, to
// listen on any port, to bring loopback up, to mount and to drop capabilities.
var setupCapabilities = []uintptr{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SETPCAP, unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_ADMIN, unix.CAP_SYS_ADMIN}

const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// startTime bounds what the first process does before there is a command.
const startTime = 30 * time.Second

// Start begins to make a sandbox; call Ready. It ends with the thread that calls this, which the caller
// keeps (runtime.LockOSThread) until Close. Close must be called.
//
// The first process maps its own user: this one cannot, as nobody may look into it
// (PR_SET_DUMPABLE), and the files of a process that it forks are root's therefore.
func Start(opts Options) (*Sandbox, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &Error{Doing: "make a socket", Err: err}
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "sandbox"), os.NewFile(uintptr(pair[1]), "sandbox")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, &Error{Doing: "make a socket", Err: err}
	}
	s := &Sandbox{conn: conn.(*net.UnixConn)}
	s.init = exec.Command("/proc/self/exe", initName, strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid()))
	s.init.Args[0] = os.Args[0]
	s.init.Env = []string{} // nil would be ours
	s.init.Stdin, s.init.Stdout, s.init.Stderr = os.Stdin, os.Stdout, os.Stderr
	s.init.ExtraFiles = []*os.File{theirs}
	s.init.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, AmbientCaps: setupCapabilities, Pdeathsig: syscall.SIGKILL}
	if err := s.init.Start(); err != nil {
		conn.Close()
		return nil, cannotClone(err)
	}
	if err := json.NewEncoder(s.conn).Encode(opts); err != nil {
		s.Close()
		return nil, &Error{Doing: "tell its first process", Err: err}
	}
	s.opts = opts
	return s, nil
}

// Ready waits for the sandbox, and sets Listeners, Packets and Shared.
func (s *Sandbox) Ready() error {
	opts := s.opts
	s.conn.SetDeadline(time.Now().Add(startTime))
	defer s.conn.SetDeadline(time.Time{})
	var said reply
	files, err := receiveFiles(s.conn, &said)
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	switch {
	case err != nil:
		return &Error{Doing: "hear from its first process", Err: err}
	case said.failed():
		return said.err()
	case len(files) != 1+len(opts.Listen)+len(opts.Packets):
		return &Error{Doing: "take its listeners", Err: fmt.Errorf("%d descriptors came", len(files))}
	}
	for i, f := range files[1:] { // each is copied
		var err error
		if i < len(opts.Listen) {
			s.Listeners, err = appended(s.Listeners, f, net.FileListener)
		} else {
			s.Packets, err = appended(s.Packets, f, net.FilePacketConn)
		}
		if err != nil {
			return &Error{Doing: "take its listeners", Err: err}
		}
	}
	s.shared, files = files[0], files[1:]
	s.Shared = fmt.Sprintf("/proc/self/fd/%d", s.shared.Fd())
	return nil
}

func appended[T any](list []T, f *os.File, open func(*os.File) (T, error)) ([]T, error) {
	one, err := open(f)
	if err != nil {
		return list, err
	}
	return append(list, one), nil
}

// Run runs the command, once, and returns its exit status, as a shell would say it.
// The error is why it did not start, with a status of env(1)'s.
func (s *Sandbox) Run(spec Spec) (status int, err error) {
	if err := json.NewEncoder(s.conn).Encode(spec); err != nil {
		return statusFailed, &Error{Doing: "tell its first process", Err: err}
	}
	// Ctrl-Z is for the command: where that stops, this process does.
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, syscall.SIGTSTP)
	defer signal.Stop(stops)
	failed := reply{}
	for answers := json.NewDecoder(s.conn); ; {
		var said reply
		if err := answers.Decode(&said); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				failed = reply{Doing: "hear from its first process", Fault: err.Error(), Status: statusFailed}
			}
			break // it ends
		}
		if said.failed() {
			failed = said
		}
		if said.Stopped {
			stopWith()
		}
	}
	err = s.init.Wait()
	s.ended = true
	switch exit := (*exec.ExitError)(nil); {
	case failed.failed():
		return failed.Status, failed.err()
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return statusFailed, err
	default:
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return exit.ExitCode(), nil
	}
}

// stopWith stops this process as its command was stopped: whoever waits for a job that
// Ctrl-Z stops has to see it. The shell continues both.
func stopWith() { syscall.Kill(os.Getpid(), syscall.SIGSTOP) }

// Signal sends the command a signal.
func (s *Sandbox) Signal(sig os.Signal) error { return s.init.Process.Signal(sig) }

// Close ends the sandbox and all that runs in it, if it has not ended yet.
func (s *Sandbox) Close() {
	s.conn.Close()
	for _, ln := range s.Listeners {
		ln.Close()
	}
	for _, conn := range s.Packets {
		conn.Close()
	}
	if s.shared != nil {
		s.shared.Close()
	}
	if !s.ended {
		s.init.Process.Kill()
		s.init.Wait()
		s.ended = true
	}
}
