package main

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
)

// served is a ghapp-proxy that runs as a process of its own.
type served struct {
	github *githubtest.Server
	dir    string
	pid    int
	env    []string // for clients
}

// serveProcess builds the program and starts it.
func serveProcess(t *testing.T) *served {
	t.Helper()
	s := &served{github: githubtest.Start(t, githubtest.Options{}), dir: t.TempDir()}
	if err := writeConfig(s.dir, s.github); err != nil {
		t.Fatal(err)
	}
	program := buildProgram(t, s.dir)
	config := filepath.Join(s.dir, "config.toml")
	environ := append(os.Environ(), "HOME="+s.dir, "XDG_STATE_HOME="+filepath.Join(s.dir, "state"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	if !hasRoots() {
		environ = append(environ, "SSL_CERT_FILE="+filepath.Join(s.dir, "keys", "github-ca.pem"))
	}
	proxy := exec.Command(program, "serve", "--log-format", "text", "--config", config)
	proxy.Env = environ
	address := startProxy(t, proxy)
	s.pid = proxy.Process.Pid
	s.env = s.environment(t, program, config, "http://"+address, environ)
	return s
}

// buildProgram builds the program as it is shipped.
func buildProgram(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "ghapp-proxy")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// startProxy starts `ghapp-proxy serve`, which is interrupted when the test
// ends, and returns the address that it listens on.
func startProxy(t *testing.T, proxy *exec.Cmd) (address string) {
	t.Helper()
	stderr, err := proxy.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		proxy.Process.Signal(os.Interrupt)
		if err := proxy.Wait(); err != nil {
			t.Errorf("ghapp-proxy serve: %v", err)
		}
	})
	defer time.AfterFunc(time.Minute, func() { proxy.Process.Kill() }).Stop() // or the test waits for ever
	listening := regexp.MustCompile(`msg=listening address=(\S+)`)
	r := bufio.NewReader(stderr)
	for said := ""; address == ""; {
		line, err := r.ReadString('\n')
		if said += line; err != nil {
			t.Fatalf("ghapp-proxy serve ended: %v\n%s", err, said)
		}
		if match := listening.FindStringSubmatch(line); match != nil {
			address = match[1]
		}
	}
	go io.Copy(io.Discard, r) // ends with the process
	return address
}

// environment is what `ghapp-proxy env` prints, for exec.
func (s *served) environment(t *testing.T, program, config, proxyURL string, environ []string) []string {
	t.Helper()
	cmd := exec.Command(program, "env", "--config", config, "--proxy-url", proxyURL)
	cmd.Env = environ
	exports, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	env := environ
	for line := range strings.Lines(string(exports)) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		env = append(env, name+"="+strings.Trim(value, "'"))
	}
	return env
}

// run runs a client of the proxy.
func (s *served) run(t *testing.T, dir string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, s.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// memory returns a figure of the proxy's /proc/PID/status, in bytes.
func (s *served) memory(t *testing.T, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		t.Fatalf("no %s in %s", name, status)
	}
	kb, err := strconv.Atoi(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// Bulk passes through without piling up: a push of 60 MB and a download of
// 1 GiB cost at most 64 MiB of memory.
func TestBulkMemory(t *testing.T) {
	switch {
	case testing.Short():
		t.Skip("moves more than a gigabyte")
	case runtime.GOOS != "linux":
		t.Skip("reads /proc")
	}
	for _, client := range []string{"git", "curl"} {
		if _, err := exec.LookPath(client); err != nil {
			t.Skip(err)
		}
	}
	const allowed = 64 << 20
	s := serveProcess(t)
	s.github.Handle("codeload.github.com", "/acme/widgets/tar.gz/big", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<30))
		for block := make([]byte, 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				return // all of it, or the client has left
			}
		}
	}))
	s.run(t, s.dir, "git", "clone", "-q", "https://github.com/acme/widgets")
	idle := s.memory(t, "VmRSS")

	repo := filepath.Join(s.dir, "widgets")
	noise := make([]byte, 60<<20)
	rand.Read(noise)
	if err := os.WriteFile(filepath.Join(repo, "noise"), noise, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, repo, "git", "add", "noise")
	s.run(t, repo, "git", "commit", "-q", "-m", "noise")
	start := time.Now()
	s.run(t, repo, "git", "push", "-q", "origin", "HEAD:refs/heads/noise")
	t.Logf("pushed 60 MB in %v: peak %d MiB, idle %d MiB", time.Since(start).Round(time.Millisecond), s.memory(t, "VmHWM")>>20, idle>>20)

	start = time.Now()
	s.run(t, s.dir, "curl", "-sSf", "-o", filepath.Join(s.dir, "big"), "https://codeload.github.com/acme/widgets/tar.gz/big")
	if info, err := os.Stat(filepath.Join(s.dir, "big")); err != nil || info.Size() != 1<<30 {
		t.Errorf("downloaded %v, %v", info, err)
	}
	peak := s.memory(t, "VmHWM")
	t.Logf("downloaded 1 GiB in %v: peak %d MiB", time.Since(start).Round(time.Millisecond), peak>>20)
	if peak > idle+allowed {
		t.Errorf("peak memory %d MiB, idle %d MiB, allowed %d more", peak>>20, idle>>20, allowed>>20)
	}
}
