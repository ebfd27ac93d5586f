package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/proxy"

	"github.com/spf13/cobra"
)

const (
	// askTime is how long GitHub may take for one question by default.
	askTime = 20 * time.Second
	// maxAsking is how many questions are under way at once: much less than what
	// package auth takes.
	maxAsking = 16
)

func newCheck(s *settings) *cobra.Command {
	var offline, asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, and ask GitHub whether it is right",
		Long: `Check the configuration, and ask GitHub whether it is right: its hosts, and through
which proxy they are reached; the clock; which keys of each App it accepts; where the Apps are
installed, and with which permissions; that each owner is given his installation; what
clients and rules name that is not there. On this machine: whether the listeners are
free, the audit log can be written, the CA is good, which tools trust it, and what
expires soon. Nothing is changed, and what it needed of tokens is revoked at its end.

The fingerprints of private keys are those that the App's page on GitHub shows. Each
key signs something, so that a signer_command is run.

What has a ! works, but somebody should look; what has ✗ (FAIL where the terminal has
no UTF-8) does not work. The exit status is 1 if anything does not, 2 if the
configuration is invalid, so that "ghapp-proxy serve" would not start, and else 0.
With --offline only what makes it invalid is looked for, and nobody is asked.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return &statusError{exitConfig, errors.New("--timeout must be more than 0")}
			}
			show := &shower{out: cmd.OutOrStdout(), asJSON: asJSON, terminal: terminalOf(cmd.OutOrStdout(), lookupIn(s.inherited))}
			cfg, err := s.load(cmd.Context(), config.Source{})
			if err == nil {
				show.all.File = cfg.File
				err = examine(cmd.Context(), cfg)
			}
			switch {
			case err != nil:
				return show.invalid(err)
			case offline:
				return show.end(show.groups(cmd.Context(), offlineChecks(cfg)))
			}
			return show.end(checkOnline(cmd, s, cfg, show, timeout))
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "ask neither GitHub nor anybody else")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object, as cli/check.schema.json in the source code describes it")
	cmd.Flags().DurationVar(&timeout, "timeout", askTime, "how long GitHub may take for each question")
	return cmd
}

// check is a part of what is examined. What it finds stands under a title.
type check struct {
	title string
	find  func(context.Context) []finding
}

// The groups that are always there.
const (
	groupConfiguration = "Configuration"
	groupHosts         = "GitHub"
	groupMachine       = "This machine"
	groupCertificates  = "Certificates"
)

// offlineChecks are those that ask nobody.
func offlineChecks(cfg *config.Config) []check {
	checks := []check{{groupConfiguration, func(context.Context) []finding { return checkConfiguration(cfg) }}}
	for _, app := range cfg.Apps {
		checks = append(checks, check{titleOf(app), func(context.Context) []finding { return describeApp(app) }})
	}
	return checks
}

// titleOf is the title of what is found out about an App.
func titleOf(app *auth.App) string { return "App " + app.Name + " on " + string(app.Instance) }

// checkConfiguration says what was found when it was read.
func checkConfiguration(cfg *config.Config) []finding {
	list := []finding{good("", "%s is in order", cmp.Or(cfg.File, "the environment"))}
	for _, text := range cfg.Warnings { // in the form of a config.Fault
		text, hint, _ := strings.Cut(text, "\n\thint: ")
		list = append(list, dubious(strings.ReplaceAll(hint, "\n\t", "\n"), "", "%s", text))
	}
	return list
}

// describeApp says what is configured for an App, whose keys have signed.
func describeApp(app *auth.App) []finding {
	list := []finding{good("", "mapped owners: %d, enterprises: %d", len(app.Installations), len(app.Enterprises))}
	for _, signer := range app.Signers {
		list = append(list, good("", "key: %s", signer))
	}
	return list
}

// shower prints what was found, each group as soon as it is known.
type shower struct {
	out      io.Writer
	terminal terminal
	asJSON   bool
	progress *progress // nil for none
	all      findings
}

// groups runs all checks at once, and shows what they find in their order.
func (s *shower) groups(ctx context.Context, checks []check) error {
	found := make([]chan []finding, len(checks))
	for i, c := range checks {
		found[i] = make(chan []finding, 1)
		go func() { found[i] <- c.find(ctx) }()
	}
	for i, c := range checks {
		select {
		case <-ctx.Done():
			s.progress.clear()
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		case list := <-found[i]:
			list = s.all.add(c.title, list)
			s.progress.clear()
			if s.asJSON || len(list) == 0 {
				continue
			}
			if err := s.terminal.writeGroup(s.out, c.title, list); err != nil {
				return err
			}
		}
	}
	return nil
}

// end is the error of the command, whose status says what was found.
func (s *shower) end(err error) error {
	if err == nil && s.asJSON {
		err = s.all.writeJSON(s.out)
	}
	if err == nil && s.all.Status != 0 {
		return &statusError{s.all.Status, nil}
	}
	return err
}

// invalid shows why a configuration cannot be used: on standard error, as every
// command does, unless somebody wants JSON.
func (s *shower) invalid(err error) error {
	if s.asJSON {
		s.all.invalid(err)
		return s.end(nil)
	}
	return &statusError{exitConfig, err}
}

// examination is one run of `check` that asks.
type examination struct {
	cfg      *config.Config
	source   *auth.Source
	upstream *proxy.Upstream
	way      func(host string) string // by which a host is reached, in words
	env      lookup
	timeout  time.Duration
	asking   chan struct{}
	progress *progress

	installed map[*auth.App]func() installations
	mu        sync.Mutex
	listed    map[place]func() repositories
}

// checkOnline asks GitHub, and looks at this machine.
func checkOnline(cmd *cobra.Command, s *settings, cfg *config.Config, show *shower, timeout time.Duration) error {
	log, err := s.logger(cmd.ErrOrStderr(), slog.LevelError)
	if err != nil {
		return &statusError{exitConfig, err}
	}
	upstream, next, err := connect(cfg)
	if err != nil {
		return &statusError{exitConfig, err}
	}
	defer upstream.Close()
	source := auth.New(cfg.Apps, auth.Options{Transport: upstream.Transport(), Log: log, UserAgent: userAgent})
	env := lookupIn(s.inherited)
	if !show.asJSON && terminalOf(cmd.ErrOrStderr(), env).interactive {
		show.progress = &progress{out: cmd.ErrOrStderr()}
	}
	x := &examination{
		cfg: cfg, source: source, upstream: upstream, env: env, timeout: timeout,
		way:    func(host string) string { return describeWay(cfg, next, host) },
		asking: make(chan struct{}, maxAsking), progress: show.progress,
		installed: make(map[*auth.App]func() installations), listed: make(map[place]func() repositories),
	}
	ctx := cmd.Context()
	for _, app := range cfg.Apps {
		x.installed[app] = sync.OnceValue(func() installations { return x.askInstallations(ctx, app) })
	}
	err = show.groups(ctx, x.checks())
	source.Close()
	if ctx.Err() == nil {
		revoke, cancel := context.WithTimeout(ctx, revokeTime)
		defer cancel()
		if err := source.Revoke(revoke); err != nil {
			log.Info("the end was not clean", "error", err)
		}
	}
	return err
}

// checks are all that there is to find out.
func (x *examination) checks() []check {
	checks := []check{
		{groupConfiguration, func(context.Context) []finding { return checkConfiguration(x.cfg) }},
		{groupHosts, x.checkHosts},
	}
	for _, app := range x.cfg.Apps {
		checks = append(checks, check{titleOf(app), func(ctx context.Context) []finding { return x.checkApp(ctx, app) }})
	}
	if x.cfg.Shared.URL != "" {
		checks = append(checks, check{groupShared, x.checkShared})
	}
	for _, c := range x.cfg.Clients.All() {
		checks = append(checks, check{"Client " + c.Name, func(ctx context.Context) []finding { return x.checkClient(ctx, c) }})
	}
	return append(checks,
		check{"Rules", x.checkRules},
		check{groupMachine, x.checkMachine},
		check{groupCertificates, func(context.Context) []finding { return x.checkCertificates() }},
	)
}

// ask asks a question within the time for one, when not too many are under way.
func (x *examination) ask(ctx context.Context, question func(context.Context) error) error {
	select {
	case x.asking <- struct{}{}:
		defer func() { <-x.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	slow := slowError{x.timeout}
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeout, slow)
	defer cancel()
	err := question(ctx)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return slow
	}
	return err
}

// slowError is for a question that was not answered in its time.
type slowError struct{ within time.Duration }

// Error implements error.
func (e slowError) Error() string { return fmt.Sprintf("no answer within %v (--timeout)", e.within) }

// reason says why GitHub did not answer as it should, and what to do about it.
func (x *examination) reason(err error, app *auth.App) (text, remedy string) {
	refused, isRefused := errors.AsType[*auth.Error](err)
	switch {
	case !isRefused:
		return err.Error(), ""
	case refused.Status == 0 && refused.Remedy == "":
		_, remedy = proxy.Blame(err, app.API.Host)
		return err.Error(), remedy
	}
	return err.Error(), refused.Remedy
}

// progress is a line of a terminal that says how far something is, and goes when
// that is done. nil is none.
type progress struct {
	out io.Writer

	mu    sync.Mutex
	shown bool
}

func (p *progress) say(format string, args ...any) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = true
	fmt.Fprintf(p.out, "\r\x1b[K"+format, args...) // ECMA-48: erase to the end of the line
}

func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.shown = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
