//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const (
	// clockEnv has TestReplicasClock run: it compiles Go's library anew, which takes minutes.
	clockEnv = "GHAPP_PROXY_CLOCK"
	// offsetEnv is by how many seconds the clock of a program is off that was built by buildOff.
	offsetEnv = "GHAPP_PROXY_CLOCK_OFFSET"
)

// buildOff builds the program with a package time whose clock can be off: no time namespace changes the wall clock, and
// Go asks for it past the C library.
func buildOff(t *testing.T) (program string) {
	t.Helper()
	dir := t.TempDir()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const now = "	sec, nsec, mono := runtimeNow()\n"
	_, rest, found := strings.Cut(string(text), "func Now() Time {\n")
	if !found || !strings.HasPrefix(rest, now) {
		t.Fatalf("time.Now of %s is not what it was: mend this test", runtime.Version())
	}
	changed := strings.Replace(string(text), "func Now() Time {\n"+now, "func Now() Time {\n"+now+"	sec += clockOffset\n", 1)
	offset := "package time\n\nimport \"syscall\"\n\nvar clockOffset = readOffset()\n\nfunc readOffset() (n int64) {\n\ttext, _ := syscall.Getenv(\"" + offsetEnv + "\")\n" +
		"\tfor _, c := range []byte(text) {\n\t\tn = 10*n + int64(c-'0')\n\t}\n\treturn n\n}\n"
	replace := map[string]string{source: filepath.Join(dir, "time.go"), filepath.Join(filepath.Dir(source), "offset.go"): filepath.Join(dir, "offset.go")}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"time.go": []byte(changed), "offset.go": []byte(offset), "overlay.json": overlay} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "ghapp-proxy")
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// TestReplicasClock: a replica whose clock is an hour ahead uses what the others have minted, they what it has, and nothing
// fails.
func TestReplicasClock(t *testing.T) {
	if os.Getenv(clockEnv) == "" {
		t.Skipf("%s is not set: it compiles Go's library anew", clockEnv)
	}
	program := buildOff(t)
	const owners = 60
	f := newFleet(t, owners, "1s")
	f.proxies[1].stop(t)
	if err := os.Remove(filepath.Join(f.dir, "ghapp-proxy")); err != nil { // by which load.start starts it
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(f.dir, "ghapp-proxy")); err != nil {
		t.Fatal(err)
	}
	t.Setenv(offsetEnv, "3600")
	f.restart(t, 1)
	if text := logOf(t, f.proxies[1]); !strings.Contains(text, "listening") {
		t.Fatal(text)
	}
	client := clientOf(f.addresses[1], f.roots)
	f.learnTime(client)
	f.learnTime(client)
	client.CloseIdleConnections()
	before, alone := f.github.Mints(), f.alone(t)
	f.all()
	mints, late := f.github.Mints()-before, f.alone(t)-alone
	if mints < owners || mints > owners+late {
		t.Errorf("%d mints for %d installations, %d for want of an answer in time", mints, owners, late)
	}
	for range 3 { // all hold all, also the one that is ahead
		f.all()
	}
	if again := f.github.Mints() - before - mints; again > f.alone(t)-alone-late {
		t.Errorf("%d mints more", again)
	}
	f.check(t)
	_, metrics := fetch(t, "http://"+f.admins[1]+"/metrics")
	if !strings.Contains(metrics, "ghapp_proxy_github_clock_offset_seconds{host=\"github.com\"} -36") && !strings.Contains(metrics, "ghapp_proxy_github_clock_offset_seconds{host=\"github.com\"} -35") {
		t.Errorf("the replica does not know that it is ahead:\n%s", linesWith(metrics, "clock_offset"))
	}
	for _, p := range f.proxies {
		p.stop(t)
	}
	fmt.Fprintln(t.Output(), mints, "mints for", owners, "installations")
}
