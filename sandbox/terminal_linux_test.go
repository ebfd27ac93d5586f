package sandbox

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// typist is a person at a terminal with a shell.
type typist struct {
	t    *testing.T
	tty  *os.File
	mu   sync.Mutex
	seen string
}

// newTypist starts a shell that has a terminal to itself.
func newTypist(t *testing.T, dir string) *typist {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	shell := exec.Command("bash", "--norc", "--noprofile", "-i")
	shell.Dir, shell.Env = dir, []string{"PATH=/usr/bin:/bin", "PS1=outside> ", "TERM=dumb"}
	tty, err := pty.StartWithSize(shell, &pty.Winsize{Rows: 40, Cols: 123})
	if err != nil {
		t.Fatal(err)
	}
	p := &typist{t: t, tty: tty}
	done := make(chan struct{})
	go func() {
		defer close(done)
		text := make([]byte, 4096)
		for {
			n, err := tty.Read(text)
			p.mu.Lock()
			p.seen += strings.ReplaceAll(string(text[:n]), "\r", "")
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		shell.Process.Kill()
		shell.Wait()
		tty.Close()
		<-done
	})
	return p
}

func (p *typist) types(text string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until the terminal shows something, and forgets all before.
func (p *typist) sees(pattern string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		at := re.FindStringIndex(p.seen)
		if at != nil {
			p.seen = p.seen[at[1]:]
		}
		p.mu.Unlock()
		if at != nil {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.Fatalf("the terminal never showed %q, but:\n%s", pattern, p.seen)
}

// Ctrl-Z, Ctrl-C, the size, and a shell with jobs of its own are as without.
func TestTerminal(t *testing.T) {
	needSandbox(t)
	w := newWorld(t, users()[0])
	start := func(command ...string) string {
		spec := w.spec()
		spec.Args, spec.NewSession, spec.Env = command, false, []string{"PATH=/usr/bin:/bin", "PS1=inside> ", "TERM=dumb"}
		text, err := json.Marshal(plan{Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		return w.exe + " start '" + strings.ReplaceAll(string(text), "'", `'\''`) + "'\n"
	}
	p := newTypist(t, w.work)
	p.sees("outside> ")
	p.types("stty -echo\n")
	p.sees("outside> ")

	p.types(start("/bin/sh", "-c", `echo ready; stty size; tty; read x; echo "got $x"; exit 3`))
	p.sees("ready\n40 123\n/dev/console\n")
	p.types("\x1a")
	p.sees(`Stopped[^\n]*\n`)
	p.sees("outside> ")
	p.types("fg\n")
	time.Sleep(100 * time.Millisecond) // what is typed before it reads again is read all the same
	p.types("this\n")
	p.sees("got this\n")
	p.sees("outside> ")
	p.types("echo status $?\n")
	p.sees("status 3\n")

	p.types(start("/bin/sh", "-c", "echo ready; exec sleep 1000"))
	p.sees("ready\n")
	p.types("\x03")
	p.sees("outside> ")
	p.types("echo status $?\n")
	p.sees("status 130\n")

	p.types(start("bash", "--norc", "--noprofile", "-i"))
	p.sees("inside> ")
	p.types("sleep 1000\n")
	time.Sleep(200 * time.Millisecond) // so that it has the terminal
	p.types("\x1a")
	p.sees(`Stopped +sleep 1000\n`)
	p.sees("inside> ")
	p.types("kill -9 %1; wait\n")
	p.sees("inside> ")
	p.types("jobs; exit 5\n")
	p.sees("outside> ")
	p.types("echo status $?\n")
	p.sees("status 5\n")
}
