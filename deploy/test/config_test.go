package test

import (
	"path/filepath"
	"testing"

	"ghapp-proxy/config"

	"github.com/BurntSushi/toml"
)

// loadConfig reads a configuration as the proxy does, without its keys.
func loadConfig(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	writeFile(t, path, []byte(text))
	cfg, err := config.Load(t.Context(), config.Source{Path: path, HomeDir: dir, LookupEnv: func(string) (string, bool) { return "", false }, NoSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 {
		t.Fatalf("warnings: %q", cfg.Warnings)
	}
	return cfg
}

// secretFiles are the files that a configuration has keys in.
func secretFiles(t *testing.T, text string) (paths []string) {
	t.Helper()
	var file struct {
		App map[string]struct {
			Key string `toml:"private_key_file"`
		}
		CA struct {
			Cert string `toml:"cert_file"`
			Key  string `toml:"key_file"`
		}
		Shared struct {
			URL string `toml:"url_file"`
		}
	}
	if _, err := toml.Decode(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, app := range file.App {
		paths = append(paths, app.Key)
	}
	if file.CA.Cert != "" {
		paths = append(paths, file.CA.Cert, file.CA.Key)
	}
	if file.Shared.URL != "" {
		paths = append(paths, file.Shared.URL)
	}
	return paths
}
