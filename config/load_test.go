package config

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ghapp-proxy/auth"
	"ghapp-proxy/github"
	"ghapp-proxy/governor"
)

// canary is part of every secret in these tests and must not be in any error.
const canary = "CaNaRy"

// testKey is generated once, because that takes a while.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func testPEM() string {
	der := x509.MarshalPKCS1PrivateKey(testKey())
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}))
}

// hasKey reports whether an App has the test's key, and no other.
func hasKey(app *auth.App) bool {
	fingerprint, _, _ := strings.Cut(app.Signers[0].String(), " ")
	return len(app.Signers) == 1 && fingerprint == auth.NewKey(testKey()).String()
}

// write makes a file that only its owner can read.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// load loads text as config.toml in a new directory with app.pem beside it.
// What it returns calls the directory DIR.
func load(t *testing.T, text string, env map[string]string) (*Config, string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.toml"), text)
	write(t, filepath.Join(dir, "app.pem"), testPEM())
	return loadIn(t, dir, Source{Path: filepath.Join(dir, "config.toml"), HomeDir: "/home/me", LookupEnv: environ(env)})
}

func loadIn(t *testing.T, dir string, src Source) (*Config, string) {
	t.Helper()
	cfg, err := Load(t.Context(), src)
	if err == nil {
		return cfg, ""
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error has a secret in it:\n%v", err)
	}
	return nil, strings.ReplaceAll(err.Error(), dir, "DIR")
}

func environ(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

const minimal = "[app.bot]\nid = 1\nprivate_key_file = \"app.pem\"\n"

func TestDefaults(t *testing.T) {
	cfg, errText := load(t, minimal, nil)
	if errText != "" {
		t.Fatal(errText)
	}
	dir := filepath.Dir(cfg.File)
	want := &Config{
		File:  filepath.Join(dir, "config.toml"),
		Fixed: Fixed{Listen: "127.0.0.1:8080", Form: FormPlain},
		Live: Live{
			StateDir:  "/home/me/.local/state/ghapp-proxy",
			PlainHTTP: true,
			Apps: []*auth.App{{Name: "bot", Instance: "github.com", ID: 1,
				API: &url.URL{Scheme: "https", Host: "api.github.com"}, Signers: []auth.Signer{&keyFile{path: filepath.Join(dir, "app.pem"), key: auth.NewKey(testKey())}},
				Installations: map[string]github.InstallationID{}, Enterprises: map[string]github.InstallationID{}}},
			CA: CA{NameConstraints: true}, Governor: governor.Default,

			Watch:         true,
			ShutdownGrace: DefaultShutdownGrace,
			Upstream:      Upstream{ConnectTo: map[string]string{}},
		},
		SecretEnv: []string{"GITHUB_APP_CLIENT_SECRET", "GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_PRIVATE_KEY_PATH",
			"GITHUB_PRIVATE_KEY", "GITHUB_PRIVATE_KEY_PATH", "PRIVATE_KEY", "PRIVATE_KEY_PATH"},
	}
	sameSigner := cmp.Comparer(func(a, b auth.Signer) bool { return a.String() == b.String() })
	if diff := cmp.Diff(want, cfg, sameSigner, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestEverything(t *testing.T) {
	cfg, errText := load(t, `
listen = "0.0.0.0:0"
state_dir = "state"
allow_anonymous = true
fallback = "refuse"
jwt_writes = true
exchange = "placeholder"
[app.b]
client_id = "Iv23liB"
private_key_env = "B_KEY"
host = "API.Octo.ghe.com"
default_installation = 5
discover = false
client_secret_env = "B_SECRET"
[app.b.installations]
Acme = 111
[app.b.enterprises]
Acme-Corp = 333
[app.a]
id = 2
private_key_command = ["cat", "app.pem"]
[ca]
cert_file = "~/ca.pem"
key_file = "/ca.key"
name_constraints = false
[upstream]
connect_to = { "API.github.com.:443" = "127.0.0.1:09443" }
proxy = "http://me:pass@corp/"
http2 = true
`, map[string]string{"B_KEY": strings.ReplaceAll(testPEM(), "\n", `\n`), "B_SECRET": canary + "\n", "XDG_STATE_HOME": "/x"})
	if errText != "" {
		t.Fatal(errText)
	}
	if got, want := cfg.StateDir, filepath.Join(filepath.Dir(cfg.File), "state"); got != want {
		t.Errorf("StateDir = %q, want %q", got, want)
	}
	if cfg.Listen != "0.0.0.0:0" || cfg.PlainHTTP || !cfg.AllowAnonymous || !cfg.JWTWrites || cfg.Exchange != ExchangePlaceholder || cfg.Fallback != auth.FallbackRefuse {
		t.Errorf("top level = %+v", cfg)
	}
	if diff := cmp.Diff(CA{CertFile: "/home/me/ca.pem", KeyFile: "/ca.key"}, cfg.CA); diff != "" {
		t.Errorf("CA (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"api.github.com:443": "127.0.0.1:9443"}, cfg.Upstream.ConnectTo); diff != "" {
		t.Errorf("ConnectTo (-want +got):\n%s", diff)
	}
	if got := cfg.Upstream.Proxy.String(); got != "http://me:pass@corp:80" || !cfg.Upstream.HTTP2 {
		t.Errorf("Proxy = %q, HTTP2 = %v", got, cfg.Upstream.HTTP2)
	}
	if len(cfg.Apps) != 2 || cfg.Apps[0].Name != "b" || cfg.Apps[1].Name != "a" || !hasKey(cfg.Apps[1]) {
		t.Fatalf("Apps = %v, want b and a", cfg.Apps)
	}
	b := cfg.Apps[0]
	if b.Instance != "octo.ghe.com" || b.ClientSecret != canary || !b.NoDiscovery || b.DefaultInstallation != 5 ||
		b.Installations["acme"] != 111 || b.Enterprises["acme-corp"] != 333 || !hasKey(b) {
		t.Errorf("app b has wrong settings: %+v", *b)
	}
	if got := strings.Join(cfg.SecretEnv, " "); !strings.HasPrefix(got, "B_KEY B_SECRET GITHUB_APP_CLIENT_SECRET ") {
		t.Errorf("SecretEnv = %s", got)
	}
}

func TestFindFile(t *testing.T) {
	dir := t.TempDir()
	named, byEnv, byDefault := filepath.Join(dir, "named.toml"), filepath.Join(dir, "env.toml"), filepath.Join(dir, "home/.config/ghapp-proxy/config.toml")
	if err := os.MkdirAll(filepath.Dir(byDefault), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "app.pem"), testPEM())
	for _, path := range []string{named, byEnv, byDefault} {
		write(t, path, strings.ReplaceAll(minimal, "app.pem", filepath.Join(dir, "app.pem")))
	}
	home := filepath.Join(dir, "home")
	tests := []struct {
		name string
		src  Source
		env  map[string]string
		want string
		err  string
	}{
		{"flag", Source{Path: named, HomeDir: home}, map[string]string{"GHAPP_PROXY_CONFIG": byEnv}, named, ""},
		{"variable", Source{HomeDir: home}, map[string]string{"GHAPP_PROXY_CONFIG": byEnv}, byEnv, ""},
		{"home", Source{HomeDir: home}, map[string]string{"GITHUB_APP_ID": "no"}, byDefault, ""},
		{"xdg", Source{HomeDir: "/none"}, map[string]string{"XDG_CONFIG_HOME": home + "/.config"}, byDefault, ""},
		{"relative xdg", Source{HomeDir: home}, map[string]string{"XDG_CONFIG_HOME": "other"}, byDefault, ""},
		{"flag to nothing", Source{Path: dir + "/no.toml"}, nil, "", "DIR/no.toml: cannot be read: no such file or directory"},
		{"variable to nothing", Source{HomeDir: home}, map[string]string{"GHAPP_PROXY_CONFIG": dir + "/no.toml"}, "", "DIR/no.toml: cannot be read: no such file or directory"},
		{"directory", Source{Path: dir}, nil, "", "DIR: cannot be read: is a directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.src.LookupEnv = environ(test.env)
			if test.src.HomeDir == "" {
				test.src.HomeDir = home
			}
			cfg, errText := loadIn(t, dir, test.src)
			if errText != test.err {
				t.Errorf("error = %q, want %q", errText, test.err)
			}
			if cfg != nil && cfg.File != test.want {
				t.Errorf("File = %q, want %q", cfg.File, test.want)
			}
		})
	}
}

func TestListenOverride(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "c.toml"), "listen = \"0.0.0.0:80\"\n"+minimal)
	write(t, filepath.Join(dir, "app.pem"), testPEM())
	src := Source{Path: filepath.Join(dir, "c.toml"), HomeDir: "/h", Listen: "[::1]:0"}
	if cfg, errText := loadIn(t, dir, src); errText != "" || cfg.Listen != "[::1]:0" || !cfg.PlainHTTP {
		t.Errorf("Load = %+v, %s", cfg, errText)
	}
	src.Listen = "nowhere"
	want := "command line: listen: must be an address and a port\n\thint: for example \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every interface"
	if _, errText := loadIn(t, dir, src); errText != want {
		t.Errorf("error = %s\nwant %s", errText, want)
	}
}

