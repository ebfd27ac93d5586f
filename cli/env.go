package cli

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"ghapp-proxy/config"

	"github.com/spf13/cobra"
)

func newEnv(s *settings) *cobra.Command {
	var proxyURL string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the variables with which a shell uses a running proxy",
		Long: `Print the variables with which a shell uses a running "ghapp-proxy serve":

  eval "$(ghapp-proxy env)"

SSL_CERT_FILE and its like name a file in the state directory with the system's
roots and the proxy's certificate.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true})
			if err != nil {
				return err
			}
			env, err := serveEnvironment(cfg, proxyURL)
			if err != nil {
				return &statusError{exitConfig, err}
			}
			for _, v := range env.variables(os.LookupEnv) {
				fmt.Fprintf(cmd.OutOrStdout(), "export %s=%s\n", v.name, shellQuote(v.value))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&proxyURL, "proxy-url", "", "`URL` of the proxy, with USER:PASSWORD@ if it asks for a password (default: the configured address)")
	return cmd
}

// serveEnvironment describes a running proxy, and writes the bundle for it.
func serveEnvironment(cfg *config.Config, proxyURL string) (*environment, error) {
	if proxyURL == "" {
		proxyURL = "http://" + cfg.Listen
	}
	address, err := url.Parse(proxyURL)
	if err != nil || address.Scheme != "http" || address.Hostname() == "" {
		return nil, fmt.Errorf("--proxy-url: not a URL such as http://127.0.0.1:8080")
	}
	if ip := net.ParseIP(address.Hostname()); ip != nil && ip.IsUnspecified() {
		return nil, fmt.Errorf("the proxy listens on every address: name one of them with --proxy-url")
	}
	if address.Port() == "0" {
		return nil, fmt.Errorf("the proxy listens on a random port: name it with --proxy-url")
	}
	cas, err := openAuthorities(cfg, onDisk(cfg))
	if err != nil {
		return nil, err
	}
	bundle, err := cas.bundle(cfg)
	if err != nil {
		return nil, err
	}
	path := bundlePath(cfg)
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, err
	}
	if err := writeFileAtomic(path, bundle, 0o644); err != nil {
		return nil, fmt.Errorf("write the bundle: %w", err)
	}
	return &environment{proxy: address, bundle: path, served: instances(cfg)}, nil
}

// shellQuote quotes s for a POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
