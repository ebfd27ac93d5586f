package githubtest

import (
	"regexp"
	"strings"
	"testing"
)

func TestPagination(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	a := do(t, s, "GET", widgetsURL+"/issues?state=all", auth, "")
	if len(a.list) != 30 {
		t.Errorf("page 1 has %d items, want 30", len(a.list))
	}
	next := regexp.MustCompile(`<([^>]*)>; rel="next"`).FindStringSubmatch(a.header.Get("Link"))
	if next == nil || next[1] != "https://api.github.com/repositories/9001/issues?page=2&state=all" {
		t.Fatalf("Link = %q", a.header.Get("Link"))
	}
	a = do(t, s, "GET", next[1], auth, "")
	if len(a.list) != SeedIssues+SeedPulls-30 || strings.Contains(a.header.Get("Link"), "next") {
		t.Errorf("page 2 has %d items and Link %q", len(a.list), a.header.Get("Link"))
	}
	a = do(t, s, "GET", "https://api.github.com/app/installations?per_page=1&page=2", "Bearer "+jwt(t, s.App("ci-bot")), "")
	if len(a.list) != 1 || !strings.Contains(a.header.Get("Link"), `installations?page=3&per_page=1>; rel="next"`) {
		t.Errorf("page 2 of installations: %d items, Link %q", len(a.list), a.header.Get("Link"))
	}
}

func TestRename(t *testing.T) {
	s := Start(t, Options{})
	if err := s.Rename("acme", "rockets", "acme", "missiles"); err != nil {
		t.Fatal(err)
	}
	token, jwt := "Bearer "+mintToken(t, s, AcmeInstallation), "Bearer "+jwt(t, s.App("ci-bot"))
	for _, tt := range []struct {
		method, path, auth string
		status             int
		location           string
	}{
		{"GET", "/repos/acme/rockets", token, 301, "https://api.github.com/repositories/9002"},
		{"GET", "/repos/acme/rockets/issues?state=all", token, 301, "https://api.github.com/repositories/9002/issues?state=all"},
		{"POST", "/repos/acme/rockets/issues", token, 307, "https://api.github.com/repositories/9002/issues"},
		{"GET", "/repos/acme/rockets/installation", jwt, 301, "https://api.github.com/repositories/9002/installation"},
		{"GET", "/repositories/9002/installation", jwt, 200, ""},
		{"GET", "/repositories/9002", token, 200, ""},
		{"GET", "/repos/acme/missiles", token, 200, ""},
		{"GET", "/repos/acme/rockets", "", 404, ""},
		{"GET", "/repos/acme/missiles/", token, 404, ""},
	} {
		a := do(t, s, tt.method, "https://api.github.com"+tt.path, tt.auth, "")
		if a.status != tt.status || a.header.Get("Location") != tt.location {
			t.Errorf("%s %s = %d to %q, want %d to %q", tt.method, tt.path, a.status, a.header.Get("Location"), tt.status, tt.location)
		}
	}
}

func TestPermissions(t *testing.T) {
	s := Start(t, Options{})
	a := do(t, s, "POST", mintURL(AcmeInstallation), "Bearer "+jwt(t, s.App("ci-bot")), `{"permissions":{"issues":"read"}}`)
	readIssues := "token " + a.json["token"].(string)
	full := "token " + mintToken(t, s, AcmeInstallation)
	for _, tt := range []struct {
		method, path, auth string
		status             int
		accepted           string
	}{
		{"GET", "/repos/acme/widgets/issues", readIssues, 200, ""},
		{"POST", "/repos/acme/widgets/issues", readIssues, 403, "issues=write"},
		{"GET", "/repos/acme/widgets/pulls", readIssues, 403, "pull_requests=read"},
		{"GET", "/repos/octocat/hello-world/pulls", readIssues, 200, ""},
		{"POST", "/repos/octocat/hello-world/issues", full, 403, "issues=write"},
		{"POST", "/repos/octocat/hello-world/issues", "", 401, ""},
		{"POST", "/repos/globex/tools/issues", full, 404, ""},
		{"POST", "/repos/acme/widgets/actions/runners/registration-token", full, 201, ""},
		{"POST", "/orgs/acme/actions/runners/registration-token", full, 201, ""},
		{"GET", "/user", full, 403, ""},
		{"GET", "/user", "", 401, ""},
	} {
		a := do(t, s, tt.method, "https://api.github.com"+tt.path, tt.auth, `{"title":"x"}`)
		if a.status != tt.status || a.header.Get("X-Accepted-GitHub-Permissions") != tt.accepted {
			t.Errorf("%s %s = %d %s, want %d", tt.method, tt.path, a.status, a.body, tt.status)
		}
	}
	s.Grant(AcmeInstallation, "issues", "")
	if a := do(t, s, "GET", widgetsURL+"/issues", readIssues, ""); a.status != 403 {
		t.Errorf("permission withdrawn: %d, want 403", a.status)
	}
}

func TestRequestRules(t *testing.T) {
	s := Start(t, Options{})
	if a := do(t, s, "GET", "https://api.github.com/meta", "", "", "User-Agent", ""); a.status != 403 {
		t.Errorf("without User-Agent: %d, want 403", a.status)
	}
	if a := do(t, s, "GET", "https://api.github.com/meta", "", "", "X-GitHub-Api-Version", "1999-01-01"); a.status != 400 {
		t.Errorf("old API version: %d, want 400", a.status)
	}
	if a := do(t, s, "GET", "https://api.github.com/repos/acme/../widgets", "", ""); a.status != 404 {
		t.Errorf("dots in the path: %d, want 404", a.status)
	}
}

