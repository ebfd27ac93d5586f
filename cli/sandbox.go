package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"ghapp-proxy/config"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"
	"ghapp-proxy/rules"
	"ghapp-proxy/sandbox"
	"ghapp-proxy/transparent"

	"github.com/spf13/cobra"
)

// sandboxFlags are those of `run` that are about --sandbox.
type sandboxFlags struct {
	mode                             string // "", "on" or "check"
	home                             string
	hide, read, write                []string
	repositories, push, allowedHosts []string
}

func (f *sandboxFlags) define(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.mode, "sandbox", "", "give the command nothing but the proxy and the files that it needs (Linux); `check` says whether this machine can")
	flags.Lookup("sandbox").NoOptDefVal = "on"
	flags.StringVar(&f.home, "home", string(sandbox.HomeRead), "with --sandbox, what is seen of the home: `read` all that is not hidden, hide it, or own, an empty one")
	flags.StringArrayVar(&f.read, "read", nil, "with --sandbox, a `path` that is seen, though it is hidden by default")
	flags.StringArrayVar(&f.write, "write", nil, "with --sandbox, a `path` that may be written to, besides the working directory")
	flags.StringArrayVar(&f.hide, "hide", nil, "with --sandbox, a `path` that is hidden")
	flags.StringArrayVar(&f.repositories, "repo", nil, "with --sandbox, an `OWNER/NAME` that the command may use; without --client or --grant it may use no other")
	flags.StringArrayVar(&f.push, "push", nil, "with --sandbox and --repo, a `branch` it may push to (default agent/**)")
	flags.StringArrayVar(&f.allowedHosts, "allow", nil, "with --sandbox, a `host` that it may reach besides GitHub")
}

// check reports flags that do not go together.
func (f *sandboxFlags) check(client, grant string) error {
	given := len(f.hide)+len(f.read)+len(f.write)+len(f.repositories)+len(f.push)+len(f.allowedHosts) > 0 || f.home != string(sandbox.HomeRead)
	switch {
	case f.mode == "" && given:
		return errors.New("--home, --read, --write, --hide, --repo, --push and --allow are for --sandbox: without it nothing keeps a command from anything")
	case f.mode != "" && f.mode != "on" && f.mode != "check":
		return fmt.Errorf("--sandbox=%s: say --sandbox, or --sandbox=check", f.mode)
	case !slices.Contains([]sandbox.HomeMode{sandbox.HomeRead, sandbox.HomeHide, sandbox.HomeOwn}, sandbox.HomeMode(f.home)):
		return fmt.Errorf("--home %s: say read, hide or own", f.home)
	case client+grant != "" && len(f.repositories)+len(f.push) > 0:
		return errors.New("--client or --grant, and --repo, exclude each other: a client has its repositories and its branches")
	case len(f.push) > 0 && len(f.repositories) == 0:
		return errors.New("--push needs --repo")
	}
	return nil
}

// sandboxClientName names the client that a command is in a sandbox where no other was given.
const sandboxClientName = "sandbox"

// client is that client: it has the repositories that were named, pushes to branches of an agent's, and
// changes no settings. The set has it alone.
func (f *sandboxFlags) client() (*policy.Client, *policy.Set, error) {
	c := &policy.Client{Name: sandboxClientName, Repositories: []rules.Glob{}}
	for _, name := range f.repositories {
		glob, err := rules.ParseRepositoryGlob(name)
		if err != nil {
			return nil, nil, fmt.Errorf("--repo %s: %w", name, err)
		}
		c.Repositories = append(c.Repositories, glob)
	}
	for _, name := range orDefault(f.push, "agent/**") {
		if !strings.HasPrefix(name, "refs/") {
			name = "refs/heads/" + name
		}
		pattern, err := policy.ParseRefPattern(name)
		if err != nil {
			return nil, nil, fmt.Errorf("--push %s: %w", name, err)
		}
		c.Push = append(c.Push, pattern)
	}
	admin, err := policy.ParseOperation("admin")
	if err != nil {
		return nil, nil, err
	}
	c.Deny = []policy.Operation{admin}
	c.DefaultOwner = c.OnlyOwner()
	set, faults := policy.NewSet([]*policy.Client{c}) // it works the scope out
	for _, fault := range faults {
		return nil, nil, fmt.Errorf("--repo: %s", fault.Problem)
	}
	return c, set, nil
}

func orDefault(list []string, byDefault ...string) []string {
	if list == nil {
		return byDefault
	}
	return list
}

// egress is where the command may go: where the configuration lets everybody go, else nowhere, and to
// the hosts that were named.
func (f *sandboxFlags) egress(configured *policy.Egress) (*policy.Egress, error) {
	e := policy.Egress{DenyUnlisted: true}
	if configured != nil {
		e = *configured
	}
	e.Allow = slices.Clone(e.Allow)
	for _, host := range f.allowedHosts {
		pattern, err := policy.ParseHostPattern(host)
		if err != nil {
			return nil, fmt.Errorf("--allow %s: %w", host, err)
		}
		e.Allow = append(e.Allow, pattern)
	}
	return &e, nil
}

