package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"ghapp-proxy/config"

	"github.com/spf13/cobra"
)

const (
	// healthTimeout is shorter than what Docker and Kubernetes wait by default would
	// be with their retries: 30 s, and 1 s, which is to be set higher.
	healthTimeout = 5 * time.Second
	// maxHealth bounds what is printed.
	maxHealth = 64 << 10
)

func newHealth(s *settings) *cobra.Command {
	var address string
	var live, strict bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running proxy whether it is ready",
		Long: `Ask a running proxy whether it is ready: by its admin listener, which the
configuration names. The exit status is 0 if it is, else 1, and it prints why not: for
HEALTHCHECK in a Dockerfile, for probes that run a command, and for people. Without
an admin listener it asks the proxy itself, which tells only that it answers.

Of the configuration only [admin] and listen are read, so that it needs no key.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address == "" {
				admin, proxy, err := s.loadAdmin()
				switch {
				case err != nil:
					return &statusError{exitFailure, err}
				case admin.Listen == "" && strict:
					return &statusError{exitFailure, errors.New("there is no admin listener to ask: set listen in [admin], or say where it is with --admin")}
				case admin.Listen == "":
					return askProxy(cmd.Context(), cmd.OutOrStdout(), proxy)
				}
				address = admin.Listen
			}
			path := "/readyz"
			switch {
			case live:
				path = "/healthz"
			case strict:
				path += "?strict"
			}
			return askHealth(cmd.Context(), cmd.OutOrStdout(), address, path)
		},
	}
	cmd.Flags().StringVar(&address, "admin", "", "the admin listener's `address` instead of the configured one: 127.0.0.1:9090 or unix:PATH")
	cmd.Flags().BoolVar(&live, "live", false, "ask only whether it lives")
	cmd.Flags().BoolVar(&strict, "strict", false, "take what somebody should look at for unready, such as a configuration that could not be read again")
	cmd.MarkFlagsMutuallyExclusive("live", "strict")
	return cmd
}

// loadAdmin reads the [admin] table, and where the proxy listens.
func (s *settings) loadAdmin() (admin config.Admin, proxy string, err error) {
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	return config.LoadAdmin(config.Source{Path: s.config, LookupEnv: lookupIn(s.inherited), HomeDir: home})
}

// askProxy asks the proxy at an address for what everybody may have.
func askProxy(ctx context.Context, out io.Writer, address string) error {
	at, form, err := config.ParseListen(address)
	var addr *net.TCPAddr
	if err == nil {
		addr, err = net.ResolveTCPAddr("tcp", at)
	}
	if err == nil {
		err = checkSelf(ctx, selfClient(addr, healthTimeout), form)
	}
	if err != nil {
		if why, ok := errors.AsType[*url.Error](err); ok {
			err = why.Err
		}
		return &statusError{exitFailure, fmt.Errorf("the proxy does not answer at %s: %w: start it with `ghapp-proxy serve`, or name the configuration that it has with --config", address, err)}
	}
	fmt.Fprintf(out, "[+]proxy: answers at %s; whether it is ready can be told with an [admin] listener\n", address)
	return nil
}

// askHealth asks the admin listener at an address, and prints what it says.
func askHealth(ctx context.Context, out io.Writer, address, path string) error {
	network, where, host := "tcp", address, address
	if socket, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		network, where, host = "unix", socket, "localhost"
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { // and no proxy
		return new(net.Dialer).DialContext(ctx, network, where)
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return &statusError{exitFailure, fmt.Errorf("--admin %q: use 127.0.0.1:9090 or unix:PATH", address)}
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return &statusError{exitFailure, fmt.Errorf("the proxy does not answer at %s: %w", address, err)}
	}
	defer resp.Body.Close()
	if _, err := io.Copy(out, io.LimitReader(resp.Body, maxHealth)); err != nil {
		return &statusError{exitFailure, err}
	}
	if resp.StatusCode != http.StatusOK {
		return &statusError{exitFailure, nil}
	}
	return nil
}
