package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "key.pem"), testPEM())
	base := map[string]string{"GITHUB_APP_CLIENT_ID": "Iv23li", "GITHUB_APP_HOST": "ghe.example.com",
		"GITHUB_APP_INSTALLATION_ID": "7", "GITHUB_APP_CLIENT_SECRET": canary, "GITHUB_APP_ID": ""}
	for _, name := range append(keyTextEnv, keyPathEnv...) {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{name: testPEM()}
			if strings.HasSuffix(name, "_PATH") {
				env[name] = filepath.Join(dir, "key.pem")
			}
			for k, v := range base {
				env[k] = v
			}
			cfg, errText := loadIn(t, dir, Source{HomeDir: dir, LookupEnv: environ(env)})
			if errText != "" {
				t.Fatal(errText)
			}
			app := cfg.Apps[0]
			if app.ClientID != "Iv23li" || app.Instance != "ghe.example.com" || app.API.String() != "https://ghe.example.com/api/v3" ||
				app.DefaultInstallation != 7 || app.ClientSecret != canary || !hasKey(app) {
				t.Errorf("App = %+v", *app)
			}
			if cfg.File != "" || cfg.Listen != DefaultListen || !cfg.PlainHTTP || !cfg.CA.NameConstraints {
				t.Errorf("Config = %+v", cfg)
			}
		})
	}
}

func TestEnvironmentFaults(t *testing.T) {
	noApp := strings.Split("environment: no GitHub App is configured\n\thint: "+strings.ReplaceAll(errNoApp.(hinted).hint+
		";\nthe file is looked for at DIR/.config/ghapp-proxy/config.toml, or is named by $GHAPP_PROXY_CONFIG or --config", "\n", "\n\t"), "\n")
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"nothing", nil, noApp},
		{"key only", map[string]string{"PRIVATE_KEY": canary}, noApp},
		{"no key", map[string]string{"GITHUB_APP_ID": "1"}, []string{
			"environment: an App is named, but its private key is missing",
			"	hint: set GITHUB_APP_PRIVATE_KEY_PATH to the file GitHub let you download, or GITHUB_APP_PRIVATE_KEY to its text;",
			"	a key in the current directory is not looked for, because that may be somebody else's"}},
		{"two keys", map[string]string{"GITHUB_APP_ID": "1", "GITHUB_PRIVATE_KEY": canary, "PRIVATE_KEY_PATH": canary}, []string{
			"environment: PRIVATE_KEY_PATH: GITHUB_PRIVATE_KEY is set as well: the key comes from one place",
			"	hint: unset all but one"}},
		{"everything wrong", map[string]string{"GITHUB_APP_ID": "-" + canary, "GITHUB_APP_INSTALLATION_ID": canary, "GITHUB_APP_HOST": "x",
			"GITHUB_APP_CLIENT_SECRET": canary + " " + canary, "PRIVATE_KEY": canary}, []string{
			"environment: GITHUB_APP_ID: must be a positive integer",
			"environment: GITHUB_APP_INSTALLATION_ID: must be a positive integer",
			`environment: GITHUB_APP_HOST: "x" is not a host name such as github.com or ghe.example.com`,
			"environment: GITHUB_APP_CLIENT_SECRET: GITHUB_APP_CLIENT_ID is missing",
			"	hint: GitHub wants both together",
			"environment: GITHUB_APP_CLIENT_SECRET: no client secret: that is one word",
			"environment: PRIVATE_KEY: not a PEM key: it must start with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN PRIVATE KEY-----"}},
		{"client id is a number", map[string]string{"GITHUB_APP_CLIENT_ID": "1", "PRIVATE_KEY_PATH": "DIR/no"}, []string{
			"environment: GITHUB_APP_CLIENT_ID: not a client id",
			"	hint: the App id, a number, goes into GITHUB_APP_ID",
			"environment: PRIVATE_KEY_PATH: DIR/no: no such file or directory",
			"	hint: save the private key that the App's settings page let you download there, or give the path of the file that has it"}},
		{"text in a path", map[string]string{"GITHUB_APP_ID": "1", "PRIVATE_KEY_PATH": "-----BEGIN " + canary}, []string{
			"environment: PRIVATE_KEY_PATH: holds the key itself instead of the path of a file",
			"	hint: the text itself goes into PRIVATE_KEY"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			env := map[string]string{}
			for k, v := range test.env {
				env[k] = strings.ReplaceAll(v, "DIR", dir)
			}
			_, got := loadIn(t, dir, Source{HomeDir: dir, LookupEnv: environ(env)})
			if diff := cmp.Diff(strings.Join(test.want, "\n"), got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoHome(t *testing.T) {
	env := map[string]string{"GITHUB_APP_ID": "1", "PRIVATE_KEY": testPEM(), "XDG_STATE_HOME": "relative"}
	_, got := loadIn(t, "x", Source{LookupEnv: environ(env)})
	want := "environment: state_dir: there is no home directory to keep the state in\n\thint: set state_dir, $XDG_STATE_HOME or $HOME"
	if got != want {
		t.Errorf("error = %s\nwant %s", got, want)
	}
}
