package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/grant"

	"github.com/spf13/cobra"
)

// grantFlags are the flags of `grant`.
type grantFlags struct {
	client, from, proxyURL string
	ttl, notBefore         time.Duration
	permissions            []string
	caveats                grant.Caveats
}

func newGrant(s *settings) *cobra.Command {
	var flags grantFlags
	cmd := &cobra.Command{
		Use:   "grant {--client NAME | --from GRANT} [LIMITS]",
		Short: "Make a secret for a task, which ends by itself",
		Long: `Make a grant: a secret that is good for a client of a running proxy, within limits
of its own, for a time. It is printed as the URL of the proxy. Nothing is stored, and
the configuration does not change.

  ghapp-proxy grant --client agent --repositories acme/widgets --push 'refs/heads/task-42/**' --ttl 2h --actor octocat
  ghapp-proxy grant --from "$HTTPS_PROXY" --read-only --ttl 10m        for a part of the task
  pass show grant | ghapp-proxy grant --from - --repositories acme/widgets
  ghapp-proxy grant revoke 4YQWX2BFZ6MDNAAC                             and all that were made from it

Who holds it can do what both the client and all limits allow. The limits are named
as in [client.NAME] of the configuration; without one it is the client's. With --from
anybody can narrow a grant further, anywhere, and nobody can widen one; "-" reads it
from standard input.

Making one for a client takes the root key, which the first use makes in state_dir
(or grant_key_file names): run it as the user that "serve" runs as.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, address, err := flags.run(cmd, s)
			if err != nil {
				return &statusError{exitConfig, err}
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "ghapp-proxy:", describeGrant(g))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), address)
			return err
		},
	}
	flags.add(cmd)
	cmd.AddCommand(newGrantRevoke(s), newGrantRevoked(s), newGrantRotate(s))
	return cmd
}

// describeGrant says which it is, and until when it is good; not the secret.
func describeGrant(g *grant.Grant) string {
	text := fmt.Sprintf("grant %s of client %s", g.ID(), g.Client)
	if end := g.Expires(); !end.IsZero() {
		text += ", good until " + end.UTC().Format(time.RFC3339)
	}
	return text
}

func (f *grantFlags) add(cmd *cobra.Command) {
	flags, c := cmd.Flags(), &f.caveats
	flags.StringVar(&f.client, "client", "", "the `name` of the client that it is of")
	flags.StringVar(&f.from, "from", "", "the `grant` to narrow, or the proxy URL with it, or - for standard input")
	flags.StringVar(&f.proxyURL, "proxy-url", "", "`URL` of the proxy as the tools reach it (default: the configured address, or that of --from)")
	flags.DurationVar(&f.ttl, "ttl", 0, "for how `long` it is good (default 1h; with --from as long as that)")
	flags.DurationVar(&f.notBefore, "not-before", 0, "after how `long` it begins to be good")
	flags.StringSliceVar(&c.Repositories, "repositories", nil, "OWNER/REPOSITORY, with stars")
	flags.StringSliceVar(&c.Owners, "owners", nil, "users and organizations, with stars")
	flags.StringSliceVar(&f.permissions, "permissions", nil, "NAME=LEVEL, as contents=read")
	flags.BoolVar(&c.ReadOnly, "read-only", false, "nothing that writes")
	flags.StringSliceVar(&c.Operations, "operations", nil, "only these, as in allow")
	flags.StringSliceVar(&c.Push, "push", nil, "refs that it may create and update, as refs/heads/task-42/**")
	flags.StringSliceVar(&c.DeleteRefs, "delete-refs", nil, "refs that it may delete")
	flags.StringSliceVar(&c.Networks, "networks", nil, "from which it may be used, as 10.0.0.0/8")
	flags.IntVar(&c.RequestsPerMinute, "requests-per-minute", 0, "how many, together with all that are made from it")
	flags.StringVar(&c.Actor, "actor", "", "who asks, for the log and the audit log")
	flags.StringVar(&c.Purpose, "purpose", "", "what for, as well")
}

// defaultTTL is how long a grant is good if nobody says.
const defaultTTL = time.Hour

// run makes the grant, and the URL to print.
func (f *grantFlags) run(cmd *cobra.Command, s *settings) (*grant.Grant, string, error) {
	if (f.client == "") == (f.from == "") {
		return nil, "", errors.New("grant needs --client NAME, or --from GRANT (see ghapp-proxy grant --help)")
	}
	if err := f.readCaveats(cmd, time.Now()); err != nil {
		return nil, "", err
	}
	if f.from != "" {
		return f.narrow(cmd)
	}
	cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
	if err != nil {
		return nil, "", err
	}
	client, err := clientNamed(cfg, f.client)
	if err != nil {
		return nil, "", err
	}
	if client.NoGrants {
		return nil, "", fmt.Errorf("client %s takes no grants: client.%[1]s.grants = false", f.client)
	}
	files := openGrants(cfg)
	if err := files.MakeKey(); err != nil {
		return nil, "", fmt.Errorf("the root key for grants: %w", err)
	}
	keys, err := files.Keys()
	if err != nil {
		return nil, "", fmt.Errorf("the root key for grants: %w", err)
	}
	g, err := grant.New(keys, f.client, f.caveats)
	if err != nil {
		return nil, "", err
	}
	address, err := urlWith(g, cmp.Or(f.proxyURL, reachableURL(cfg).String()))
	return g, address, err
}

// readCaveats fills in what flags do not by themselves.
func (f *grantFlags) readCaveats(cmd *cobra.Command, now time.Time) error {
	if f.client != "" && f.ttl == 0 && !cmd.Flags().Changed("ttl") {
		f.ttl = defaultTTL
	}
	switch {
	case f.ttl < 0 || f.ttl == 0 && cmd.Flags().Changed("ttl"):
		return errors.New("--ttl: must be positive, as 2h")
	case f.ttl > grant.MaxLifetime:
		return fmt.Errorf("--ttl: %v at most", grant.MaxLifetime)
	case f.ttl > 0:
		f.caveats.Expires = now.Add(f.ttl).Unix()
	}
	if f.notBefore > 0 {
		f.caveats.NotBefore = now.Add(f.notBefore).Unix()
	}
	if cmd.Flags().Changed("permissions") {
		f.caveats.Permissions = map[string]string{}
	}
	for _, p := range f.permissions {
		name, level, ok := strings.Cut(p, "=")
		if !ok {
			return fmt.Errorf("--permissions: %q is not NAME=LEVEL, as contents=read", p)
		}
		f.caveats.Permissions[name] = level
	}
	return nil
}

// narrow makes a grant of another.
func (f *grantFlags) narrow(cmd *cobra.Command) (*grant.Grant, string, error) {
	from, at, err := readGrant(f.from, cmd.InOrStdin())
	if err != nil {
		return nil, "", fmt.Errorf("--from: %w", err)
	}
	g, err := from.Narrow(f.caveats)
	if err != nil {
		return nil, "", err
	}
	if f.proxyURL == "" && at == "" {
		return g, g.Text(), nil
	}
	address, err := urlWith(g, cmp.Or(f.proxyURL, at))
	return g, address, err
}

// readGrant reads a grant, alone or in the URL of a proxy, which it returns without;
// "-" stands for what r has.
func readGrant(text string, r io.Reader) (g *grant.Grant, at string, err error) {
	if text == "-" {
		line, err := bufio.NewReader(octets{io.LimitReader(r, 2*grant.MaxText)}).ReadString('\n')
		if err != nil && err != io.EOF {
			return nil, "", err
		}
		text = strings.TrimSpace(line)
	}
	if !grant.Is(text) {
		u, err := url.Parse(text)
		if err != nil || u.User == nil {
			return nil, "", errors.New("neither a grant nor the URL of a proxy with one; `ghapp-proxy grant` makes one")
		}
		text, _ = u.User.Password()
		u.User = nil
		at = u.String()
	}
	g, err = grant.Parse(text)
	return g, at, err
}

// octets reads one at a time: what follows a line is for a command that has the same standard input.
type octets struct{ io.Reader }

func (r octets) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1)]) }

// urlWith is the URL of the proxy with a grant.
func urlWith(g *grant.Grant, proxyURL string) (string, error) {
	u, err := url.Parse(proxyURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("--proxy-url: not a URL such as http://127.0.0.1:8080")
	}
	u.User = url.UserPassword(g.Client, g.Text())
	return strings.TrimSuffix(u.String(), "/"), nil
}

func newGrantRevoke(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke {ID | GRANT | -} ...",
		Short: "Revoke grants, and all that were made from them",
		Long: `Revoke grants by their ids, which "grant" prints and the log has, or by themselves: all
that were made from them end as well. A running proxy takes that into account within a
second, and closes their connections. What is revoked is kept in state_dir until the
grants would have ended, so that the proxy must have the same; replicas that have
[shared] tell each other.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &statusError{exitConfig, errors.New("grant revoke needs the ID of a grant, or the grant")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var list []grant.Revocation
			for _, arg := range args {
				r, err := revocationOf(arg, cmd.InOrStdin(), time.Now())
				if err != nil {
					return &statusError{exitConfig, err}
				}
				list = append(list, r)
			}
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
			if err != nil {
				return err
			}
			if err := openGrants(cfg).Revoke(list...); err != nil {
				return fmt.Errorf("revoke: %w", err)
			}
			for _, r := range list {
				fmt.Fprintf(cmd.OutOrStdout(), "revoked %s\n", r.ID)
			}
			return nil
		},
	}
}

