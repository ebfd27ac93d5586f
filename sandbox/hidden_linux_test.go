package sandbox

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Of a directory of its own nothing of a key is seen, also not another that is put in its place.
func TestReplacedKey(t *testing.T) {
	needSandbox(t)
	w := newWorld(t, users()[0])
	p := plan{Spec: w.spec()}
	key := filepath.Join(w.dir, "home/keys/app.pem")
	p.Spec.Args = []string{"/bin/sh", "-c", "echo ready; read x; cat " + key + "; ls " + filepath.Dir(key) + "; echo end"}
	cmd := w.starting(t, p)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := bufio.NewReader(out)
	if line, err := read.ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	other := w.write(t, "home/keys/new.pem", "CANARY another key")
	if err := os.Rename(other, key); err != nil {
		t.Fatal(err)
	}
	in.Write([]byte("\n"))
	if got := drained(t, read); got != "end\n" {
		t.Errorf("it saw %q", got)
	}
	cmd.Wait()
}

// A key with hard links is not hidden in part, and neither is one in the working directory's parent left out.
func TestSecrets(t *testing.T) {
	needSandbox(t)
	w := newWorld(t, users()[0])
	key := filepath.Join(w.dir, "home/keys/app.pem")
	p := plan{Spec: w.spec()}
	p.Spec.Args = []string{"/bin/sh", "-c", "cat " + key + " " + w.work + "/app.pem 2>&1"}
	inWork := w.write(t, "work/app.pem", "CANARY key")
	p.Spec.Secret = append(p.Spec.Secret, inWork)
	p.Spec.Read, p.Spec.Write = append(p.Spec.Read, key), append(p.Spec.Write, key, inWork)
	if out, _, _ := w.run(t, p); strings.Contains(out, "CANARY") {
		t.Errorf("shown by --read or --write: %s", out)
	}
	p.Spec.Read, p.Spec.Write = nil, nil
	if err := os.Link(key, filepath.Join(w.dir, "seen", "link")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := w.run(t, p); status != statusFailed || !strings.Contains(stderr, "app.pem has 2 names, and only one is known") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// One file of a hidden directory that the command is shown shows nothing else of it.
func TestShownOfHidden(t *testing.T) {
	needSandbox(t)
	for _, u := range users() {
		t.Run(u.name, func(t *testing.T) {
			w := newWorld(t, u)
			if err := os.MkdirAll(filepath.Join(w.dir, "home/hidden/deep/pub"), 0o755); err != nil {
				t.Fatal(err)
			}
			known := w.write(t, "home/hidden/known", "known\n")
			w.write(t, "home/hidden/id", "CANARY")
			w.write(t, "home/hidden/deep/pub/file", "deep\n")
			w.write(t, "home/hidden/deep/id", "CANARY")
			w.own(t)
			hidden := filepath.Join(w.dir, "home/hidden")
			p := plan{Spec: w.spec()}
			p.Spec.Hide = append(p.Spec.Hide, hidden)
			p.Spec.Read = append(p.Spec.Read, known)
			p.Spec.Write = append(p.Spec.Write, filepath.Join(hidden, "deep/pub"))
			p.Spec.Args = []string{"/bin/sh", "-c", "cd " + hidden + `
cat known deep/pub/file id deep/id 2>/dev/null; echo x >deep/pub/file && cat deep/pub/file; echo x 2>/dev/null >known || find . -type f | sort`}
			const want = "known\ndeep\nx\n./deep/pub/file\n./known\n"
			if out, errs, _ := w.run(t, p); out != want {
				t.Errorf("it saw %q, want %q (%s)", out, want, errs)
			}
		})
	}
}

// A directory that is emptied can be a link, as /home is on some systems: nothing is seen of others' files where it leads to.
func TestEmptiedLink(t *testing.T) {
	needSandbox(t)
	if os.Getuid() != 0 {
		t.Skip("only root can mount what is outside of /tmp")
	}
	w := newWorld(t, users()[0])
	for _, name := range []string{"seen/user", "seen/other"} {
		if err := os.Mkdir(filepath.Join(w.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		w.write(t, name+"/file", "CANARY of "+name+"\n")
	}
	if err := os.Symlink("/srv", emptiedBeside(w.exe)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		home string
		mode HomeMode
		want string
	}{
		{"/srv/user", HomeRead, "user\nCANARY of seen/user\n"},
		{"/srv/user", HomeOwn, "user\nwritten\n"},
		{"/srv/user", HomeHide, "user\n"},
		{"/srv", HomeOwn, "new\n"}, // the home itself is emptied, as root's is
		{"/srv", HomeHide, ""},
		{filepath.Join(w.dir, "home"), HomeRead, ""},
	} {
		p := plan{Spec: w.spec(), Mounts: [][2]string{{filepath.Join(w.dir, "seen"), "/srv"}}}
		p.Spec.Home, p.Spec.HomeMode = tt.home, tt.mode
		p.Spec.Args = []string{"/bin/sh", "-c", "ls /srv; { echo written >/srv/user/file; echo x >/srv/new; cat /srv/*/file; } 2>/dev/null; ls /srv | grep new"}
		if out, errs, _ := w.run(t, p); out != tt.want {
			t.Errorf("with the home %s, %s, it saw %q, want %q (%s)", tt.home, tt.mode, out, tt.want, errs)
		}
	}
}

// Credentials that the environment has moved are hidden where they are.
func TestMoved(t *testing.T) {
	env := map[string]string{"XDG_CONFIG_HOME": "/cfg", "KUBECONFIG": "/k/a:/k/b", "CARGO_HOME": "/cargo", "NETRC": "relative"}
	got := Moved(func(name string) string { return env[name] })
	for _, want := range []string{"/cfg/gh", "/cfg/gcloud", "/k/a", "/k/b", "/cargo/credentials.toml"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	for _, path := range got {
		if path == "/cfg" || path == "/cargo" || strings.Contains(path, "relative") {
			t.Errorf("%s is hidden", path)
		}
	}
}

// What a command may write to it can, and the rest is the machine's.
func TestWrites(t *testing.T) {
	needSandbox(t)
	for _, u := range users() {
		t.Run(u.name, func(t *testing.T) {
			w := newWorld(t, u)
			p := plan{Spec: w.spec()}
			p.Spec.HomeMode, p.Spec.Write = HomeOwn, []string{filepath.Join(w.dir, "seen")}
			p.Spec.Args = []string{"/bin/sh", "-ec", "cd " + w.work + `
mkdir d; echo text >d/file; mv d/file file; rm -r d; ln file link; cat link
for dir in /tmp /var/tmp /dev/shm /run "` + p.Spec.Home + `" "` + p.Spec.Write[0] + `"; do echo x >"$dir/file"; done
echo >/dev/null; cat /proc/self/comm; head -c1 /dev/urandom >/dev/null`}
			if out, errs, status := w.run(t, p); status != 0 || out != "text\ncat\n" {
				t.Errorf("status %d, %q, %s", status, out, errs)
			}
			for path, want := range map[string]bool{"work/file": true, "work/link": true, "seen/file": true, "home/file": false} {
				if _, err := os.Stat(filepath.Join(w.dir, path)); (err == nil) != want {
					t.Errorf("%s: %v, want it to be there: %v", path, err, want)
				}
			}
		})
	}
}

// Signals do not leave, also where the command is in the group of a job outside.
func TestSignalsStay(t *testing.T) {
	needSandbox(t)
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)
	if errno != 0 || version < 6 {
		t.Skipf("Landlock keeps signals since its 6th version, and this is %d", version)
	}
	w := newWorld(t, users()[0])
	p := plan{Spec: w.spec()}
	p.Spec.NewSession = false
	p.Spec.Args = []string{"/bin/sh", "-c", "trap '' TERM; kill -TERM 0; exit 4"}
	cmd := w.starting(t, p)
	cmd.SysProcAttr.Setpgid = true
	cmd.Run()
	if got := cmd.ProcessState.String(); got != "exit status 4" {
		t.Errorf("who made the sandbox ended with %s", got)
	}
}

// What the machine does not have, and what cannot be, is said.
func TestFaults(t *testing.T) {
	needSandbox(t)
	w := newWorld(t, users()[0])
	for _, fault := range []struct {
		change func(*Spec)
		status int
		says   string
	}{
		{func(s *Spec) {
			s.Home, s.HomeMode = "/no/such/home", HomeHide
			s.Args = []string{"/bin/sh", "-c", "echo fine >&2"}
		}, 0, "fine"},
		{func(s *Spec) { s.Args = []string{"no-such-command"} }, statusNotFound, "command not found in the sandbox"},
		{func(s *Spec) { s.Args = []string{"/etc/passwd"} }, statusCannotRun, "permission denied"},
		{func(s *Spec) { s.Args = []string{"/bin/no-such-command"} }, statusNotFound, "no such file"},
		{func(s *Spec) { s.Dir = filepath.Join(w.dir, "home/keys") }, statusFailed, "the command is to work in"},
		{func(s *Spec) { s.Read = append(s.Read, "/no/such/path") }, statusFailed, "no such file"},
	} {
		p := plan{Spec: w.spec()}
		fault.change(&p.Spec)
		p.Spec.Hide = append(p.Spec.Hide, filepath.Join(w.dir, "home/keys"))
		if _, stderr, status := w.run(t, p); status != fault.status || !strings.Contains(stderr, fault.says) {
			t.Errorf("status %d, %q, want %d, %q", status, stderr, fault.status, fault.says)
		}
	}
}
