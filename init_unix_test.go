//go:build unix

package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// needsTerminal skips a test where the system has no pseudo-terminals, as in a bare
// chroot.
func needsTerminal(t *testing.T) {
	t.Helper()
	terminal, tty, err := pty.Open()
	if err != nil && os.Getenv("GHAPP_PROXY_REQUIRE_CLIENTS") == "" {
		t.Skip("there are no pseudo-terminals: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	tty.Close()
}

// TestInitAsks answers its questions at a terminal, some of them wrongly first.
func TestInitAsks(t *testing.T) {
	needsTerminal(t)
	cmd, github, home := initCommand(t)
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	shown := &screen{}
	go io.Copy(shown, terminal)
	answer := func(question string, times int, text string) {
		t.Helper()
		shown.waitFor(t, question, times)
		if _, err := io.WriteString(terminal, text+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	const id, key, which = "App id or client id", "private key (.pem):", "nothing for all:"
	answer(id, 1, "ci-bot!")
	answer(key, 1, "keys/github-ca.pem")
	shown.waitFor(t, "--client-id: not a client id", 1)
	shown.waitFor(t, "--key: "+home+"/keys/github-ca.pem: a certificate: the App's private key is needed", 1)
	answer(id, 2, "")
	answer(id, 3, "99999")
	answer(key, 2, "~/keys/ci-bot.pem")
	shown.waitFor(t, "github.com has no such App", 1)
	answer(id, 4, "12345")
	shown.waitFor(t, "GitHub accepts the key: it is that of the App ci-bot (id 12345).", 1)
	shown.waitFor(t, "444        umbrella (suspended)", 1)
	answer(which, 1, "nobody")
	shown.waitFor(t, `no installation "nobody": it has 111 (acme), 333 (initech), 444 (umbrella)`, 1)
	answer(which, 2, "111, Initech")
	answer("/config.toml? [Y/n]", 1, "y")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, shown)
	}
	shown.waitFor(t, "ghapp-proxy run -- gh repo list acme", 1)
	text, err := os.ReadFile(filepath.Join(home, ".config/ghapp-proxy/config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nid = 12345\n", "\ndiscover = false\n", "\nacme = 111\ninitech = 333\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text)+shown.String(), "hushhush") || len(github.Leaks([]byte(string(text)+shown.String()))) > 0 {
		t.Errorf("there is a secret in\n%s\n%s", text, shown)
	}
}

// TestInitInterrupted: whoever interrupts it, at whatever question, has the terminal
// as it was, and no file.
func TestInitInterrupted(t *testing.T) {
	needsTerminal(t)
	press := func(key byte) func(*os.File, *os.Process) error {
		return func(terminal *os.File, _ *os.Process) error { _, err := terminal.Write([]byte{key}); return err }
	}
	end := func(_ *os.File, p *os.Process) error { return p.Signal(syscall.SIGTERM) }
	for _, test := range []struct {
		name      string
		at        int // the question
		interrupt func(*os.File, *os.Process) error
	}{
		{"Ctrl-C at the first", 0, press(3)}, {"Ctrl-C at the second", 1, press(3)}, {"Ctrl-C at the third", 2, press(3)}, {"Ctrl-C at the last", 3, press(3)},
		{"Ctrl-D", 1, press(4)}, {"SIGTERM", 3, end},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			interruptInit(t, test.at, test.interrupt)
		})
	}
}

func interruptInit(t *testing.T, at int, interrupt func(*os.File, *os.Process) error) {
	steps := []struct{ question, answer string }{{"App id or client id", "12345"}, {"private key (.pem):", "keys/ci-bot.pem"}, {"nothing for all:", ""}, {"[Y/n]", ""}}
	cmd, _, home := initCommand(t)
	before := filesIn(t, home)
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	defer tty.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	state, err := term.GetState(int(tty.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown := &screen{}
	go io.Copy(shown, terminal)
	for _, step := range steps[:at] {
		shown.waitFor(t, step.question, 1)
		if _, err := io.WriteString(terminal, step.answer+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	shown.waitFor(t, steps[at].question, 1)
	if err := interrupt(terminal, cmd.Process); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	shown.waitFor(t, "interrupted: nothing was written", 1)
	if after, err := term.GetState(int(tty.Fd())); err != nil || *after != *state {
		t.Errorf("the terminal is in another state (%v)", err)
	}
	if now := filesIn(t, home); now != before {
		t.Errorf("there are files: %s", now)
	}
}

// filesIn lists what is below a directory.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { all = append(all, path); return err }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}
