package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"ghapp-proxy/config"
	"ghapp-proxy/policy"
	"ghapp-proxy/proxy"

	"github.com/spf13/cobra"
)

// grace is how long requests under way may take to finish at the end.
const grace = 10 * time.Second

func newServe(s *settings) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy",
		Long: `Run the proxy until it is interrupted. Requests under way may finish for ten seconds.

Clients set HTTPS_PROXY to its address and trust the certificate that
"ghapp-proxy ca" prints and http://PROXY/ca.pem serves; "ghapp-proxy env" says how.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := s.logger(cmd.ErrOrStderr(), slog.LevelInfo)
			if err != nil {
				return &statusError{exitConfig, err}
			}
			cfg, err := s.load(cmd.Context(), config.Source{Listen: listen, Log: log})
			if err != nil {
				return err
			}
			cfg.Egress = servedEgress(cfg)
			return serve(cmd.Context(), cfg, log)
		},
	}
	cmd.Flags().StringVarP(&listen, "listen", "l", "", "`address` to listen on instead of the configured one (default "+config.DefaultListen+")")
	return cmd
}

// servedEgress is the egress policy of `serve`. Its clients may be on other
// machines or in containers, so that even without [egress] it does not take
// them to private addresses. The command of `run` is on this machine's network
// anyway.
func servedEgress(cfg *config.Config) *policy.Egress { return cmp.Or(cfg.Egress, &policy.Egress{}) }

// serve runs the proxy until ctx ends.
func serve(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	for _, warning := range cfg.Warnings {
		log.Warn(warning)
	}
	cas, err := openAuthorities(cfg, onDisk(cfg))
	if err != nil {
		return &statusError{exitConfig, err}
	}
	ln, err := listen(ctx, cfg)
	if err != nil {
		return err
	}
	srv, err := newServer(cfg, cas, proxy.Admission{SameUser: !cfg.AllowAnonymous}, false, log)
	if err != nil {
		ln.Close()
		return err
	}
	log.Info("listening", "address", ln.Addr().String(), "apps", appNames(cfg), "ca", caDir(cfg))

	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
		log.Info("stopping", "grace", grace)
	}
	end, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if stopErr := srv.stop(end); stopErr != nil {
		log.Warn("the end was not clean", "error", stopErr)
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// listen opens the configured address, if it is safe to.
func listen(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another address with --listen or the listen key", err)
	}
	if tcp, ok := ln.Addr().(*net.TCPAddr); !cfg.AllowAnonymous && (!ok || !tcp.IP.IsLoopback()) {
		ln.Close()
		return nil, &statusError{exitConfig, fmt.Errorf(
			"listen = %q is not a loopback address, so anybody who can reach it could use the App's credentials: listen on 127.0.0.1, or set allow_anonymous = true", cfg.Listen)}
	}
	return ln, nil
}

func appNames(cfg *config.Config) (names []string) {
	for _, app := range cfg.Apps {
		names = append(names, app.Name)
	}
	return names
}
