package githubtest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGH(t *testing.T) {
	needTools(t, "gh", "git")
	s := Start(t, Options{})
	sh := newShell(t, s, mintToken(t, s, AcmeInstallation))
	if err := os.WriteFile(filepath.Join(sh.dir, "asset.bin"), []byte("asset"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := s.world.repos[WidgetsID].runs()[0]
	for _, tt := range []struct{ args, want string }{
		{"api repos/acme/widgets --jq .full_name", "acme/widgets"},
		{"api --paginate repos/acme/widgets/issues?state=all --jq length", "38"},
		{"api graphql -f query={viewer{login}} --jq .data.viewer.login", "ci-bot[bot]"},
		{"repo view acme/widgets", "The widgets of acme."},
		{"repo view acme/widgets --json name,defaultBranchRef --jq .defaultBranchRef.name", "main"},
		{"pr list -R acme/widgets", "Feature 3"},
		{"pr view 36 -R acme/widgets", "Please merge."},
		{"pr diff 36 -R acme/widgets", "+feature"},
		{"issue list -R acme/widgets", "Widget 35 is broken"},
		{"issue view 1 -R acme/widgets --comments", "Indeed."},
		{"issue create -R acme/widgets -t Title -b Body", "https://github.com/acme/widgets/issues/39"},
		{"issue comment 1 -R acme/widgets -b Hello", "https://github.com/acme/widgets/issues/1#issuecomment-"},
		{"issue close 39 -R acme/widgets", "Closed issue #39"},
		{"repo clone acme/widgets w", "Cloning"},
		{"release create v2.0.0 asset.bin -R acme/widgets -t Two -n Notes", "https://github.com/acme/widgets/releases/tag/v2.0.0"},
		{"release download v2.0.0 -R acme/widgets -p asset.bin -D out", ""},
		{"release download v2.0.0 -R acme/widgets -A tar.gz -D out", ""},
		{"release list -R acme/widgets", "v2.0.0"},
		{"search issues broken --repo acme/widgets", "Widget 35 is broken"},
		{"repo list acme", "acme/rockets"},
		{"run list -R acme/widgets", "CI"},
		{fmt.Sprintf("run view %d -R acme/widgets", run.id), "build in 0s"},
		{fmt.Sprintf("run view %d -R acme/widgets --log", run.id), "widgets are built"},
		{fmt.Sprintf("run download %d -R acme/widgets -D out", run.id), ""},
		{"auth status", "ci-bot[bot]"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			sh.t = t
			out := sh.run("", "gh", strings.Fields(tt.args)...)
			if !strings.Contains(out, tt.want) {
				t.Errorf("printed %q, want %q", out, tt.want)
			}
		})
	}
	if b, err := os.ReadFile(filepath.Join(sh.dir, "out", "asset.bin")); string(b) != "asset" {
		t.Errorf("downloaded asset %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(sh.dir, "out", "widgets", "widgets.txt")); string(b) != "widgets, built\n" {
		t.Errorf("downloaded artifact %q, %v", b, err)
	}
}

func TestGHEnterpriseServer(t *testing.T) {
	needTools(t, "gh", "git")
	s := Start(t, Options{Instances: []string{"ghe.example.com"}})
	tok := mintToken(t, s, AcmeInstallation)
	sh := newShell(t, s, tok)
	sh.env = append(sh.env, "GH_ENTERPRISE_TOKEN="+tok, "GH_HOST=ghe.example.com")
	for args, want := range map[string]string{
		"api repos/acme/widgets --jq .url":        "https://ghe.example.com/api/v3/repos/acme/widgets",
		"pr list -R ghe.example.com/acme/widgets": "Feature 1",
		"repo view ghe.example.com/acme/widgets":  "The widgets of acme.",
	} {
		if out := sh.run("", "gh", strings.Fields(args)...); !strings.Contains(out, want) {
			t.Errorf("gh %s printed %q, want %q", args, out, want)
		}
	}
}

func TestGraphQLScope(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	const url = "https://api.github.com/graphql"
	a := do(t, s, "POST", url, auth, `{"query":"{repository(owner:\"globex\",name:\"tools\"){id}}"}`)
	if a.status != 200 || !strings.Contains(a.body, `"repository":null`) || !strings.Contains(a.body, "NOT_FOUND") {
		t.Errorf("out of scope: %d %s", a.status, a.body)
	}
	a = do(t, s, "POST", url, auth, `{"query":"query($n:String!){r:repository(owner:\"acme\",name:$n){...F}} fragment F on Repository{id owner{... on Organization{login}}}","variables":{"n":"widgets"}}`)
	if want := `{"data":{"r":{"id":"` + nodeID("R", WidgetsID) + `","owner":{"login":"acme"}}}}`; a.body != want {
		t.Errorf("got %s, want %s", a.body, want)
	}
	a = do(t, s, "POST", url, auth, `{"query":"{viewer{...F}} fragment F on Bot{login ...F}"}`)
	if want := `{"data":{"viewer":{"login":"ci-bot[bot]"}}}`; a.body != want {
		t.Errorf("endless fragment: %s, want %s", a.body, want)
	}
	s.Grant(AcmeInstallation, "issues", "")
	a = do(t, s, "POST", url, auth, `{"query":"{repository(owner:\"acme\",name:\"widgets\"){id issues(first:1){nodes{id}}}}"}`)
	if !strings.Contains(a.body, "FORBIDDEN") || !strings.Contains(a.body, `"id":"R_`) {
		t.Errorf("without permission: %s", a.body)
	}
	if a := do(t, s, "POST", url, "", `{"query":"{viewer{login}}"}`); a.status != 401 {
		t.Errorf("anonymous: %d, want 401", a.status)
	}
	s.ExhaustRateLimit(AcmeInstallation, 1e9)
	if a := do(t, s, "POST", url, auth, `{"query":"{viewer{login}}"}`); a.status != 200 || !strings.Contains(a.body, "RATE_LIMITED") {
		t.Errorf("exhausted: %d %s", a.status, a.body)
	}
}

// The examples are those of GitHub's documentation and of octokit/fixtures.
func TestNodeID(t *testing.T) {
	for want, ids := range map[string][]int64{
		"R_kgDOHrjtbQ":       {515435885},
		"I_kwDOHrjtbc5OBUYo": {515435885, 1308968488},
	} {
		prefix, _, _ := strings.Cut(want, "_")
		if got := nodeID(prefix, ids...); got != want {
			t.Errorf("nodeID(%q, %d) = %q, want %q", prefix, ids, got, want)
		}
		p, got, ok := parseNodeID(want)
		if !ok || p != prefix || len(got) != len(ids) || got[0] != ids[0] {
			t.Errorf("parseNodeID(%q) = %q, %d, %v", want, p, got, ok)
		}
	}
	for _, bad := range []string{"", "R_", "MDEwOlJlcG9zaXRvcnkx", "R_" + base64.RawURLEncoding.EncodeToString([]byte{0x92, 0, 0xce, 1})} {
		if _, _, ok := parseNodeID(bad); ok {
			t.Errorf("parseNodeID(%q) succeeded", bad)
		}
	}
}
