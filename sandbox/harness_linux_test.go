package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is also the first process of a sandbox, whoever starts one, and the command in it.
func TestMain(m *testing.M) {
	switch args := os.Args; {
	case Called(args[1:]):
		if _, err := os.Lstat(emptiedBeside(args[0])); err == nil {
			emptied = append([]emptyDir{{emptiedBeside(args[0]), "0755", false}}, emptied...)
		}
		os.Exit(Init(args[1:]))
	case len(args) == 3 && args[1] == "start":
		os.Exit(startFor(args[2]))
	case len(args) == 3 && args[1] == "attempt":
		os.Exit(attemptAll(args[2]))
	}
	os.Exit(m.Run())
}

// emptiedBeside is what is one more of the directories that are emptied, where it is beside this program.
func emptiedBeside(exe string) string { return filepath.Join(filepath.Dir(exe), "emptied") }

// plan is what the process that makes a sandbox is told.
type plan struct {
	Options Options
	Spec    Spec
	Mounts  [][2]string // that are made outside before, from and to
}

// startFor makes a sandbox as planned, and is its command's exit status.
func startFor(planned string) int {
	runtime.LockOSThread()
	var p plan
	if err := json.Unmarshal([]byte(planned), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusFailed
	}
	for _, m := range p.Mounts {
		if err := unix.Mount(m[0], m[1], "", unix.MS_BIND, ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return statusFailed
		}
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil { // as cli does
		return statusFailed
	}
	box, err := Start(p.Options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusFailed
	}
	defer box.Close()
	if err := box.Ready(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return statusFailed
	}
	p.Spec.Hide = append(p.Spec.Hide, OutsideSockets()...)
	status, err := box.Run(p.Spec)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return status
}

// user is somebody who makes a sandbox.
type user struct {
	name string
	uid  uint32
}

// users are this one and, where root can be somebody else, nobody.
func users() []user {
	list := []user{{"self", uint32(os.Getuid())}}
	if os.Getuid() == 0 {
		list = append(list, user{"nobody", 65534})
	}
	return list
}

// world is what is outside: directories of a user's, and this program where he can run it.
type world struct {
	user           user
	dir, work, exe string
}

func newWorld(t *testing.T, u user) *world {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{u, dir, filepath.Join(dir, "work"), filepath.Join(dir, "bin", "test")}
	for _, name := range []string{"work", "bin", "home", "home/keys", "seen"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.exe, text, 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(t, "home/keys/app.pem", "CANARY key")
	w.own(t)
	return w
}

// write writes a file outside.
func (w *world) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// own makes everything the user's.
func (w *world) own(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	for dir := w.dir; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755) // the way there
	}
	err := filepath.WalkDir(w.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(w.user.uid), int(w.user.uid))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// spec is a command of this program's in the sandbox.
func (w *world) spec(args ...string) Spec {
	return Spec{
		Args: append([]string{w.exe}, args...), Env: []string{"PATH=/usr/bin:/bin"}, Dir: w.work, Home: filepath.Join(w.dir, "home"), HomeMode: HomeRead,
		Read: []string{filepath.Dir(w.exe)}, Secret: []string{filepath.Join(w.dir, "home/keys/app.pem")}, NewSession: true,
	}
}

// starting is the process that makes a sandbox.
func (w *world) starting(t *testing.T, p plan) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), w.exe, "start", string(text))
	cmd.Dir = w.work
	cmd.WaitDelay = time.Minute
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: w.user.uid, Gid: w.user.uid}
		if w.user.uid == 0 {
			cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNS // for its Mounts
			cmd.SysProcAttr.Credential = nil
		}
	}
	return cmd
}

// run makes a sandbox and returns what it printed, and its exit status.
func (w *world) run(t *testing.T, p plan) (stdout, stderr string, status int) {
	t.Helper()
	cmd := w.starting(t, p)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// needSandbox skips a test where the machine makes none, unless it must.
func needSandbox(t *testing.T) {
	t.Helper()
	for _, found := range Check() {
		switch {
		case found.Err == nil || found.Optional:
		case os.Getenv("GHAPP_PROXY_REQUIRE_SANDBOX") != "":
			t.Fatal(found.Err)
		default:
			t.Skip(found.Err)
		}
	}
}

// drained reads to the end, or fails after a while: whoever could write has ended.
func drained(t *testing.T, r io.Reader) string {
	t.Helper()
	done := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(r)
		done <- string(text)
	}()
	select {
	case text := <-done:
		return text
	case <-time.After(time.Minute):
		t.Fatal("a process of the sandbox is left")
		return ""
	}
}