func TestWarnings(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "c.toml"), minimal+"[ca]\nkey_file = \"app.pem\"\ncert_file = \"ca.pem\"\n")
	key := filepath.Join(dir, "app.pem")
	write(t, key, testPEM())
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, errText := loadIn(t, dir, Source{Path: filepath.Join(dir, "c.toml"), HomeDir: "/h"})
	if errText != "" {
		t.Fatal(errText)
	}
	want := []string{"DIR/c.toml:3: app.bot.private_key_file: other users may read DIR/app.pem (mode 0644)\n\thint: chmod 600 DIR/app.pem",
		"DIR/c.toml:5: ca.key_file: other users may read DIR/app.pem (mode 0644)\n\thint: chmod 600 DIR/app.pem"}
	for i := range cfg.Warnings {
		cfg.Warnings[i] = strings.ReplaceAll(cfg.Warnings[i], dir, "DIR")
	}
	if diff := cmp.Diff(want, cfg.Warnings); diff != "" {
		t.Errorf("Warnings (-want +got):\n%s", diff)
	}
}

func TestAuditRequired(t *testing.T) {
	cfg, errText := load(t, "audit_log = \"-\"\naudit_required = true\n"+minimal, nil)
	if errText != "" || !cfg.AuditRequired {
		t.Errorf("%+v, %s", cfg, errText)
	}
	if _, errText := load(t, "audit_required = true\n"+minimal, nil); !strings.Contains(errText, "config.toml:1: audit_required: there is no audit log\n\thint: add audit_log") {
		t.Errorf("without audit_log: %s", errText)
	}
}
