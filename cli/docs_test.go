package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/config"
)

// pages are what people copy from.
var pages = []string{"../README.md", "../docs/ci.md", "../docs/operation.md", "../docs/sandbox.md"}

// morePages have commands, and no configuration that stands by itself.
var morePages = []string{"../docs/cluster.md", "../docs/laptop.md", "../docs/script.md", "../docs/secrets.md"}

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every piece of configuration can be loaded, without a fault or a warning.
func TestDocumentedConfigurations(t *testing.T) {
	snippet := regexp.MustCompile("(?s)```toml\n(.*?)```")
	for _, page := range pages {
		snippets := snippet.FindAllStringSubmatch(readPage(t, page), -1)
		if len(snippets) == 0 {
			t.Errorf("%s has no configuration", page)
		}
		for _, match := range snippets {
			dir := t.TempDir()
			path := filepath.Join(dir, "config.toml")
			if err := os.WriteFile(path, []byte(match[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(t.Context(), config.Source{Path: path, HomeDir: dir, NoSecrets: true, NoApp: true})
			if err != nil || len(cfg.Warnings) > 0 {
				t.Errorf("%s: Load(%q) = %+v, %v", page, match[1], cfg, err)
			}
		}
	}
}

// Every command exists, with its flags and as many arguments.
func TestDocumentedCommands(t *testing.T) {
	command := regexp.MustCompile("(?m)(?:^ *|`|\\$\\(|/usr/bin/)ghapp-proxy ([^`)>&#\n]+)")
	for _, page := range slices.Concat(pages, morePages) {
		commands := command.FindAllStringSubmatch(readPage(t, page), -1)
		if len(commands) == 0 {
			t.Errorf("%s has no command", page)
		}
		for _, match := range commands {
			root := newRoot(new(settings))
			root.InitDefaultCompletionCmd()
			cmd, args, err := root.Find(strings.Fields(match[1]))
			if err == nil && cmd == root {
				t.Errorf("%s: there is no command %q", page, match[1])
			}
			if err == nil {
				err = cmd.ParseFlags(args)
			}
			if err == nil && len(args) > 0 { // else a text names the command
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %q: %v", page, match[1], err)
			}
		}
	}
}