// revocationOf reads what to revoke: of an id nobody knows when its grants end.
func revocationOf(arg string, r io.Reader, now time.Time) (grant.Revocation, error) {
	longest := now.Add(grant.MaxLifetime)
	if id, err := grant.ParseID(strings.ToUpper(arg)); err == nil {
		return grant.Revocation{ID: id, Until: longest}, nil
	}
	g, _, err := readGrant(arg, r)
	if err != nil {
		return grant.Revocation{}, errors.New("neither a grant nor the id of one, which has 16 capital letters and digits")
	}
	// Its end may be forged to be early, so that it would be forgotten.
	return grant.Revocation{ID: g.ID(), Until: longest}, nil
}

func newGrantRevoked(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "revoked",
		Short: "List the grants that are revoked",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
			if err != nil {
				return err
			}
			list, err := openGrants(cfg).List()
			if err != nil {
				return err
			}
			for _, r := range list {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\tkept until %s\n", r.ID, r.Until.UTC().Format(time.RFC3339)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newGrantRotate(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Make another root key, which signs from now on",
		Long: `Make another root key, which signs from now on; grants that were made with those of
before are good until they end. To end them at once, remove their keys, which are
lines of grants/keys in state_dir: a key that was stolen has to go that way.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
			if err != nil {
				return err
			}
			if err := openGrants(cfg).Rotate(); err != nil {
				return fmt.Errorf("rotate the root key: %w", err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "another root key signs from now on")
			return err
		},
	}
}
