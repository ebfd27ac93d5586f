package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"ghapp-proxy/config"

	"github.com/spf13/cobra"
)

func newReload(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Make a running `serve` read its configuration again",
		Long: `Make a running "ghapp-proxy serve" read its configuration again, and wait until it
has: as SIGHUP does, where a signal is awkward. It must be that of the same user,
with the same configuration file; both find each other in state_dir.

The exit status is 0 if the configuration is in force. What is wrong with it is
printed: the exit status is 2 then, or 1 if something else kept it from being put in
force, and the one before stays. Keys that need a restart of serve are named.

Windows has no such thing: there serve watches its files, or is restarted.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !hasControl {
				return errors.New("reload does not work on this system: `serve` reads changed files by itself, unless watch = false; or restart it")
			}
			cfg, err := s.load(cmd.Context(), config.Source{NoSecrets: true})
			if err != nil {
				return err
			}
			got, err := askReload(cmd.Context(), controlPath(cfg))
			if err != nil {
				return err
			}
			if got.Problem != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), got.Problem)
				return &statusError{got.Status, nil}
			}
			if len(got.Restart) > 0 {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "in force, but for what needs a restart: %s\n", strings.Join(got.Restart, ", "))
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "in force")
			return err
		},
	}
}

// askReload asks the serve that listens at a path.
func askReload(ctx context.Context, path string) (got outcome, err error) {
	short, dir, err := shortPath(path)
	if err != nil {
		return got, notRunning(path, err)
	}
	if dir != nil {
		defer dir.Close()
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", short)
	if err != nil {
		return got, notRunning(path, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, reloadWord); err != nil {
		return got, fmt.Errorf("ask the proxy to reload: %w", err)
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxOutcome)).Decode(&got); err != nil {
		return got, fmt.Errorf("the proxy did not say what became of it: %w: look at its log", err)
	}
	return got, nil
}

// notRunning says why nobody could be asked.
func notRunning(path string, err error) error {
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%s: %w: run this as the user that `serve` runs as", path, err)
	}
	return fmt.Errorf("no `serve` with this configuration is running (%w): it must have the same configuration file and state_dir as this command; sending it SIGHUP does the same", err)
}
