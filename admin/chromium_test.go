package admin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghapp-proxy/admin"
	"ghapp-proxy/event"
)

const (
	// requireBrowserEnv fails what is skipped where Chromium is not installed.
	requireBrowserEnv = "GHAPP_PROXY_REQUIRE_BROWSER"
	// screenshotsEnv names a directory for pictures of the page.
	screenshotsEnv = "GHAPP_PROXY_SCREENSHOTS"
)

// many is the state of a proxy with so many installations.
func many(n int) admin.State {
	state := busy()
	state.Apps[0].Wrong = nil
	state.Apps[0].Installations = nil
	for i := range n {
		inst := admin.Installation{ID: int64(5000000 + i), Account: fmt.Sprintf("organization-%03d", i)}
		if i%3 != 0 {
			inst.Tokens, inst.Minted, inst.Expires = 1, time.Now().Add(-time.Duration(i%50)*time.Minute), time.Now().Add(time.Duration(60-i%50)*time.Minute)
			inst.Quotas = []admin.Quota{
				{Resource: "core", Limit: 5000, Remaining: 5000 - i*23%5000, Reset: time.Now().Add(40 * time.Minute)},
				{Resource: "graphql", Limit: 5000, Remaining: 5000 - i*7, Reset: time.Now().Add(20 * time.Minute)},
			}
		}
		state.Apps[0].Installations = append(state.Apps[0].Installations, inst)
	}
	state.Clients = nil
	for i := range 8 {
		state.Clients = append(state.Clients, admin.Client{Name: fmt.Sprintf("job-%d", i), May: "repositories acme/widgets, acme/docs; permissions contents write, issues write; pushes to refs/heads/agent/**", Connections: i, Requests: i % 3})
	}
	return state
}

func manyEvents() (list []event.Event) {
	for i := range 60 {
		e := event.Event{
			Kind: event.Request, Time: time.Now().Add(time.Duration(i-60) * time.Second), Duration: time.Duration(20+i*7) * time.Millisecond, Client: fmt.Sprintf("job-%d", i%8), Method: "GET", Host: "api.github.com", Path: fmt.Sprintf("/repos/acme/widgets/issues/%d/comments", i),
			Operation: "issues/list-comments", Decision: event.Forwarded, Credential: "installation", App: "ci-bot", Installation: 5000001, Status: 200, GitHubStatus: 200,
		}
		switch i % 7 {
		case 3:
			e.Method, e.Decision, e.Status, e.DecidedBy, e.Err = "POST", event.Refused, 403, "client.job-3.deny[1]", errors.New("client job-3 may not run issues/create: client.job-3.deny[1] forbids it")
		case 5:
			e.Status, e.GitHubStatus = 404, 404
		case 6:
			e.Kind, e.Method, e.Host, e.Path, e.Operation, e.Credential = event.Tunnel, "CONNECT", "proxy.golang.org:443", "", "", ""
		}
		list = append(list, e)
	}
	return list
}

// chromium runs the browser, headless, and returns what it prints.
func chromium(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("google-chrome")
	}
	if err != nil {
		if os.Getenv(requireBrowserEnv) != "" {
			t.Fatalf("neither chromium nor google-chrome is installed, and $%s is set", requireBrowserEnv)
		}
		t.Skip("neither chromium nor google-chrome is installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	profile := t.TempDir()
	base := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--no-proxy-server",
		"--user-data-dir=" + profile, "--hide-scrollbars", "--timeout=4000",
	}
	cmd := exec.CommandContext(ctx, path, append(base, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+profile, "XDG_CONFIG_HOME="+profile, "XDG_CACHE_HOME="+profile)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	return string(out)
}

// TestPageInChromium: the policy lets the page's own script and style work, and nothing
// of somebody else's; it is brought up to date.
func TestPageInChromium(t *testing.T) {
	address, recent := pageOf(t, hostileState(), hostileEvent())
	go func() {
		for i := range 40 { // while the browser starts and after
			time.Sleep(200 * time.Millisecond)
			recent.Count(&event.Event{Kind: event.Request, Time: time.Now(), Client: "late", Method: "GET", Host: "api.github.com", Path: fmt.Sprint("/late/", i), Decision: event.Forwarded, Status: 200})
		}
	}()
	dom := chromium(t, "--dump-dom", "http://"+address+"/")
	if !strings.Contains(dom, "/late/") {
		t.Errorf("what came after the page is not in it:\n%.3000s", dom)
	}
	if strings.Contains(dom, "<img") || strings.Count(dom, "<script") != 1 || strings.Contains(dom, `class="lost"`) {
		t.Errorf("the page is:\n%s", dom)
	}
}

// TestScreenshots takes pictures for people to look at.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv(screenshotsEnv)
	if dir == "" {
		t.Skipf("$%s names no directory", screenshotsEnv)
	}
	sick := many(3)
	sick.Reload.Problem = `config.toml:14: rule[2].app: no app named "relase-bot"`
	sick.Apps[0].Wrong = []admin.Fault{{Problem: "app.ci-bot.installations.acme = 5000001 is an installation on globex, not on acme", Remedy: "set app.ci-bot.installations.acme to the App's installation on acme, or leave it out: what GitHub names is taken then"}}
	sick.GitHubs[0].Offset = 3 * time.Minute
	sick.Authorities[0].Problem, sick.Authorities[0].Remedy = "the CA expires soon, on 2026-12-20", "run `ghapp-proxy ca --renew`"
	empty := healthy()
	empty.Apps[0].Checked = time.Time{}
	for name, state := range map[string]admin.State{"many": many(200), "sick": sick, "empty": empty} {
		var events []event.Event
		if name != "empty" {
			events = manyEvents()
		}
		address, _ := pageOf(t, state, events...)
		for look, args := range map[string][]string{
			"desktop": {"--window-size=1280,1500"},
			"phone":   {"--window-size=500,1800", "--force-device-scale-factor=1"},
			"dark":    {"--window-size=1280,1500", "--blink-settings=preferredColorScheme=0"},
		} {
			file := filepath.Join(dir, name+"-"+look+".png")
			chromium(t, append(args, "--screenshot="+file, "http://"+address+"/")...)
			if info, err := os.Stat(file); err != nil || info.Size() < 1000 {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
