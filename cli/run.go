package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/proxy"

	"github.com/spf13/cobra"
)

// runGrace is how long requests may take to finish after the command has ended.
const runGrace = 2 * time.Second

func newRun(s *settings) *cobra.Command {
	var verbose bool
	var owner string
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG…]",
		Short: "Run a command with a proxy of its own",
		Long: `Run a command with a proxy of its own: on a random port of the loopback address,
with a password and a CA that exist only as long as the command runs.

The command's environment names the proxy and a bundle of the system's roots and
the proxy's. It holds no key, no client secret and no token of GitHub's: tools
that demand a token find "` + placeholder + `".

The exit status is the command's; 128 plus the signal's number if one ended it;
125 if ghapp-proxy failed, 126 if the command could not be started, 127 if it
was not found.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &statusError{exitRunFailed, errors.New("run needs a COMMAND (see ghapp-proxy run --help)")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			level := slog.LevelError
			if verbose {
				level = slog.LevelInfo
			}
			log, err := s.logger(cmd.ErrOrStderr(), level)
			if err != nil {
				return &statusError{exitRunFailed, err}
			}
			cfg, err := s.load(cmd.Context(), config.Source{})
			if err != nil {
				return &statusError{exitRunFailed, err}
			}
			cfg.DefaultOwner = cmp.Or(owner, cfg.DefaultOwner)
			return run(context.WithoutCancel(cmd.Context()), cfg, log, cmd.ErrOrStderr(), args)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &statusError{exitRunFailed, fmt.Errorf("%w (see ghapp-proxy run --help)", err)}
	})
	cmd.Flags().SetInterspersed(false) // what follows the command is its own
	cmd.Flags().StringVarP(&owner, "owner", "o", "", "`login` whose installation serves requests that name no owner")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log each request, and what is withheld from the command")
	return cmd
}

// run starts a private proxy and runs the command args with it. Signals do not
// end it: they are passed on, and end the command.
func run(ctx context.Context, cfg *config.Config, log *slog.Logger, stderr io.Writer, args []string) error {
	fail := func(err error) error { return &statusError{exitRunFailed, err} }
	for _, warning := range cfg.Warnings {
		fmt.Fprintln(stderr, "ghapp-proxy: warning:", warning)
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return &statusError{startStatus(err), err}
	}
	cas, err := openAuthorities(cfg, inMemory(cfg))
	if err != nil {
		return fail(err)
	}
	dir, bundle, err := privateBundle(cas, cfg)
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	address, stop, err := servePrivately(ctx, cfg, cas, log)
	if err != nil {
		return fail(err)
	}
	defer stop()

	env := environment{proxy: address, bundle: bundle, served: instances(cfg)}
	child := exec.Command(path, args[1:]...)
	child.Args[0] = args[0]
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	var withheld []string
	child.Env, withheld = childEnv(os.Environ(), cfg.SecretEnv, env.variables(os.LookupEnv))
	log.Info("running", "command", args[0], "proxy", address.Host, "withheld", withheld)
	return runChild(child)
}

// privateBundle writes the bundle into a directory of its own, for the caller
// to remove.
func privateBundle(cas *authorities, cfg *config.Config) (dir, path string, err error) {
	text, err := cas.bundle(cfg)
	if err != nil {
		return "", "", err
	}
	if dir, err = os.MkdirTemp("", "ghapp-proxy-"); err != nil { // mode 0700
		return "", "", err
	}
	path = filepath.Join(dir, "bundle.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		os.RemoveAll(dir)
		return "", "", fmt.Errorf("write the bundle: %w", err)
	}
	return dir, path, nil
}

// servePrivately starts a proxy on a random port, with a password. The caller
// must call stop.
func servePrivately(ctx context.Context, cfg *config.Config, cas *authorities, log *slog.Logger) (address *url.URL, stop func(), err error) {
	password := rand.Text() // letters and digits: clients break on escapes
	srv, err := newServer(cfg, cas, proxy.Admission{SameUser: !cfg.AllowAnonymous, Password: password}, true, log)
	if err != nil {
		return nil, nil, err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	go srv.Serve(ln) // ends with stop
	stop = func() {
		end, cancel := context.WithTimeout(ctx, runGrace)
		defer cancel()
		if err := srv.stop(end); err != nil {
			log.Info("the end was not clean", "error", err)
		}
	}
	return &url.URL{Scheme: "http", User: url.UserPassword("run", password), Host: ln.Addr().String()}, stop, nil
}

// runChild runs a command to its end and passes signals on to it.
func runChild(child *exec.Cmd) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	if err := child.Start(); err != nil {
		return &statusError{startStatus(err), err}
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case sig := <-signals:
				if !fromTerminal(sig) {
					child.Process.Signal(sig) // fails only if it has ended
				}
			case <-done:
				return
			}
		}
	}()
	err := child.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return &statusError{exitRunFailed, err}
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &statusError{exitSignalBase + int(status.Signal()), nil}
	}
	return &statusError{exit.ExitCode(), nil}
}

// startStatus is env(1)'s exit status for a command that does not start.
func startStatus(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitNotFound
	}
	return exitCannotRun
}
