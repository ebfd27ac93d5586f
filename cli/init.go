package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"

	"github.com/spf13/cobra"
)

func newInit(s *settings) *cobra.Command {
	a := &answers{}
	var appID int64
	var clientID, out string
	var yes bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration: ask for an App, and GitHub where it is installed",
		Long: `Write a configuration. It asks for the App's id or client id and for the file with its
private key, has GitHub look at both, lets you choose among the installations, and
writes a commented configuration that only you can read, and the CA. It ends with the
command to try. A file that is there is never overwritten.

What a flag says is not asked; without a terminal nothing is, and a flag that is missing
is an error. GitHub is reached through the proxy of the environment (HTTPS_PROXY,
NO_PROXY), of which nothing is written.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if appID != 0 {
				a.id = strconv.FormatInt(appID, 10)
			}
			if clientID != "" {
				a.id = clientID
			}
			src := config.Source{Path: s.config, LookupEnv: lookupIn(s.inherited)}
			src.HomeDir, _ = os.UserHomeDir() // without one there is no default place
			if out != "" {
				src.Path = out
			}
			var err error
			if a.out = src.File(); a.out == "" {
				return &statusError{exitConfig, errors.New("there is no home directory to write to: name a file with --out")}
			}
			if a.out, err = filepath.Abs(a.out); err != nil {
				return err
			}
			a.isDefault = out == "" && s.config == ""
			i := &initiation{answers: a, src: src, ask: newPrompter(cmd, s, yes), to: cmd.OutOrStdout()}
			return i.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.Int64Var(&appID, "app-id", 0, "the App's `id`")
	flags.StringVar(&clientID, "client-id", "", "the App's client `id`, instead of --app-id")
	flags.StringVar(&a.key, "key", "", "the `file` with the App's private key")
	flags.StringVar(&a.host, "host", "", "the GitHub that the App is on (default github.com)")
	flags.StringVar(&a.caFile, "ca-file", "", "a `file` with certificates to trust besides the system's, for a GitHub Enterprise Server")
	flags.StringSliceVar(&a.chosen, "installation", nil, "the `id` or the owner of an installation to use; may be given several times")
	flags.BoolVar(&a.all, "all", false, "use every installation, those to come as well")
	flags.StringVar(&out, "out", "", "the `file` to write (default the one that is read)")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask whether to write it")
	cmd.MarkFlagsMutuallyExclusive("app-id", "client-id")
	cmd.MarkFlagsMutuallyExclusive("installation", "all")
	return cmd
}

// initiation is one run of `init`.
type initiation struct {
	*answers
	src config.Source
	ask *prompter
	to  io.Writer
}

func (i *initiation) run(ctx context.Context) error {
	if err := absent(i.out); err != nil {
		return err
	}
	app, err := i.app(ctx)
	if err != nil {
		return err
	}
	defer app.close()
	if err := i.choose(ctx, app); err != nil {
		return err
	}
	if err := i.ask.confirm(ctx, "Write "+i.out+"?"); err != nil {
		return err
	}
	cfg, err := i.load(ctx)
	if err != nil {
		return &statusError{exitConfig, err} // what is written has to be good
	}
	for _, text := range cfg.Warnings {
		i.ask.say("warning: %s", text)
	}
	cas, err := openAuthorities(cfg, onDisk(cfg))
	if err != nil {
		return &statusError{exitConfig, err}
	}
	if ctx.Err() != nil {
		return errNothingWritten
	}
	if err := writeNew(i.out, i.text()); err != nil {
		return err
	}
	return i.conclude(cfg, cas, app.facts.Slug)
}

// load reads what would be written.
func (i *initiation) load(ctx context.Context) (*config.Config, error) {
	src := i.src
	src.Path, src.Text = i.out, []byte(i.text())
	return config.Load(ctx, src)
}

// absent returns an error if there is a file.
func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		return &statusError{exitFailure, fmt.Errorf("%s is there already, and is not overwritten: `ghapp-proxy check` says how good it is; --out writes another file", path)}
	}
	return err
}

// foundApp is an App that GitHub knows by the key.
type foundApp struct {
	*auth.App
	facts  auth.AppFacts
	source *auth.Source
	close  func()
}

// app finds out which App it is, until GitHub accepts its key.
func (i *initiation) app(ctx context.Context) (*foundApp, error) {
	for {
		if err := i.identify(ctx); err != nil {
			return nil, err
		}
		cfg, err := i.load(ctx)
		if err != nil {
			if again := i.forget(err); !again {
				return nil, &statusError{exitConfig, i.inFlags(err)}
			}
			i.ask.say("%v", i.inFlags(err))
			continue
		}
		app, err := i.try(ctx, cfg)
		if err == nil {
			return app, nil
		}
		if ctx.Err() != nil {
			return nil, errNothingWritten
		}
		refused, isRefused := errors.AsType[*auth.Error](err)
		if isRefused && refused.Remedy != "" {
			err = fmt.Errorf("%w: %s", err, refused.Remedy)
		}
		switch {
		case !i.ask.interactive || !isRefused:
			return nil, err
		case refused.Status == http.StatusUnauthorized:
			i.key = ""
		case refused.Status == http.StatusNotFound:
			i.id = ""
		default:
			return nil, err
		}
		i.ask.say("%v", err)
	}
}

// identify asks for what no flag says.
func (i *initiation) identify(ctx context.Context) (err error) {
	if i.id == "" {
		if i.id, err = i.ask.question(ctx, "App id or client id (both are on the App's settings page):", "--app-id or --client-id"); err != nil {
			return err
		}
	}
	if i.key == "" {
		if i.key, err = i.ask.question(ctx, "File with the App's private key (.pem):", "--key"); err != nil {
			return err
		}
	}
	if rest, found := strings.CutPrefix(i.key, "~/"); found && i.src.HomeDir != "" {
		i.key = filepath.Join(i.src.HomeDir, rest)
	}
	if i.key, err = filepath.Abs(i.key); err != nil { // a flag's is not relative to the configuration
		return err
	}
	if i.caFile != "" {
		i.caFile, err = filepath.Abs(i.caFile)
	}
	return err
}

// forget forgets the answers that are at fault, and reports whether that is all there
// is to it, and somebody can be asked again.
func (i *initiation) forget(err error) bool {
	faulty, isFaulty := errors.AsType[*config.Error](err)
	if !isFaulty || !i.ask.interactive {
		return false
	}
	for _, fault := range faulty.Faults {
		switch flagOf(fault.Key) {
		case "--app-id", "--client-id":
			i.id = ""
		case "--key":
			i.key = ""
		default:
			return false
		}
	}
	return true
}

// inFlags are the faults of a configuration that is not written, by the flags that
// they are from.
func (i *initiation) inFlags(err error) error {
	faulty, isFaulty := errors.AsType[*config.Error](err)
	if !isFaulty {
		return err
	}
	for n := range faulty.Faults {
		fault := &faulty.Faults[n]
		if flag := flagOf(fault.Key); flag != "" {
			fault.File, fault.Line, fault.Key = flag, 0, ""
		}
	}
	return faulty
}

// flagOf is the flag that a key of the configuration is made of, "" for none.
func flagOf(key string) string {
	return map[string]string{
		"id": "--app-id", "client_id": "--client-id", "private_key_file": "--key", "host": "--host", "ca_file": "--ca-file",
	}[key[strings.LastIndexByte(key, '.')+1:]]
}

// try asks GitHub which App it is. The App has to be closed.
func (i *initiation) try(ctx context.Context, cfg *config.Config) (*foundApp, error) {
	upstream, _, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	app := &foundApp{App: cfg.Apps[0], source: auth.New(cfg.Apps, auth.Options{Transport: upstream.Transport(), UserAgent: userAgent})}
	app.close = func() { app.source.Close(); upstream.Close() }
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if app.facts, err = app.source.TryKey(asking, app.App, 0); err != nil {
		app.close()
		return nil, err
	}
	i.ask.say("GitHub accepts the key: it is that of the App %s (id %d).", app.facts.Slug, app.facts.ID)
	i.setName(app.facts.Slug)
	return app, nil
}

// choose finds out which installations are to be used.
func (i *initiation) choose(ctx context.Context, app *foundApp) error {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	list, _, err := app.source.Installations(asking, app.App, func(n int) { i.ask.progress.say("%d installations", n) })
	i.ask.progress.clear()
	switch {
	case ctx.Err() != nil:
		return errNothingWritten
	case err != nil:
		return err
	}
	list = slices.DeleteFunc(list, func(in auth.InstallationFacts) bool { return !in.Account.Named() })
	switch {
	case i.all, len(i.chosen) == 0 && len(list) <= 1:
		i.useAll(list)
		return nil
	case len(i.chosen) > 0:
		found, err := pick(list, i.chosen)
		if err != nil {
			return fmt.Errorf("--installation: %w", err)
		}
		i.used = found
		return nil
	}
	i.ask.say("%s", listed(list))
	for {
		text, err := i.ask.question(ctx, "Which to use? Ids or owners, with spaces between; nothing for all:", "--installation or --all", orNothing)
		if err != nil {
			return err
		}
		words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
		if len(words) == 0 {
			i.useAll(list)
			return nil
		}
		found, err := pick(list, words)
		if err == nil {
			i.used = found
			return nil
		}
		i.ask.say("%v", err)
	}
}

// pick finds installations by id or owner.
func pick(list []auth.InstallationFacts, words []string) (found []auth.InstallationFacts, err error) {
	for _, word := range words {
		at := slices.IndexFunc(list, func(in auth.InstallationFacts) bool {
			return strconv.FormatInt(int64(in.ID), 10) == word || strings.EqualFold(in.Account.String(), word)
		})
		if at < 0 {
			return nil, fmt.Errorf("the App has no installation %q: it has %s", word, namesOf(list))
		}
		found = append(found, list[at])
	}
	return found, nil
}

// maxShown is how many installations are shown.
const maxShown = 40

// listed shows installations.
func listed(list []auth.InstallationFacts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "It has %d installations:", len(list))
	for _, in := range list[:min(len(list), maxShown)] {
		fmt.Fprintf(&b, "\n  %-10d %s", in.ID, in.Account)
		if in.Suspended {
			b.WriteString(" (suspended)")
		}
	}
	if more := len(list) - maxShown; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

func namesOf(list []auth.InstallationFacts) string {
	var names []string
	for _, in := range list {
		names = append(names, fmt.Sprintf("%d (%s)", in.ID, in.Account))
	}
	if names == nil {
		return "none"
	}
	return some(names)
}

// conclude says what there is now, and what to do with it.
func (i *initiation) conclude(cfg *config.Config, cas *authorities, slug string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "wrote %s\n", i.out)
	for _, ca := range cas.all {
		fmt.Fprintf(&b, "wrote the certificate that clients must trust: %s\n", ca.Path())
	}
	with, owner := "", "OWNER"
	if !i.isDefault {
		with = " -c " + shellQuote(i.out)
	}
	if len(i.used) > 0 && !i.used[0].Account.Enterprise {
		owner = i.used[0].Account.Login
	}
	if len(i.used) == 0 {
		fmt.Fprintf(&b, "\nThe App %s is installed nowhere yet: its page on %s has \"Install App\".\n", slug, cfg.Apps[0].Instance)
	}
	fmt.Fprintf(&b, "\nTry it:\n  ghapp-proxy run%s -- gh repo list %s\n", with, owner)
	fmt.Fprintf(&b, "or, for many tools:\n  ghapp-proxy serve%s &\n  eval \"$(ghapp-proxy env%s)\"\nand to see whether all is well:\n  ghapp-proxy check%s\n", with, with, with)
	_, err := io.WriteString(i.to, b.String())
	return err
}
