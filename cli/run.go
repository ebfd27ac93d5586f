package cli

import (
	"cmp"
	"context"
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
	"runtime"
	"syscall"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/event"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/sandbox"

	"github.com/spf13/cobra"
)

// runGrace is how long requests may take to finish after the command has ended.
const runGrace = 2 * time.Second

func newRun(s *settings) *cobra.Command {
	var verbose bool
	var owner, client, grantText, logFile string
	var boxed sandboxFlags
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG…]",
		Short: "Run a command with a proxy of its own",
		Long: `Run a command with a proxy of its own: on a random port of the loopback address,
with a CA that exists only as long as the command runs. On Linux it serves
processes of this user alone and asks for no password; elsewhere it has one that
is used once.

The command's environment names the proxy, and files of the system's roots and the
proxy's, in the ways that curl, wget, git, gh, hub, Go, Python, Ruby, Node, Deno, Java,
npm, pip, cargo and others read. It holds no key, no client secret and no token of
GitHub's: tools that demand a token find "` + placeholder + `". What the user has set by
himself is kept where it does not lead past the proxy; -v says what was not.

With allow_anonymous there are two addresses on Linux: one with a password, for other
users too, and in $GHAPP_PROXY_URL_NO_AUTH, and for Java, one without.

--sandbox gives the command nothing but the proxy: on Linux, without root, in a network
of its own, with its working directory and without the files that hold keys and
credentials. It may use the repository that --repo names, or what its --client or --grant
may, and reach the hosts of --allow; what was refused is said at the end.
docs/sandbox.md has all of it.

Where GitHub refused what left without the App's credential, because no App is
installed on its owner, the last lines of standard error say so.

The files are in $XDG_RUNTIME_DIR or the state directory. If ghapp-proxy is killed
outright, the command is sent SIGTERM (on Linux), and the files stay until another
run, a day or more later.

The exit status is the command's; 128 plus the signal's number if one ended it;
125 if ghapp-proxy failed, 126 if the command could not be started, 127 if it
was not found.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && boxed.mode != "check" {
				return &statusError{exitRunFailed, errors.New("run needs a COMMAND (see ghapp-proxy run --help)")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := boxed.check(client, grantText); err != nil {
				return &statusError{exitRunFailed, err}
			}
			if boxed.mode == "on" && sandbox.Inside() { // where there is no configuration, either
				return &statusError{exitRunFailed, sandbox.ErrInside}
			}
			if boxed.mode == "check" {
				return checkSandbox(cmd.OutOrStdout())
			}
			level, logTo := slog.LevelError, cmd.ErrOrStderr()
			if verbose {
				level = slog.LevelInfo
			}
			if logFile != "" {
				file, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					return &statusError{exitRunFailed, fmt.Errorf("--log: %w", err)}
				}
				defer file.Close()
				level, logTo = slog.LevelInfo, file
			}
			log, err := s.logger(logTo, level)
			if err != nil {
				return &statusError{exitRunFailed, err}
			}
			defer s.flush() // before the file is closed
			reading := new(config.Reading)
			cfg, err := s.load(cmd.Context(), config.Source{Log: log, Reading: reading})
			if err != nil {
				return &statusError{exitRunFailed, err}
			}
			limits, err := runLimits(cfg, client, grantText, cmd.InOrStdin())
			if err != nil {
				return &statusError{exitRunFailed, err}
			}
			if limits.As != nil && owner != "" {
				return &statusError{exitRunFailed, errors.New("--owner, and --client or --grant, exclude each other: a client has its default_owner")}
			}
			cfg.DefaultOwner = cmp.Or(owner, cfg.DefaultOwner)
			j := &job{cfg: cfg, limits: limits, log: log, stderr: cmd.ErrOrStderr(), inherited: s.inherited, args: args}
			if boxed.mode != "" {
				return j.runInSandbox(context.WithoutCancel(cmd.Context()), &boxed, reading.Files())
			}
			return j.run(context.WithoutCancel(cmd.Context()))
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &statusError{exitRunFailed, fmt.Errorf("%w (see ghapp-proxy run --help)", err)}
	})
	cmd.Flags().SetInterspersed(false) // what follows the command is its own
	cmd.Flags().StringVarP(&owner, "owner", "o", "", "`login` whose installation serves requests that name no owner")
	cmd.Flags().StringVar(&client, "client", "", "`name` of the [client.NAME] whose limits the command has")
	cmd.Flags().StringVar(&grantText, "grant", "", "the `grant` whose limits the command has, or the proxy URL with it, or - for the first line of standard input")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log each request, what is withheld from the command, and a summary at the end")
	boxed.define(cmd)
	cmd.Flags().StringVar(&logFile, "log", "", "append the log to a `file` instead of standard error; implies -v")
	return cmd
}

// job is a command to run with a private proxy, within limits. The command gets what is fit for it of the
// inherited environment.
type job struct {
	cfg             *config.Config
	limits          proxy.Admission
	log             *slog.Logger
	stderr          io.Writer
	inherited, args []string

	listen func(context.Context) (*privateProxy, []*proxy.Listener, error)
	events []func(*event.Event)
	cas    *authorities
}

// run runs the command where its user is. Signals do not end this process: they are
// passed on, and end the command.
func (j *job) run(ctx context.Context) error {
	fail := func(err error) error { return &statusError{exitRunFailed, err} }
	path, err := exec.LookPath(j.args[0])
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			err = fmt.Errorf("%s: command not found: install it, or name it by its path", j.args[0])
			return &statusError{exitNotFound, err}
		}
		return &statusError{startStatus(err), err}
	}
	runtimeDir, _ := lookupIn(j.inherited)("XDG_RUNTIME_DIR")
	var dir *runDir
	j.listen = func(ctx context.Context) (*privateProxy, []*proxy.Listener, error) {
		return listenPrivately(ctx, j.limits, j.cfg.AllowAnonymous)
	}
	return j.withProxy(ctx, func(private *privateProxy) error {
		if dir, err = makeRunDir(runtimeDir, j.cfg.StateDir); err != nil {
			return fail(err)
		}
		defer dir.remove()
		child := exec.Command(path, j.args[1:]...)
		child.Args[0] = j.args[0]
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		files := j.trustFiles()
		files.dir = dir.path
		texts, err := files.texts()
		if err != nil {
			return fail(err)
		}
		if child.Env, err = j.childEnv(private, files, texts); err != nil {
			return fail(err)
		}
		return runChild(child)
	})
}

// withProxy starts a private proxy, and stops it when what runs with it has ended.
func (j *job) withProxy(ctx context.Context, do func(*privateProxy) error) (err error) {
	fail := func(err error) error { return &statusError{exitRunFailed, err} }
	for _, warning := range j.cfg.Warnings {
		fmt.Fprintln(j.stderr, "ghapp-proxy: warning:", warning)
	}
	j.cfg.Form = config.FormPlain // its own listener is that of one command
	if j.cas, err = openAuthorities(j.cfg, inMemory(j.cfg)); err != nil {
		return fail(err)
	}
	for _, fault := range j.cas.expiring() { // only those of files can
		fmt.Fprintln(j.stderr, "ghapp-proxy: warning:", fault)
	}
	var tally event.Tally
	if j.log.Enabled(ctx, slog.LevelInfo) {
		defer tally.Report(j.log) // when the proxy has stopped
	}
	audit, err := openAudit(j.cfg)
	if err != nil {
		return fail(err)
	}
	defer audit.Close() // when the proxy has stopped
	var suffered uncovered
	j.events = append(j.events, tally.Count, suffered.add)
	private, err := j.servePrivately(ctx, audit)
	if err != nil {
		return fail(err)
	}
	defer func() { private.saved(j.log) }()
	defer private.stop(func() { suffered.report(ctx, j.stderr, private.source) })
	j.log.Info("running", "command", j.args[0], "proxy", private.address.Host, "upstream_proxy", private.through)
	return do(private)
}

// trustFiles are the files for a child, which are to be in a directory that is not known yet.
func (j *job) trustFiles() *trustFiles {
	kept, _ := j.withhold()
	files := &trustFiles{ca: j.cas.pem(), mode: 0o600, has: lookupIn(kept), earlier: envDir(j.cfg)}
	files.home, _ = os.UserHomeDir() // without one there is no ~/.wgetrc
	return files
}

// withhold is the inherited environment without what is for this process alone.
func (j *job) withhold() (kept, withheld []string) {
	return withhold(j.inherited, j.cfg.SecretEnv, madeUpKey(j.cfg))
}

// childEnv is the environment for a child that uses a proxy, made of the
// inherited one, and writes the files that it names. What is done to the user's own settings goes to the log.
func (j *job) childEnv(private *privateProxy, files *trustFiles, texts *trustTexts) ([]string, error) {
	kept, withheld := j.withhold()
	found, notes, err := files.writeTexts(texts)
	if err != nil {
		return nil, err
	}
	env := environment{proxy: private.address, open: private.open, served: instances(j.cfg), trust: found, git: gitInstalled()}
	if env.open == nil {
		notes = append(notes, "no variables for Java, which sends no password: only Linux can tell whose connection it is")
	}
	merged, overridden := override(kept, env.variables(files.has))
	j.log.Info("environment", "withheld", withheld, "overridden", overridden, "notes", notes)
	return merged, nil
}

// privateProxy is the proxy of one run.
type privateProxy struct {
	address *url.URL // with a password if it asks for one
	open    *url.URL // asks for none and knows its user; nil where that is not possible
	through string   // the proxy on the way to GitHub, for the log
	source  *auth.Source
	leads   func(name string) bool // the proxy's Leads
	saved   func(*slog.Logger)     // says what was saved of GitHub's limits
	stop    func(last func())      // must be called; last is called while GitHub can be asked
}

// listenPrivately listens for a command alone, within limits, on a random port. Where the user of a connection can be told, that is enough:
// what has no secret in it cannot be sent elsewhere, as npm does that expands
// ${HTTPS_PROXY} in a checkout's .npmrc. Else there is a password, also for the
// other users that allow_anonymous lets in.
func listenPrivately(ctx context.Context, limits proxy.Admission, anonymous bool) (_ *privateProxy, listeners []*proxy.Listener, err error) {
	listenFor := func(sameUser bool, password string) *url.URL {
		if err != nil {
			return nil
		}
		var ln net.Listener
		if ln, err = listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return nil
		}
		admission := limits
		admission.SameUser, admission.Password = sameUser, password
		listeners = append(listeners, &proxy.Listener{Listener: ln, Admission: admission})
		address := &url.URL{Scheme: "http", Host: ln.Addr().String()}
		if password != "" {
			address.User = url.UserPassword("run", password)
		}
		return address
	}
	private := new(privateProxy)
	if tellsUsers {
		private.open = listenFor(true, "")
		private.address = private.open
	}
	if !tellsUsers || anonymous {
		private.address = listenFor(false, policy.NewSecret())
	}
	return private, listeners, err
}

// servePrivately starts a proxy at the job's listeners.
func (j *job) servePrivately(ctx context.Context, audit *auditLog) (*privateProxy, error) {
	private, listeners, err := j.listen(ctx)
	var srv *server
	if err == nil {
		srv, err = newServer(j.cfg, j.cas, serverOptions{admission: listeners[0].Admission, audit: audit, revoke: true, events: j.events, log: j.log})
	}
	if err != nil {
		for _, ln := range listeners {
			ln.Close()
		}
		return nil, err
	}
	private.through, private.source, private.leads = srv.now.Load().through, srv.source(), srv.Leads
	private.saved = srv.reportSaved
	life, end := context.WithCancel(ctx)
	if j.limits.Grant != "" {
		go srv.watchGrants(life) // it may be revoked
	}
	private.stop = func(last func()) {
		end()
		if err := srv.stop(ctx, runGrace, last); err != nil {
			j.log.Info("the end was not clean", "error", err)
		}
	}
	go srv.Serve(listeners[0].Listener, listeners[1:]...)
	return private, nil
}

// runChild runs a command to its end and passes signals on to it.
func runChild(child *exec.Cmd) error {
	pass, stop := catchSignals()
	defer stop()
	endWith(child)
	runtime.LockOSThread() // see endWith
	defer runtime.UnlockOSThread()
	if err := child.Start(); err != nil {
		return &statusError{startStatus(err), err}
	}
	pass(child.Process)
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

// catchSignals keeps signals for the command; pass begins to hand them on, stop must be
// called when it has ended.
func catchSignals() (pass func(to interface{ Signal(os.Signal) error }), stop func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...)
	done := make(chan struct{})
	pass = func(to interface{ Signal(os.Signal) error }) {
		go func() {
			for {
				select {
				case sig := <-signals:
					if !fromTerminal(sig) {
						to.Signal(sig) // fails only if it has ended
					}
				case <-done:
					return
				}
			}
		}()
	}
	return pass, func() {
		signal.Stop(signals)
		close(done)
	}
}

// startStatus is env(1)'s exit status for a command that does not start.
func startStatus(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return exitNotFound
	}
	return exitCannotRun
}
