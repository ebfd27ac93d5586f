package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestAdmin(t *testing.T) {
	cfg, errText := load(t, minimal, nil)
	if errText != "" || cfg.Admin.Listen != "" {
		t.Errorf("without [admin]: %+v, %s, want no listener", cfg.Admin, errText)
	}
	for text, want := range map[string]string{
		`listen = "127.0.0.1:9090"`:                        "127.0.0.1:9090",
		`listen = "[::1]:9090"`:                            "[::1]:9090",
		`listen = "localhost:9090"`:                        "localhost:9090",
		"listen = \"0.0.0.0:9090\"\nallow_remote = true":   "0.0.0.0:9090",
		`listen = "unix:/run/admin.sock"`:                  "unix:/run/admin.sock",
		`listen = "unix:admin.sock"`:                       "unix:DIR/admin.sock",
		"listen = \"127.0.0.1:0\"\nhosts = [\"A.svc.\"]":   "127.0.0.1:0",
		"listen = \"127.0.0.1:9090\"\nallow_remote = true": "127.0.0.1:9090",
	} {
		cfg, errText := load(t, minimal+"[admin]\n"+text+"\n", nil)
		if errText != "" {
			t.Errorf("%s: %s", text, errText)
			continue
		}
		if got := strings.ReplaceAll(cfg.Admin.Listen, filepath.Dir(cfg.File), "DIR"); got != want {
			t.Errorf("%s: Listen = %q, want %q", text, got, want)
		}
		if strings.Contains(text, "hosts") && (len(cfg.Admin.Hosts) != 1 || cfg.Admin.Hosts[0] != "a.svc") {
			t.Errorf("%s: Hosts = %q", text, cfg.Admin.Hosts)
		}
	}
}

func TestAdminFaults(t *testing.T) {
	const open = "	hint: listen on 127.0.0.1 or on a Unix socket, or set allow_remote = true where the network keeps clients of the proxy away from it"
	testFaults(t, []faultTest{
		{name: "open to a network", text: minimal + "[admin]\nlisten = \"0.0.0.0:9090\"\nalow_remote = true\n", want: []string{
			"config.toml:5: admin.listen: is not a loopback address, so that everybody who reaches it could read what the proxy does for whom", open,
			"config.toml:6: admin.alow_remote: unknown key", `	hint: did you mean "allow_remote"?`,
		}},
		{name: "the proxy's own port", text: "listen = \"127.0.0.1:8080\"\n" + minimal + "[admin]\nlisten = \"localhost:8080\"\n", want: []string{
			"config.toml:6: admin.listen: listen is the same", "	hint: give it a port or a path of its own",
		}},
		{name: "a client's", text: minimal + "[client.a]\nlisten = \"unix:/run/a.sock\"\n[admin]\nlisten = \"unix:/run/a.sock\"\n", want: []string{
			"config.toml:7: admin.listen: client.a.listen is the same", "	hint: give it a port or a path of its own",
		}},
		{name: "names", text: minimal + "[admin]\nlisten = \"unix:\"\nhosts = [\"*.svc\", \"10.0.0.1\"]\n", want: []string{
			"config.toml:5: admin.listen: the path is missing", `	hint: for example "unix:/run/ghapp-proxy/admin.sock"`,
			`config.toml:6: admin.hosts: "*.svc": not the name of a host`, `	hint: for example "ghapp-proxy.ci.svc"`,
			`config.toml:6: admin.hosts: "10.0.0.1": addresses need not be listed`, "	hint: leave it out",
		}},
		{name: "no table", text: "admin = \"127.0.0.1:9090\"\n" + minimal, want: []string{
			"config.toml:1: admin: must be a table, not a string", "	hint: " + adminHint,
		}},
	})
}

// Whoever asks how the proxy is needs neither the keys nor a file without faults.
func TestLoadAdmin(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	write(t, path, "listen = \"127.0.0.1:3128\"\n[app.a]\nid = 0\nprivate_key_file = \"none.pem\"\nwrong = 1\n[admin]\nlisten = \"unix:admin.sock\"\n")
	admin, proxy, err := LoadAdmin(Source{Path: path})
	if want := "unix:" + filepath.Join(dir, "admin.sock"); err != nil || admin.Listen != want || proxy != "127.0.0.1:3128" {
		t.Errorf("LoadAdmin = %+v, %s, %v, want %s", admin, proxy, err, want)
	}
	write(t, path, "[admin]\nlisten = 9090\n")
	if _, _, err := LoadAdmin(Source{Path: path}); err == nil || !strings.Contains(err.Error(), "config.toml:2: admin.listen: must be a string") {
		t.Errorf("a fault in [admin]: %v", err)
	}
	if _, _, err := LoadAdmin(Source{Path: filepath.Join(dir, "none.toml")}); err == nil || !strings.Contains(err.Error(), "none.toml cannot be read") {
		t.Errorf("no file: %v", err)
	}
	if admin, proxy, err := LoadAdmin(Source{HomeDir: dir}); err != nil || admin.Listen != "" || proxy != DefaultListen {
		t.Errorf("no file at the default place: %+v, %v, want nothing", admin, err)
	}
}
