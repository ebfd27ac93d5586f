package config

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// In the example, "#key" is a key that is commented out; "# Text" is a comment.
var commentedOut = regexp.MustCompile(`(?m)^#([a-z"\[])`)

func readExample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../config.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// loadExample loads a version of the example with the files it names.
func loadExample(t *testing.T, text string) *Config {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.toml"), text)
	write(t, filepath.Join(dir, "ci-bot.pem"), testPEM())
	write(t, filepath.Join(dir, "ci-bot.secret"), canary)
	write(t, filepath.Join(dir, "extra-roots.pem"), testCertificate(t))
	write(t, filepath.Join(dir, "valkey.url"), "rediss://:"+canary+"@valkey.example.com\n")
	write(t, filepath.Join(dir, "shared.secret"), strings.Repeat("a", 32)+"\n"+strings.Repeat("b", 32)+"\n")
	write(t, filepath.Join(dir, "clients.pem"), testCertificate(t))
	own, key := testPair(t, nil)
	write(t, filepath.Join(dir, "tls.crt"), own)
	write(t, filepath.Join(dir, "tls.key"), key)
	env := map[string]string{"CI_BOT_KEY": testPEM(), "RELEASE_BOT_KEY": testPEM(), "APP_SECRET": canary, "VALKEY_URL": "rediss://:" + canary + "@valkey.example.com"}
	write(t, filepath.Join(dir, "cluster-keys.json"), testKeys)
	cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), HomeDir: dir, LookupEnv: environ(env)})
	if errText != "" {
		t.Fatalf("%s", errText)
	}
	return cfg
}

func TestExampleLoads(t *testing.T) {
	cfg := loadExample(t, readExample(t))
	if len(cfg.Apps) != 1 || cfg.Apps[0].Installations["acme"] != 111 || len(cfg.Warnings) > 0 {
		t.Errorf("Load = %+v", cfg)
	}
}

// TestExampleAllKeys takes the # from every key; where only one of several may
// be given, from each in turn.
func TestExampleAllKeys(t *testing.T) {
	all := commentedOut.ReplaceAllString(readExample(t), "$1")
	all = strings.ReplaceAll(all, `["op", "read", "op://vault/ci-bot/private-key"]`, `["cat", "ci-bot.pem"]`)
	all = strings.ReplaceAll(all, `["op", "read", "op://vault/ci-bot/client-secret"]`, `["cat", "ci-bot.secret"]`)
	all = strings.ReplaceAll(all, `["./kms-sign", "ci-bot"]`, `["cat", "ci-bot"]`)
	all = strings.ReplaceAll(all, `["pass", "show", "valkey-url"]`, `["cat", "valkey.url"]`)
	for _, test := range []struct{ kind, key, secret, url string }{
		{"file", "private_key_file", "client_secret_file", "url_file"}, {"env", "private_key_env", "client_secret_env", "url_env"},
		{"command", "private_key_command", "client_secret_command", "url_command"}, {"signer", "signer_command", "client_secret_file", "url"},
	} {
		t.Run(test.kind, func(t *testing.T) {
			all := regexp.MustCompile(`(?m)^(names|remember) = .*$`).ReplaceAllString(all, "")
			text := regexp.MustCompile(`(?m)^(private_key_[a-z]*|client_secret_[a-z]*|signer_command|url|url_[a-z]*) = .*(ci-bot|CI_BOT|APP_S|(?i:valkey)).*$`).ReplaceAllStringFunc(all, func(line string) string {
				if strings.HasPrefix(line, test.key+" ") || strings.HasPrefix(line, test.secret+" ") || strings.HasPrefix(line, test.url+" ") {
					return line
				}
				return ""
			})
			cfg := loadExample(t, text)
			if len(cfg.Apps) != 2 || cfg.Apps[0].ClientSecret != canary || cfg.Upstream.RootsPEM == nil || len(cfg.Rules) != 4 || len(cfg.Clients.All()) != 3 || len(cfg.Issuers) != 3 || cfg.Shared.URL == "" || len(cfg.Shared.Secrets) != 2 || len(cfg.Warnings) > 0 {
				t.Errorf("Load = %+v", cfg)
			}
		})
	}
}

// TestExampleIsComplete compares the keys that Load asks for with those that
// the example mentions.
func TestExampleIsComplete(t *testing.T) {
	var values map[string]any
	text := commentedOut.ReplaceAllString(readExample(t), "$1")
	md, err := toml.Decode(text, &values)
	if err != nil {
		t.Fatal(err)
	}
	doc := parseDocument(&report{}, "config.toml", "/config.toml", "", text)
	l := &loader{ctx: t.Context()}
	l.readDocument(&Config{}, doc)

	mentioned := map[string]bool{}
	for _, key := range md.Keys() {
		for i := range key {
			mentioned[pattern(key[:i+1])] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(doc.known)) {
		if !mentioned[key] {
			t.Errorf("the example lacks %s", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(mentioned)) {
		if !doc.known[key] {
			t.Errorf("the example has %s, which is no key", key)
		}
	}
}

// pattern puts * in place of names that the user chooses.
func pattern(key toml.Key) string {
	path := ""
	for _, part := range key {
		if path == "app" || path == "client" || path == "client.*.permissions" || path == "client.*.oidc.claims" || path == "upstream.connect_to" || path == "app.*.installations" || path == "app.*.enterprises" || path == "rule.token.permissions" {
			path += ".*"
		} else {
			path = join(path, part)
		}
	}
	return path
}
