package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"ghapp-proxy/cli"
	"ghapp-proxy/githubtest"
)

// request is one stop of the tour: what curl is told, or git.
type request struct {
	what, method, url string
	authorization     string
	show              bool // the answer
	git               bool // clone the url instead
}

const api = "https://api.github.com"

var stops = []request{
	{what: "An App route gets the App's JWT", url: api + "/app"},
	{what: "A private repository gets a token of its owner's installation", url: api + "/repos/acme/widgets"},
	{what: "Another owner, another App", url: api + "/repos/globex/tools"},
	{what: "An owner that the configuration does not list is looked up", url: api + "/repos/initech/paper"},
	{what: "A credential of the tool's own is replaced", url: api + "/repos/acme/widgets", authorization: "token stale"},
	{what: "git clones a private repository, and is asked for no password", url: "https://github.com/acme/widgets", git: true},
	{what: "A token minted through the proxy would be a credential in the tool's hands",
		method: http.MethodPost, url: api + "/app/installations/111/access_tokens", show: true},
}

// command is the stop as a line for the shell.
func (r request) command() string {
	if r.git {
		return "git clone -q " + r.url
	}
	command := "curl -sS"
	if r.authorization != "" {
		command += " -H 'Authorization: " + r.authorization + "'"
	}
	if r.method != "" {
		command += " -X " + r.method
	}
	command += " " + r.url
	if !r.show {
		command += " -o /dev/null"
	}
	return command
}

// tour starts a proxy, and shows what it does. With stay, it is there until ctx
// ends.
func tour(ctx context.Context, github *githubtest.Server, dir, config string, stay bool) error {
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
	g, err := newGuide(ctx, github, log, dir, config, "http://"+address)
	if err != nil {
		return err
	}
	fmt.Printf("A fake GitHub is at %s; ghapp-proxy is at http://%s in front of it.\n", github.Addr(), address)
	g.announce()
	var errs []error
	for _, stop := range stops {
		errs = append(errs, g.visit(ctx, stop))
	}
	if !stay {
		return errors.Join(errs...)
	}
	fmt.Printf(`
Try it yourself, in another shell, until you press Ctrl-C here:

  . %s
  gh repo view acme/widgets
  git clone https://github.com/initech/paper
  curl https://api.github.com/repos/acme/widgets/issues

The configuration is %s.
`, g.script, config)
	<-ctx.Done()
	return errors.Join(errs...)
}

// guide leads through the stops.
type guide struct {
	github  *githubtest.Server
	log     *proxyLog
	dir     string   // where the commands run
	script  string   // sets the variables that they need
	fetcher *fetcher // asks instead of curl; nil where that is installed
	git     bool     // whether it is installed
}

func newGuide(ctx context.Context, github *githubtest.Server, log *proxyLog, dir, config, proxy string) (*guide, error) {
	g := &guide{github: github, log: log, dir: filepath.Join(dir, "tour"), script: filepath.Join(dir, "env.sh"), git: githubtest.HasGit()}
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		return nil, err
	}
	var exports bytes.Buffer
	if status := cli.Run(ctx, []string{"env", "--config", config, "--proxy-url", proxy}, &exports, os.Stderr); status != 0 {
		return nil, errors.New("ghapp-proxy env failed")
	}
	if err := os.WriteFile(g.script, exports.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("curl"); err == nil {
		return g, nil
	}
	var err error
	g.fetcher, err = newFetcher(ctx, config, proxy)
	return g, err
}

// announce says what to install for the whole tour.
func (g *guide) announce() {
	if g.fetcher != nil {
		fmt.Println("curl is not installed, so the demo itself asks what curl would; install it to see a tool do so.")
	}
	if !g.git {
		fmt.Println("git is not installed: install it for the rest of the tour, since without it there is nothing to clone.")
	}
}

// visit shows what one command sent and what arrived.
func (g *guide) visit(ctx context.Context, stop request) error {
	if stop.git && !g.git {
		return nil
	}
	g.github.Reset()
	fmt.Printf("\n# %s\n$ %s\n", stop.what, stop.command())
	var err error
	if !stop.git && g.fetcher != nil {
		err = g.fetcher.fetch(ctx, stop)
	} else {
		cmd := exec.CommandContext(ctx, "sh", "-c", ". ../env.sh; "+stop.command())
		cmd.Dir, cmd.Stdout, cmd.Stderr = g.dir, os.Stdout, os.Stderr
		err = cmd.Run()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", stop.command(), err)
		fmt.Println("  ", err)
	}
	for _, line := range g.log.requests() {
		fmt.Println("  the tool sent    " + line)
	}
	for _, request := range g.github.Requests() {
		fmt.Println("  GitHub received  " + received(request))
	}
	return err
}
