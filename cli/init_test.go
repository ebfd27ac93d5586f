package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
	"ghapp-proxy/github"
)

// TestWriteNew: a file that comes while somebody is asked is not overwritten.
func TestWriteNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "config.toml")
	if err := writeNew(path, "first"); err != nil {
		t.Fatal(err)
	}
	if err := writeNew(path, "second"); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a file that is there: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "first" {
		t.Errorf("it says %q (%v)", text, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read it: %v (%v)", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("there are %d files (%v)", len(entries), err)
	}
}

// TestInitText: whatever is answered, the configuration says that and nothing else.
func TestInitText(t *testing.T) {
	w := newWorld(t)
	odd := filepath.Join(w.dir, "k\"ey\\ #[x]\u009b\x7f.pem")
	if err := os.Rename(filepath.Join(w.dir, "ci-bot.pem"), odd); err != nil {
		t.Fatal(err)
	}
	on := func(id int64, login string, enterprise bool) auth.InstallationFacts {
		return auth.InstallationFacts{ID: github.InstallationID(id), Account: github.Account{Login: login, Enterprise: enterprise}}
	}
	for _, test := range []struct {
		answers  answers
		discover bool
		fallback github.InstallationID
	}{
		{answers{id: "0123", used: []auth.InstallationFacts{on(1, "acme", false)}}, false, 1},
		{answers{id: "Iv1.0123456789abcdef", host: "ghe.example.com", all: true, used: []auth.InstallationFacts{on(1, "acme", false), on(2, "mega", true)}}, true, 0},
		{answers{id: "1", name: "ci-bot", caFile: filepath.Join(w.dir, "github-ca.pem"), all: true}, true, 0},
	} {
		a := test.answers
		a.key = odd
		path := filepath.Join(w.dir, "config.toml")
		cfg, err := config.Load(t.Context(), config.Source{Path: path, Text: []byte(a.text()), HomeDir: w.dir})
		if err != nil {
			t.Errorf("%v:\n%s", err, a.text())
			continue
		}
		app := cfg.Apps[0]
		if app.NoDiscovery == test.discover || app.DefaultInstallation != test.fallback || len(app.Installations)+len(app.Enterprises) != len(a.used) || len(app.Signers) != 1 {
			t.Errorf("it became %+v of\n%s", *app, a.text())
		}
	}
}
