package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/cli"
	"ghapp-proxy/githubtest"
)

// stops are the commands of the tour.
var stops = []struct{ what, command string }{
	{"An App route gets the App's JWT", "curl -sS https://api.github.com/app -o /dev/null"},
	{"A private repository gets a token of its owner's installation", "curl -sS https://api.github.com/repos/acme/widgets -o /dev/null"},
	{"Another owner, another App", "curl -sS https://api.github.com/repos/globex/tools -o /dev/null"},
	{"An owner that the configuration does not list is looked up", "curl -sS https://api.github.com/repos/initech/paper -o /dev/null"},
	{"A credential of the tool's own is replaced", "curl -sS -H 'Authorization: token stale' https://api.github.com/repos/acme/widgets -o /dev/null"},
	{"git clones a private repository, and is asked for no password", "git clone -q https://github.com/acme/widgets"},
	{"A token minted through the proxy would be a credential in the tool's hands", "curl -sS -X POST https://api.github.com/app/installations/111/access_tokens"},
}

// tour starts a proxy, shows what it does, and stays up until ctx ends.
func tour(ctx context.Context, github *githubtest.Server, dir, config string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := newProxyLog()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		cli.Run(ctx, []string{"serve", "--config", config, "--log-format", "json"}, io.Discard, log)
		log.Close()
	})
	defer cancel()
	address, err := log.address(ctx)
	if err != nil {
		return err
	}
	var exports bytes.Buffer
	if status := cli.Run(ctx, []string{"env", "--config", config, "--proxy-url", "http://" + address}, &exports, os.Stderr); status != 0 {
		return errors.New("ghapp-proxy env failed")
	}
	script := filepath.Join(dir, "env.sh")
	if err := os.WriteFile(script, exports.Bytes(), 0o600); err != nil {
		return err
	}

	fmt.Printf("A fake GitHub is at %s; ghapp-proxy is at http://%s in front of it.\n", github.Addr(), address)
	for _, stop := range stops {
		tool, _, _ := strings.Cut(stop.command, " ")
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Printf("\n(%s is not installed: %s)\n", tool, stop.command)
			continue
		}
		fmt.Printf("\n# %s\n$ %s\n", stop.what, stop.command)
		if err := visit(ctx, github, log, dir, stop.command); err != nil {
			return err
		}
	}

	fmt.Printf(`
Try it yourself, in another shell, until you press Ctrl-C here:

  . %s
  gh repo view acme/widgets
  git clone https://github.com/initech/paper
  curl https://api.github.com/repos/acme/widgets/issues

The configuration is %s.
`, script, config)
	<-ctx.Done()
	return nil
}

// visit runs one command of the tour, and shows what it sent and what arrived.
func visit(ctx context.Context, github *githubtest.Server, log *proxyLog, dir, command string) error {
	github.Reset()
	cmd := exec.CommandContext(ctx, "sh", "-c", ". ../env.sh; "+command)
	cmd.Dir = filepath.Join(dir, "tour")
	if err := os.MkdirAll(cmd.Dir, 0o700); err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Println("  ", err)
	}
	time.Sleep(50 * time.Millisecond) // the proxy logs a request when it has ended
	for _, line := range log.requests() {
		fmt.Println("  the tool sent    " + line)
	}
	for _, request := range github.Requests() {
		fmt.Println("  GitHub received  " + received(request))
	}
	return nil
}

// proxyLog reads the proxy's log: it is an io.Writer of JSON lines.
type proxyLog struct {
	*io.PipeWriter
	listening chan string

	mu    sync.Mutex
	lines []string // of requests, since they were last asked for
}

func newProxyLog() *proxyLog {
	r, w := io.Pipe()
	log := &proxyLog{PipeWriter: w, listening: make(chan string, 1)}
	go log.read(r)
	return log
}

func (l *proxyLog) read(r io.Reader) {
	defer close(l.listening)
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var line struct {
			Msg, Address, Method, Host, Path, Replaced string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			fmt.Fprintln(os.Stderr, lines.Text()) // not the log: an error
			continue
		}
		switch line.Msg {
		case "listening":
			l.listening <- line.Address
		case "request":
			own := "no credential"
			if line.Replaced != "" {
				own = `"Authorization: ` + line.Replaced + ` …"`
			}
			l.mu.Lock()
			l.lines = append(l.lines, fmt.Sprintf("%-4s https://%s%s with %s", line.Method, line.Host, line.Path, own))
			l.mu.Unlock()
		}
	}
}

// address waits until the proxy listens.
func (l *proxyLog) address(ctx context.Context) (string, error) {
	select {
	case address, ok := <-l.listening:
		if !ok {
			return "", errors.New("the proxy did not start")
		}
		return address, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// requests returns the requests since it was last called.
func (l *proxyLog) requests() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}
