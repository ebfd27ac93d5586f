//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/githubtest"
)

// The first process of a sandbox is told nothing that the command must not know. Whichever process is killed outright, nothing is left: no process, and so no namespace and no socket, no mount, no file.
func TestSandboxLeavesNothing(t *testing.T) {
	if !makesSandboxes() {
		t.Skip("this machine makes no sandbox")
	}
	github, err := githubtest.Demo(githubtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer github.Close()
	for _, victim := range []struct {
		name   string
		depth  int // below the one that was started
		status string
	}{
		{"who made it, and the proxy", 0, "signal: killed"},
		{"its first process", 1, "exit status 137"},
		{"the command", 2, "exit status 137"},
	} {
		t.Run(victim.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := writeConfig(dir, github); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"work", "tmp", "run", "state", "home"} {
				if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			before, mounts := pathsIn(t, dir), mountsHere(t)
			cmd := exec.Command("ghapp-proxy", "run", "--sandbox", "--", "sh", "-c", "sleep 1000 & readlink /proc/self/ns/net; sleep 1000")
			cmd.Dir = filepath.Join(dir, "work")
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home"), "GHAPP_PROXY_CONFIG=" + filepath.Join(dir, "config.toml"), "SSL_CERT_FILE=" + filepath.Join(dir, "keys/github-ca.pem"),
				"TMPDIR=" + filepath.Join(dir, "tmp"), "XDG_RUNTIME_DIR=" + filepath.Join(dir, "run"), "XDG_STATE_HOME=" + filepath.Join(dir, "state"),
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			read := bufio.NewReader(out)
			line, err := read.ReadString('\n')
			network := strings.TrimSpace(line)
			if in := inNetwork(network); err != nil || len(in) < 3 {
				cmd.Process.Kill()
				t.Fatalf("%q, %v: in it are %v", line, err, in)
			}
			pid := cmd.Process.Pid
			if env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", childOf(t, pid))); len(env) > 0 { // which root alone can read
				t.Errorf("the first process has the environment %q", env)
			}
			for range victim.depth {
				pid = childOf(t, pid)
			}
			syscall.Kill(pid, syscall.SIGKILL)
			late := time.AfterFunc(time.Minute, func() {
				for _, pid := range append(inNetwork(network), cmd.Process.Pid) {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			})
			io.Copy(io.Discard, read) // until nobody has it
			if !late.Stop() {
				t.Error("a process was left for a minute")
			}
			if err := cmd.Wait(); err == nil || err.Error() != victim.status {
				t.Errorf("it ended with %v, want %s", err, victim.status)
			}
			deadline := time.Now().Add(time.Minute)
			for len(inNetwork(network)) > 0 && time.Now().Before(deadline) {
				time.Sleep(10 * time.Millisecond)
			}
			if left := inNetwork(network); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
			if after := pathsIn(t, dir); !slices.Equal(after, before) {
				t.Errorf("there are %q, before there were %q", after, before)
			}
			for _, mount := range mountsHere(t) {
				if !slices.Contains(mounts, mount) && strings.Contains(mount, dir) {
					t.Errorf("%s is mounted", mount)
				}
			}
		})
	}
}

// inNetwork are the processes in a network namespace.
func inNetwork(network string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == network {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

// childOf is the first child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			child, err := strconv.Atoi(fields[0])
			if err != nil {
				t.Fatal(err)
			}
			return child
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}

// pathsIn are the paths below a directory.
func pathsIn(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// mountsHere are the mounts that this process sees.
func mountsHere(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}