// spec is what the command sees. secret are files that none may.
func (f *sandboxFlags) spec(cfg *config.Config, secret []string, args []string) (sandbox.Spec, error) {
	dir, err := os.Getwd()
	if err != nil {
		return sandbox.Spec{}, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return sandbox.Spec{}, err
	}
	home, _ := os.UserHomeDir()
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real
	}
	spec := sandbox.Spec{Args: args, Dir: dir, Home: home, HomeMode: sandbox.HomeMode(f.home)}
	for _, list := range []struct {
		to        *[]string
		paths     []string
		mustExist bool
		flag      string
	}{{&spec.Read, f.read, true, "--read"}, {&spec.Write, f.write, true, "--write"}, {&spec.Hide, f.hide, false, "--hide"}} {
		for _, path := range list.paths {
			full, err := fullPath(path, home, list.mustExist)
			if err != nil {
				return spec, fmt.Errorf("%s: %w", list.flag, err)
			}
			*list.to = append(*list.to, full)
		}
	}
	spec.Hide = slices.Concat(spec.Hide, sandbox.Hidden(home), sandbox.Moved(os.Getenv), sandbox.OutsideSockets())
	for _, path := range append(secret, cfg.File, cfg.StateDir, cfg.GrantKeyFile, cfg.AuditLog, cfg.CA.KeyFile) {
		if filepath.IsAbs(path) {
			spec.Secret = append(spec.Secret, path)
		}
	}
	spec.NewSession = !hasTerminal()
	return spec, nil
}

// fullPath is a path of the command line in full, and without links where it must exist.
func fullPath(path, home string, mustExist bool) (string, error) {
	if path == "~" || strings.HasPrefix(path, "~/") { // behind a =, shells leave it as it is
		path = filepath.Join(home, path[1:])
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if !mustExist {
		return full, nil
	}
	return filepath.EvalSymlinks(full)
}

// withoutOutside is env without what leads to what is not there, or holds other credentials.
func withoutOutside(env []string) []string {
	return slices.DeleteFunc(env, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(sandbox.Variables, name)
	})
}

// runInSandbox runs the command in a sandbox; secret are files that it must not see.
func (j *job) runInSandbox(ctx context.Context, flags *sandboxFlags, secret []string) (err error) {
	fail := func(err error) error { return &statusError{exitRunFailed, err} }
	if j.limits.As == nil {
		if j.limits.As, j.cfg.Clients, err = flags.client(); err != nil {
			return fail(err)
		}
	}
	if j.cfg.Egress, err = flags.egress(j.cfg.Egress); err != nil {
		return fail(err)
	}
	spec, err := flags.spec(j.cfg, secret, j.args)
	if err != nil {
		return fail(err)
	}
	runtime.LockOSThread() // see sandbox.Start
	defer runtime.UnlockOSThread()
	pass, stop := catchSignals()
	defer stop()
	inside := newInside(j.cfg.Egress)
	box, err := sandbox.Start(inside.options())
	if err != nil {
		return fail(err)
	}
	defer box.Close()
	var files *trustFiles
	var texts func() (*trustTexts, error)
	j.listen = func(context.Context) (*privateProxy, []*proxy.Listener, error) { // the authorities were made meanwhile
		files = j.trustFiles()
		files.seenAs, files.open = sandbox.SharedDir, true
		texts = sync.OnceValues(files.texts)
		go texts()
		if err := box.Ready(); err != nil {
			return nil, nil, err
		}
		return inside.private(), inside.listeners(box, j.limits), nil
	}
	var denied denials
	j.events = append(j.events, denied.add)
	defer denied.report(j.stderr)
	return j.withProxy(ctx, func(private *privateProxy) error {
		resolver := &transparent.Resolver{Names: inside.names, Leads: denied.leads(private.leads), Log: j.log}
		go resolver.Serve(box.Packets[0], box.Listeners[1])
		defer resolver.Close()
		made, err := texts()
		if err != nil {
			return fail(err)
		}
		files.dir = box.Shared
		env, err := j.childEnv(private, files, made)
		if err != nil {
			return fail(err)
		}
		showTrust(&spec, env)
		if err := inside.shareResolver(&spec, box.Shared); err != nil {
			return fail(err)
		}
		spec.Env = withoutOutside(env)
		pass(box)
		status, err := box.Run(spec)
		if status == 0 && err == nil {
			return nil
		}
		return &statusError{status, err}
	})
}

// checkSandbox prints what a sandbox needs, and whether it is here.
func checkSandbox(w io.Writer) error {
	missing := false
	for _, found := range sandbox.Check() {
		if found.Err == nil {
			fmt.Fprintf(w, "ok       %s\n", found.What)
			continue
		}
		missing = missing || !found.Optional
		fmt.Fprintf(w, "%s  %s: %v\n", map[bool]string{true: "without", false: "missing"}[found.Optional], found.What, found.Err)
	}
	if missing {
		return &statusError{exitFailure, nil}
	}
	return nil
}
