package githubtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestPullCommits: a pull request keeps its commits when its base has them, too.
func TestPullCommits(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	const repo = "https://api.github.com/repos/acme/widgets"
	head := s.resolve(s.world.repos[WidgetsID].dir, "feature-1")
	var pull struct{ Number int }
	if a := do(t, s, "POST", repo+"/pulls", auth, `{"title":"P","head":"feature-1","base":"main"}`); json.Unmarshal([]byte(a.body), &pull) != nil || a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	do(t, s, "PATCH", repo+"/git/refs/heads/main", auth, `{"sha":"`+head+`"}`)
	var commits []struct{ SHA string }
	a := do(t, s, "GET", fmt.Sprintf("%s/pulls/%d/commits", repo, pull.Number), auth, "")
	if err := json.Unmarshal([]byte(a.body), &commits); err != nil || len(commits) != 1 || commits[0].SHA != head {
		t.Errorf("its commits are %s, want %s alone", a.body, head)
	}
	query := `{"query":"{repository(owner:\"acme\",name:\"widgets\"){object(oid:\"` + head + `\"){... on Commit{associatedPullRequests(first:9){nodes{number}}}}}}"}`
	want := fmt.Sprintf(`{"data":{"repository":{"object":{"associatedPullRequests":{"nodes":[{"number":%d}]}}}}}`, pull.Number)
	if a := do(t, s, "POST", "https://api.github.com/graphql", auth, query); a.body != want {
		t.Errorf("GraphQL: %s, want %s", a.body, want)
	}
}

// TestGraphQLTags asks for tags as Renovate does.
func TestGraphQLTags(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	auth := "Bearer " + mintToken(t, s, AcmeInstallation)
	const query = `{"query":"{repository(owner:\"acme\",name:\"widgets\"){refs(first:1,orderBy:{field:TAG_COMMIT_DATE,direction:DESC},refPrefix:\"refs/tags/\"){totalCount nodes{name target{...on Commit{committedDate}}}}}}"}`
	const want = `{"data":{"repository":{"refs":{"nodes":[{"name":"v0.9.0","target":{"committedDate":"2024-01-02T03:06:05Z"}}],"totalCount":2}}}}`
	if a := do(t, s, "POST", "https://api.github.com/graphql", auth, query); strings.Replace(a.body, "+00:00", "Z", 1) != want {
		t.Errorf("%s, want %s", a.body, want)
	}
}
