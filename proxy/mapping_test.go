package proxy_test

import (
	"io"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/githubtest"
)

// TestWrongMapping: where the configuration gives an owner the installation on
// another account, that is said by its key: in the log, to programs and to git.
func TestWrongMapping(t *testing.T) {
	w := start(t, func(s *setup) {
		for _, app := range s.apps {
			app.Installations = nil
		}
		s.apps[0].Installations = map[string]github.InstallationID{
			"acme": github.InstallationID(githubtest.InitechInstallation), "initech": github.InstallationID(githubtest.InitechInstallation),
		}
	})
	client := w.client(t, false)
	const wrong = "app.ci-bot.installations.acme = 333 is an installation on initech, not on acme"
	for range 3 {
		for url, inBody := range map[string]bool{
			"https://api.github.com/repos/acme/widgets":                              false,
			"https://github.com/acme/widgets/info/refs?service=git-upload-pack":      true,
			"https://raw.githubusercontent.com/acme/widgets/main/README.md":          true,
			"https://api.github.com/repos/initech/none":                              false,
			"https://github.com/initech/none.git/info/refs?service=git-receive-pack": true,
		} {
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			said := resp.Header.Get("Proxy-Status")
			if inBody {
				said = string(body)
			}
			if want := strings.Contains(url, "/acme/"); resp.StatusCode != 404 || strings.Contains(said, wrong) != want {
				t.Errorf("%s: %s, %q, want that the mapping is wrong: %v", url, resp.Status, said, want)
			}
		}
	}
	w.eventually(t, "a warning", func() bool { return strings.Contains(w.log.String(), "key=app.ci-bot.installations.acme") })
	if n := strings.Count(w.log.String(), "the configuration gives an owner"); n != 1 {
		t.Errorf("%d warnings, want one, about acme:\n%s", n, w.log)
	}
	asked := 0
	for _, r := range w.github.Requests() {
		if r.Method == "GET" && r.Path() == "/app/installations/333" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("GitHub was asked %d times where the installation is, want once", asked)
	}
}

// TestRightMapping: nothing is said of a mapping that is right.
func TestRightMapping(t *testing.T) {
	w := start(t, nil)
	client := w.client(t, false)
	for _, path := range []string{"/repos/acme/widgets", "/repos/acme/none"} {
		resp, err := client.Get("https://api.github.com" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if said := resp.Header.Get("Proxy-Status"); strings.Contains(said, "installations") {
			t.Errorf("%s: %q", path, said)
		}
	}
	if log := w.log.String(); strings.Contains(log, "another account") {
		t.Errorf("the log warns:\n%s", log)
	}
}
