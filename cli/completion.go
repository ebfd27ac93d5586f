package cli

import (
	"context"
	"maps"
	"slices"

	"ghapp-proxy/config"

	"github.com/spf13/cobra"
)

// complete has shells complete the values of flags that are known; others are
// files to them.
func (s *settings) complete(root *cobra.Command) {
	values := map[string]cobra.CompletionFunc{
		"log-level":  cobra.FixedCompletions([]cobra.Completion{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp),
		"log-format": cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp),
		"shell":      cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp),
		"client":     s.completeFrom(clientNames),
		"owner":      s.completeFrom(ownerNames),
		"listen":     cobra.NoFileCompletions,
		"proxy-url":  cobra.NoFileCompletions,
		"host":       cobra.NoFileCompletions,
		"timeout":    cobra.NoFileCompletions,
	}
	for _, cmd := range append(root.Commands(), root) {
		for name, function := range values {
			if cmd.Flags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, function) // it is there, and has none yet
			}
		}
	}
}

// completeFrom completes by what the configuration has. Where that cannot be read
// there is nothing to complete, and a shell has no place to say why.
func (s *settings) completeFrom(names func(*config.Config) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		cfg, err := s.load(ctx, config.Source{NoSecrets: true, NoApp: true})
		if err != nil {
			cobra.CompErrorln(err.Error())
			return nil, cobra.ShellCompDirectiveError | cobra.ShellCompDirectiveNoFileComp
		}
		return names(cfg), cobra.ShellCompDirectiveNoFileComp
	}
}

func clientNames(cfg *config.Config) (names []string) {
	for _, c := range cfg.Clients.All() {
		names = append(names, c.Name)
	}
	return names
}

// ownerNames are the owners that the configuration maps.
func ownerNames(cfg *config.Config) []string {
	owners := make(map[string]bool)
	for _, app := range cfg.Apps {
		for owner := range app.Installations {
			owners[owner] = true
		}
	}
	return slices.Sorted(maps.Keys(owners))
}

// formatNames are the first name of each form of `env`.
func formatNames() (names []string) {
	for _, f := range formats {
		names = append(names, f.names[0])
	}
	return names
}
