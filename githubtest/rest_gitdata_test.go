package githubtest

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestGitData makes a commit without git, as Renovate and bots with Octokit do.
func TestGitData(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	auth := "token " + mintToken(t, s, AcmeInstallation)
	const git = "https://api.github.com/repos/acme/widgets/git"
	ask := func(method, url, body string, status int) (sha string) {
		t.Helper()
		a := do(t, s, method, url, auth, body)
		if a.status != status {
			t.Fatalf("%s %s = %d %s, want %d", method, url, a.status, a.body, status)
		}
		var made struct{ SHA string }
		if err := json.Unmarshal([]byte(a.body), &made); err != nil {
			t.Fatal(err)
		}
		return made.SHA
	}
	dir := s.world.repos[WidgetsID].dir
	head := s.resolve(dir, defaultBranch)
	blob := ask("POST", git+"/blobs", `{"content":"aGVsbG8K","encoding":"base64"}`, 201)
	tree := ask("POST", git+"/trees", `{"base_tree":"`+head+`","tree":[
		{"path":"hello world.txt","mode":"100755","type":"blob","sha":"`+blob+`"},
		{"path":"docs/more.txt","mode":"100644","type":"blob","content":"more"},
		{"path":"README.md","mode":"100644","type":"blob","sha":null}]}`, 201)
	made := ask("POST", git+"/commits", `{"message":"Say hello","tree":"`+tree+`","parents":["`+head+`"],
		"author":{"name":"Bot","email":"bot@example.com","date":"2025-06-07T08:09:10Z"}}`, 201)
	ask("PATCH", git+"/refs/heads/main", `{"sha":"`+made+`"}`, 200)

	got, err := s.git(dir, "", "show", "--format=%an <%ae> %aI %s", "--name-status", "main")
	if err != nil {
		t.Fatal(err)
	}
	want := "Bot <bot@example.com> 2025-06-07T08:09:10+00:00 Say hello\n\nD\tREADME.md\nA\tdocs/more.txt\nA\thello world.txt\n"
	if got = strings.Replace(got, "T08:09:10Z", "T08:09:10+00:00", 1); got != want {
		t.Errorf("main is\n%s\nwant\n%s", got, want)
	}

	// a ref moves backwards by force alone, and to what is there
	ask("PATCH", git+"/refs/heads/main", `{"sha":"`+head+`"}`, 422)
	ask("PATCH", git+"/refs/heads/main", `{"sha":"`+strings.Repeat("1", 40)+`","force":true}`, 422)
	ask("PATCH", git+"/refs/heads/main", `{"sha":"`+head+`","force":true}`, 200)
	if now := s.resolve(dir, defaultBranch); now != head {
		t.Errorf("main is at %s, want %s", now, head)
	}
}
