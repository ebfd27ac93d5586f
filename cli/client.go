package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"ghapp-proxy/config"
	"ghapp-proxy/policy"

	"github.com/spf13/cobra"
)

func newClient(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Add clients, and list them",
		Long:  `Clients are identities with limits: see the [client.NAME] tables of config.example.toml.`,
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newClientAdd(s), newClientList(s))
	return cmd
}

func newClientAdd(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME",
		Short: "Make a secret for a client",
		Long: `Make a secret for a client, and print the URL of the proxy that contains it, and the
lines for the configuration, which only has its hash. The secret is shown this once
and kept nowhere. For a client that exists, it is a new secret.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &statusError{exitConfig, errors.New("client add needs the NAME of a client")}
			}
			if err := config.CheckClientName(args[0]); err != nil {
				return &statusError{exitConfig, fmt.Errorf("%w: up to 64 letters, digits, - and _ are allowed", err)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
			if err != nil {
				return err
			}
			return addClient(cmd.OutOrStdout(), cfg, args[0])
		},
	}
}

func addClient(w io.Writer, cfg *config.Config, name string) error {
	secret := policy.NewSecret()
	action := "Add to the configuration"
	if _, ok := cfg.Clients.ByName(name); ok {
		action = "Replace in the configuration"
	}
	address := reachableURL(cfg)
	address.User = url.UserPassword(name, secret)
	_, err := fmt.Fprintf(w, "# The proxy for this client; the secret is not shown again:\n%s\n\n# %s, and send SIGHUP to the proxy:\n[client.%s]\nsecret_hash = %q\n",
		address, action, name, policy.HashSecret(secret))
	return err
}

// reachableURL is that of the proxy for clients that are elsewhere.
func reachableURL(cfg *config.Config) *url.URL {
	address := ownURL(cfg)
	address.Host = reachable(address.Host)
	return address
}

// reachable is the address that clients use for one to listen on.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if addr, addrErr := netip.ParseAddr(host); err == nil && addrErr == nil && addr.IsUnspecified() {
		return net.JoinHostPort("PROXY-HOST", port)
	}
	return listen
}

func newClientList(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the clients and their limits",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true, NoApp: true})
			if err != nil {
				return err
			}
			if len(cfg.Clients.All()) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "ghapp-proxy: no clients are configured (ghapp-proxy client add NAME makes one)")
			}
			for _, c := range cfg.Clients.All() {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\t%s\n", c.Name, identityOf(c), limitsOf(c)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// identityOf says how a client is recognised.
func identityOf(c *policy.Client) string {
	var ways []string
	if c.Secret != (policy.SecretHash{}) {
		ways = append(ways, "secret")
	}
	for _, network := range c.Networks {
		ways = append(ways, network.String())
	}
	if c.Listen != "" {
		ways = append(ways, c.Listen)
	}
	if ways == nil {
		return "nobody"
	}
	return strings.Join(ways, " ")
}

// limitsOf says what a client is limited in, in the words of the configuration.
func limitsOf(c *policy.Client) string {
	var limits []string
	for _, limit := range []struct{ key, values string }{
		{"owners", list(c.Owners)},
		{"repositories", list(c.Repositories)},
		{"permissions", permissionsOf(c)},
		{"read_only", given(c.ReadOnly)},
		{"apps", list(c.Apps)},
		{"hosts", list(c.Hosts)},
		{"jwt", given(c.JWT)},
		{"allow", list(c.Allow)},
		{"deny", list(c.Deny)},
		{"graphql", c.GraphQL.String()},
		{"mutations", list(c.Mutations)},
		{"push", list(c.Push)},
		{"deny_push", list(c.DenyPush)},
		{"delete_refs", list(c.DeleteRefs)},
	} {
		if limit.values != "" {
			limits = append(limits, limit.key+"="+limit.values)
		}
	}
	if limits == nil {
		return "no limits"
	}
	return strings.Join(limits, "\t")
}

func list[T any](values []T) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, fmt.Sprint(v))
	}
	return strings.Join(texts, ",")
}

func permissionsOf(c *policy.Client) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(c.Permissions)) {
		texts = append(texts, name+":"+c.Permissions[name])
	}
	return strings.Join(texts, ",")
}

func given(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// clientNamed returns the client of a name, nil for "": somebody without limits.
func clientNamed(cfg *config.Config, name string) (*policy.Client, error) {
	if name == "" {
		return nil, nil
	}
	if c, ok := cfg.Clients.ByName(name); ok {
		return c, nil
	}
	names := "none is configured (ghapp-proxy client add NAME makes one)"
	if all := cfg.Clients.All(); len(all) > 0 {
		var defined []string
		for _, c := range all {
			defined = append(defined, c.Name)
		}
		names = "the configuration has " + strings.Join(defined, ", ")
	}
	return nil, &statusError{exitConfig, fmt.Errorf("no client is named %q: %s", name, names)}
}
