//go:build unix

package proxy_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/policy"

	"golang.org/x/sys/unix"
)

// fewFiles tells this test's process that it is the child.
const fewFiles = "GHAPP_PROXY_TEST_FEW_FILES"

// TestOutOfFiles: when strangers use up what the process may open, those who have a
// connection are served on, and the log says what is wrong.
func TestOutOfFiles(t *testing.T) {
	if os.Getenv(fewFiles) != "" {
		serveWithFewFiles(t)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOutOfFiles$")
	child.Env = append(os.Environ(), fewFiles+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer stdin.Close() // which ends it
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "127.") {
		t.Fatalf("the child says %q", lines.Text())
	}
	addr := lines.Text()
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("agent", agentSecret), Host: addr})}}
	defer client.CloseIdleConnections()
	ask := func(when string) {
		t.Helper()
		if status, text := get(t, client, "http://api.github.com/repos/acme/widgets"); status != 200 {
			t.Errorf("%s: %d %s", when, status, text)
		}
	}
	ask("before")
	for range 400 { // they say nothing
		conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	for range 20 {
		ask("while strangers have used up the rest")
	}
	fmt.Fprintln(stdin, "what does the log say?")
	for lines.Scan() && lines.Text() != "end" {
		if strings.Contains(lines.Text(), "too many open files: new connections wait") && strings.Contains(lines.Text(), "limit=200") {
			return
		}
	}
	t.Error("the log does not say it")
}

// serveWithFewFiles serves until standard input ends.
func serveWithFewFiles(t *testing.T) {
	limit := unix.Rlimit{Cur: 200, Max: 200}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		fmt.Println(err)
		return
	}
	w := limitedTo(t, policy.Limits{}, nil)
	fmt.Println(w.addr)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(w.log.String() + "\nend")
	}
}
