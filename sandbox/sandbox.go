// Package sandbox runs a command in which nothing is left of the machine but its
// files, without what is hidden, and of the network a loopback of its own, on which
// this process serves. It needs no privilege.
//
//	box, err := sandbox.Start(sandbox.Options{Listen: []string{"127.0.0.1:3128"}})
//	…
//	defer box.Close()
//	err = box.Ready()
//	go proxy.Serve(box.Listeners[0])
//	os.WriteFile(filepath.Join(box.Shared, "ca.pem"), ca, 0o644) // the command finds it in SharedDir
//	status, err := box.Run(sandbox.Spec{Args: []string{"gh", "pr", "list"}, Env: env, Dir: dir, Home: home})
//
// Start runs this program again, as the first process of new user, network, mount,
// PID, IPC and UTS namespaces: its main must call Init if it is called so (Called).
// That process opens the listeners and hands them out by SCM_RIGHTS, so there is no
// route out of its network, and nothing in it that could be asked for one. It has
// no key: it begins with an empty environment, and is told only what the command may
// know. It then lays out the files, and starts the command without capabilities, with
// no_new_privs, Landlock where the kernel has it, and a seccomp filter.
//
// # What ends when
//
// The command's end is the end of all that it has started. When the process that called
// Start ends, however it does, the sandbox does: its first process is killed with
// it, and the kernel kills the rest. Nothing is left on a disk.
//
// # Limitations
//
// Linux 5.12 or newer, and whatever else Check finds missing. Files are hidden by
// their names: of a file with several, all must be known, so one with hard links is
// refused. A socket that somebody makes later, in a directory that the command sees, it
// can connect to before Landlock's ninth ABI. What the command may write, others
// may read and run later, outside: review a checkout as you would a stranger's.
package sandbox

import (
	"errors"
	"net/netip"
	"strings"
)

// Options say what Start makes.
type Options struct {
	Listen  []string // TCP addresses inside the sandbox, "127.0.0.1:3128"
	Packets []string // UDP addresses
	// Local are networks of which every address is the sandbox's own: who connects to one gets to what
	// listens on all addresses. The first address of each is loopback's.
	Local []netip.Prefix
}

// HomeMode says what a command sees of its user's home.
type HomeMode string

// What a command sees of the home.
const (
	HomeRead HomeMode = "read" // all that is not hidden, and changes nothing
	HomeHide HomeMode = "hide" // nothing, and can write nothing there
	HomeOwn  HomeMode = "own"  // an empty one, which ends with the sandbox
)

// Spec says what to run, and what it may see. Paths are absolute.
type Spec struct {
	Args []string // Args[0] is looked for in the PATH of Env; none: all is made ready, and nothing run
	Env  []string
	Dir  string // the working directory; the command may write to it, unless the home is in it

	Home     string
	HomeMode HomeMode

	Secret []string // hidden in all cases, with the directory of each where that is of no use to the command
	Hide   []string // hidden, save for what is in Read and Write
	Read   []string // seen, wherever it is
	Write  []string // seen, and may be written to
	Bind   []Bind   // what is seen in place of other files
	Roots  string   // the shared file of what is trusted, for where OpenSSL has a directory only
	// NewSession gives the command a session of its own: where there is no terminal.
	NewSession bool
}

// writesDir reports whether the working directory may be written to without being
// named. In the home, a shell's profile would lead out.
func (s *Spec) writesDir() bool { return s.Home == "" || !within(s.Home, s.Dir) }

// within reports whether a path is a directory or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// Bind shows a file of SharedDir in the place of others: those that a pattern of filepath.Glob matches,
// as the command sees them.
type Bind struct{ Name, At string }

// SharedDir is where the command sees what is written to Sandbox.Shared.
const SharedDir = "/run/ghapp-proxy"

// initName is the argument by which this program is the first process of a sandbox.
const initName = "sandbox-init"

// Called reports whether a program with these arguments is to call Init.
func Called(args []string) bool { return len(args) == 3 && args[0] == initName }

// Error is why a sandbox could not be made, and what to do about it.
type Error struct {
	Doing  string // what did not work: "make namespaces"
	Err    error
	Remedy string
}

func (e *Error) Error() string {
	text := "the sandbox: " + e.Doing + ": " + e.Err.Error()
	if e.Remedy != "" {
		text += ": " + e.Remedy
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// ErrInside is why there is no sandbox within another: its command may make no namespaces, and of the processes in one
// network the proxy cannot tell whose limits are narrower.
var ErrInside = errors.New("this is a sandbox of ghapp-proxy already, and there is none within: run the command as it is; what it may do, whoever starts the outer one says")

// Finding is what Check found of one thing that a sandbox needs.
type Finding struct {
	What     string
	Err      error // nil if it is there
	Optional bool  // there is a sandbox without it
}
