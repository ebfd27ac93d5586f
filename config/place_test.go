//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/certs"
)

// TestWarnsOfPlaces: others must not choose what is no secret either: whom clients
// trust, where credentials go to, what is recorded, and what all of that is read from.
func TestWarnsOfPlaces(t *testing.T) {
	dir := t.TempDir()
	ca, err := certs.New(certs.Spec{Instance: "github.com", Hosts: []string{"github.com"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"app.pem": testPEM(), "audit.jsonl": "", "root.pem": string(ca.PEM()), "config.toml": `audit_log = "audit.jsonl"
[app.bot]
id = 1
private_key_file = "app.pem"
[ca]
cert_file = "root.pem"
key_file = "app.pem"
[upstream]
ca_file = "root.pem"
`,
	} {
		write(t, filepath.Join(dir, name), text)
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, keys := range map[string][]string{
		"config.toml": {""},
		"audit.jsonl": {"1: audit_log"},
		"root.pem":    {"6: ca.cert_file", "9: upstream.ca_file"},
	} {
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, 0o646); err != nil {
			t.Fatal(err)
		}
		cfg, err := Load(t.Context(), Source{Path: filepath.Join(dir, "config.toml"), HomeDir: "/h"})
		if err != nil {
			t.Fatal(err)
		}
		if len(cfg.Warnings) != len(keys) {
			t.Errorf("%s: %q, want %d warnings", name, cfg.Warnings, len(keys))
			continue
		}
		for i, key := range keys {
			want := path + ": others can write to it (mode 0646)\n\thint: run `chmod go-w " + path
			if !strings.Contains(cfg.Warnings[i], key) || !strings.Contains(cfg.Warnings[i], want) {
				t.Errorf("%s: %q, want %q and %q", name, cfg.Warnings[i], key, want)
			}
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWarnsOfCommands: whoever can change what is run could have the key, or sign.
func TestWarnsOfCommands(t *testing.T) {
	for key, app := range map[string]string{
		"private_key_command":   "private_key_command = [\"./bin/run\"]\n",
		"signer_command":        "signer_command = [\"./bin/run\"]\n",
		"client_secret_command": "private_key_file = \"app.pem\"\nclient_id = \"Iv1\"\nclient_secret_command = [\"./bin/secret\"]\n",
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "app.pem"), testPEM())
		write(t, filepath.Join(dir, "config.toml"), "[app.bot]\nid = 1\n"+app)
		for name, says := range map[string]string{"run": "cat app.pem", "secret": "echo abc"} {
			path := filepath.Join(dir, "bin", name)
			write(t, path, "#!/bin/sh\n"+says+"\n")
			if err := os.Chmod(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, mode := range []os.FileMode{0o700, 0o702} {
			if err := os.Chmod(filepath.Join(dir, "bin"), mode); err != nil {
				t.Fatal(err)
			}
			cfg, err := Load(t.Context(), Source{Path: filepath.Join(dir, "config.toml"), HomeDir: "/h"})
			if err != nil {
				t.Fatal(err)
			}
			want := "app.bot." + key + ": others could change what is run: " + filepath.Join(dir, "bin") + ": others can write to it (mode 0702)\n\thint: run `chmod go-w "
			if warned := len(cfg.Warnings) == 1 && strings.Contains(cfg.Warnings[0], want); warned != (mode == 0o702) || !warned && len(cfg.Warnings) > 0 {
				t.Errorf("%s, mode %o: %q", key, mode, cfg.Warnings)
			}
		}
	}
}
