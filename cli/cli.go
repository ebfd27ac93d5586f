// Package cli is the command line: it turns flags into a configuration, wires
// the other packages together, and runs them.
//
//	os.Exit(cli.Main(os.Args[1:]))
//
// It is the only package that reads the environment and the only one that
// knows all the others.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/sandbox"
	"ghapp-proxy/spool"

	"github.com/spf13/cobra"
)

// Exit statuses. 125 to 127 are those of env(1), for `run`.
const (
	exitFailure    = 1
	exitConfig     = 2
	exitRunFailed  = 125 // `run` itself failed
	exitCannotRun  = 126 // the command was found but could not be started
	exitNotFound   = 127 // the command was not found
	exitSignalBase = 128 // plus the number of the signal that ended the command
)

// statusError carries an exit status; err may be nil if all has been said.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// Main runs the command line args (without the program's name) until it is
// done or interrupted, and returns the exit status.
func Main(args []string) int {
	if sandbox.Called(args) { // it has nothing of a configuration
		return sandbox.Init(args)
	}
	collectSeldom()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	return Run(ctx, args, os.Stdout, os.Stderr)
}

// Run runs the command line args and returns the exit status. `serve` ends
// when ctx does. The command of `run` has the process's own standard streams.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if err := harden(); err != nil { // before there is a key in memory
		fmt.Fprintln(stderr, "ghapp-proxy: warning: other processes of this user can read this one's memory:", err)
	}
	var s settings
	root := newRoot(&s)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	s.flush()
	return report(stderr, err)
}

// report prints err and returns the exit status that it means.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	status := exitFailure
	if withStatus := (*statusError)(nil); errors.As(err, &withStatus) {
		status, err = withStatus.status, withStatus.err
	}
	invalid := (*config.Error)(nil)
	switch {
	case err == nil:
	case errors.As(err, &invalid):
		fmt.Fprintln(w, invalid) // file:line: key: fault, a line each
		if status == exitFailure {
			status = exitConfig
		}
	default:
		fmt.Fprintf(w, "ghapp-proxy: %v\n", err)
	}
	return status
}

// settings are the flags that every command has.
type settings struct {
	config    string
	logLevel  string
	logFormat string
	inherited []string // the environment at the start, without what is for the service alone
	manager   *manager // that has started the process

	log *spool.Writer // of the log, nil where there is none
}

// flushTime is how long the log may take at the end.
const flushTime = 2 * time.Second

// flush waits for the log to be written, but not long for who does not read it.
func (s *settings) flush() {
	if s.log != nil {
		s.log.Flush(flushTime)
	}
}

// Command is the whole command line, for those who describe it: man pages, say.
func Command() *cobra.Command { return newRoot(new(settings)) }

func newRoot(s *settings) *cobra.Command {
	s.manager, s.inherited = findManager(), os.Environ()
	root := &cobra.Command{
		Use:   "ghapp-proxy",
		Short: "Gives unmodified tools GitHub App authentication",
		Long: `ghapp-proxy is a forward proxy that gives unmodified tools GitHub App authentication.
Tools set HTTPS_PROXY to it; it intercepts what goes to GitHub and puts the right
credential of a GitHub App into each request. The tools never hold one.

  ghapp-proxy run -- gh pr list -R acme/widgets    one command, with a proxy of its own
  ghapp-proxy serve                                a proxy for many tools
  eval "$(ghapp-proxy env)"                        use that one in this shell
  ghapp-proxy init                                 write a configuration; check says whether it is right

The smallest configuration is two environment variables:

  GITHUB_APP_ID=12345 GITHUB_APP_PRIVATE_KEY_PATH=ci-bot.pem ghapp-proxy run -- gh api /app`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&s.config, "config", "c", "", "configuration `file` (default $GHAPP_PROXY_CONFIG, then config.toml in the user's configuration directory)")
	flags.StringVar(&s.logLevel, "log-level", "", "what to log: debug, info, warn or error (default $GHAPP_PROXY_LOG_LEVEL, then info, for run error)")
	flags.StringVar(&s.logFormat, "log-format", "", "how to log: console (for people), text (key=value), json, or auto: console on a terminal, else json (default $GHAPP_PROXY_LOG_FORMAT, then auto)")
	root.AddCommand(newServe(s), newReload(s), newRun(s), newEnv(s), newCA(s), newCheck(s), newExplain(s), newInit(s), newClient(s), newGrant(s), newHealth(s), newVersion())
	s.complete(root)
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return &statusError{exitConfig, unknownCommand(cmd, args[0])}
		}
		return cmd.Help()
	}
	root.Args = cobra.ArbitraryArgs
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &statusError{exitConfig, fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	})
	return root
}

// unknownCommand names the commands that are like what was given.
func unknownCommand(root *cobra.Command, name string) error {
	for root.SuggestionsMinimumDistance = range 3 {
		if like := root.SuggestionsFor(name); len(like) > 0 {
			return fmt.Errorf("unknown command %q: did you mean %s? (see ghapp-proxy --help)", name, strings.Join(like, " or "))
		}
	}
	return fmt.Errorf("unknown command %q (see ghapp-proxy --help)", name)
}

// noArgs is cobra.NoArgs with the exit status of a wrong command line.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &statusError{exitConfig, fmt.Errorf("%s takes no %q (see %[1]s --help)", cmd.CommandPath(), args[0])}
	}
	return nil
}

// load reads the configuration from where the flags and the environment say;
// src may say more about it. From then on the process's own environment has no
// secret, so that no command inherits one. What of it lies in memory since the
// start nobody can read who cannot read the keys themselves (see harden).
func (s *settings) load(ctx context.Context, src config.Source) (*config.Config, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // config says what it needs it for
	}
	src.Path, src.LookupEnv, src.HomeDir = s.config, lookupIn(s.inherited), home
	cfg, err := config.Load(ctx, src)
	if err != nil {
		return nil, err
	}
	for _, name := range cfg.SecretTextEnv() {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}
