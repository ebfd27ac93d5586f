//go:build unix

package config

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestReading: a Load tells which files it read, or would have, and what was read of a
// pipe once is there for the next.
func TestReading(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("app.pem"), testPEM())
	write(t, at("roots.pem"), testCertificate(t))
	if err := syscall.Mkfifo(at("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		if pipe, err := os.OpenFile(at("secret"), os.O_WRONLY, 0); err == nil {
			pipe.WriteString(canary)
			pipe.Close()
		}
	}()
	reading := new(Reading)
	load := func(text string) (*Config, string) {
		write(t, at("config.toml"), text)
		return loadIn(t, dir, Source{Path: at("config.toml"), HomeDir: dir, Reading: reading})
	}
	const text = `
[app.bot]
client_id = "Iv1"
private_key_file = ["app.pem"]
client_secret_file = "secret"
[upstream]
ca_file = "roots.pem"
`
	for range 2 {
		cfg, errText := load(text)
		if errText != "" {
			t.Fatal(errText)
		}
		if cfg.Apps[0].ClientSecret != canary {
			t.Error("the secret is another one")
		}
	}
	if got, want := reading.Files(), []string{at("app.pem"), at("config.toml"), at("roots.pem"), at("secret")}; !slices.Equal(got, want) {
		t.Errorf("the files are %q, want %q", got, want)
	}
	if _, errText := load("[app.bot]\nid = 1\nprivate_key_file = \"gone.pem\"\n[ca]\ncert_file = \"c.pem\"\nkey_file = \"k.pem\"\n"); errText == "" {
		t.Error("there is no fault, though the key is missing")
	}
	if got, want := reading.Files(), []string{at("c.pem"), at("config.toml"), at("gone.pem"), at("k.pem")}; !slices.Equal(got, want) {
		t.Errorf("with a fault the files are %q, want %q", got, want)
	}
}