func TestReleaseAssets(t *testing.T) {
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	rel := do(t, s, "GET", widgetsURL+"/releases/tags/v1.0.0", auth, "")
	upload, _, _ := strings.Cut(rel.json["upload_url"].(string), "{")
	a := do(t, s, "POST", upload+"?name=a.bin", auth, "content", "Content-Type", "application/zip")
	if a.status != 201 {
		t.Fatalf("upload = %d %s", a.status, a.body)
	}
	got := do(t, s, "GET", a.json["url"].(string), auth, "", "Accept", "application/octet-stream")
	signed := got.header.Get("Location")
	if got.status != 302 || !strings.HasPrefix(signed, "https://objects.githubusercontent.com/") {
		t.Fatalf("download = %d to %q", got.status, signed)
	}
	if a := do(t, s, "GET", signed, "", ""); a.body != "content" {
		t.Errorf("signed URL = %d %q, want content", a.status, a.body)
	}
	if a := do(t, s, "GET", signed, auth, ""); a.status != 400 {
		t.Errorf("signed URL with Authorization = %d, want 400", a.status)
	}
	resp, err := s.Client().Do(request(t, s, "POST", upload+"?name=b.bin", struct{ *strings.Reader }{strings.NewReader("x")}))
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, resp); a.status != 411 {
		t.Errorf("upload without Content-Length = %d, want 411", a.status)
	}
}

func TestArchiveRedirect(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	auth := "token " + mintToken(t, s, AcmeInstallation)
	a := do(t, s, "GET", widgetsURL+"/tarball/main", auth, "")
	want := "https://codeload.github.com/acme/widgets/legacy.tar.gz/refs/heads/main"
	if a.status != 302 || a.header.Get("Location") != want {
		t.Errorf("tarball = %d to %q, want 302 to %q", a.status, a.header.Get("Location"), want)
	}
	if a := do(t, s, "GET", want, auth, ""); a.status != 200 || !strings.HasPrefix(a.body, "\x1f\x8b") {
		t.Errorf("codeload = %d, want a gzip file", a.status)
	}
}

func TestInstances(t *testing.T) {
	s := Start(t, Options{Instances: []string{"ghe.example.com", "octo.ghe.com"}})
	auth := "token " + mintToken(t, s, AcmeInstallation)
	for api, web := range map[string]string{
		"https://api.github.com":         "https://github.com",
		"https://ghe.example.com/api/v3": "https://ghe.example.com",
		"https://api.octo.ghe.com":       "https://octo.ghe.com",
	} {
		a := do(t, s, "GET", api+"/repos/acme/widgets", auth, "")
		if a.status != 200 || a.json["url"] != api+"/repos/acme/widgets" || a.json["html_url"] != web+"/acme/widgets" {
			t.Errorf("%s: %d, url %v, html_url %v", api, a.status, a.json["url"], a.json["html_url"])
		}
		rel := do(t, s, "GET", api+"/repos/acme/widgets/releases/latest", auth, "")
		upload, _, _ := strings.Cut(rel.json["upload_url"].(string), "{")
		name := strings.NewReplacer("/", "", ":", "").Replace(api)
		if a := do(t, s, "POST", upload+"?name="+name, auth, "x"); a.status != 201 {
			t.Errorf("upload to %s = %d %s", upload, a.status, a.body)
		}
		if a := do(t, s, "GET", web+"/acme/widgets.git/info/refs?service=git-upload-pack", "", ""); a.status != 401 {
			t.Errorf("git at %s = %d, want 401", web, a.status)
		}
	}
}

func TestSearch(t *testing.T) {
	s := Start(t, Options{})
	auth := "token " + mintToken(t, s, AcmeInstallation)
	for _, tt := range []struct {
		path   string
		status int
		total  float64
	}{
		{"/search/issues?q=repo:acme/widgets+is:pr", 200, SeedPulls},
		{"/search/issues?q=org:ACME+is:issue+state:open+broken", 200, SeedIssues},
		{"/search/issues?q=repo:globex/tools", 422, 0},
		{"/search/repositories?q=org:acme", 200, 2},
		{"/search/repositories?q=user:octocat", 200, 1},
	} {
		a := do(t, s, "GET", "https://api.github.com"+tt.path, auth, "")
		if total, _ := a.json["total_count"].(float64); a.status != tt.status || total != tt.total {
			t.Errorf("%s = %d, %v found, want %d, %v", tt.path, a.status, total, tt.status, tt.total)
		}
	}
}

func TestRecordRedacts(t *testing.T) {
	s := Start(t, Options{})
	tok := mintToken(t, s, AcmeInstallation)
	do(t, s, "GET", widgetsURL+"?access_token="+tok, "token "+tok, "")
	r := s.Requests()[0]
	if r.Credential != CredentialInstallation || r.Installation != AcmeInstallation || r.App != CIBotID || r.Status != 200 {
		t.Errorf("recorded %+v", r)
	}
	if got := r.String(); len(s.Leaks([]byte(got))) > 0 || got != "GET https://api.github.com/repos/acme/widgets [installation 111] 200" {
		t.Errorf("String() = %q", got)
	}
}
