package githubtest

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// undocumented are the routes that GitHub has and does not describe.
var undocumented = map[string]bool{
	"POST /graphql":                            true,
	"GET /repos/{owner}/{repo}/contents":       true,
	"GET /repos/{owner}/{repo}/tarball":        true,
	"GET /repos/{owner}/{repo}/zipball":        true,
	"GET /repos/{owner}/{repo}/git/refs/{ref}": true,
}

// operation is the route as GitHub's description names it.
func (rt *route) operation() string {
	return rt.method + " " + strings.ReplaceAll(rt.pattern, "...}", "}")
}

// TestOperations keeps testdata/operations.txt, from which the description is
// made, the list of the routes.
func TestOperations(t *testing.T) {
	var want []string
	for _, rt := range (*Server)(nil).allRoutes() {
		if op := rt.operation(); !undocumented[op] {
			want = append(want, op)
		}
	}
	slices.Sort(want)
	text := strings.Join(want, "\n") + "\n"
	got, err := os.ReadFile("testdata/operations.txt")
	if err != nil || string(got) != text {
		t.Errorf("testdata/operations.txt is out of date: %v; write this to it and run go generate:\n%s", err, text)
	}
}

// description is the part of GitHub's OpenAPI description in testdata.
func description(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("testdata/api.github.com.json")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// validate checks an answer against the response that the operation describes.
func validate(doc *openapi3.T, op string, a answer) error {
	method, path, _ := strings.Cut(op, " ")
	item := doc.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return fmt.Errorf("not described")
	}
	resp := item.GetOperation(method).Responses.Status(a.status)
	if resp == nil {
		return fmt.Errorf("status %d is not described", a.status)
	}
	media := resp.Value.Content.Get("application/json")
	if media == nil {
		if a.body != "" {
			return fmt.Errorf("status %d has no body in the description", a.status)
		}
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		return err
	}
	schema := media.Schema.Value
	if op == "GET /app/installations" {
		// The description repeats the schema of installations here, with an account
		// that must be both a user and an enterprise (allOf). The schema of a single
		// installation, of the same name, says anyOf.
		schema = openapi3.NewArraySchema().WithItems(doc.Components.Schemas["installation"].Value)
	}
	return schema.VisitJSON(v, openapi3.EnableFormatValidation(), openapi3.DisableSchemaErrorDetails())
}

// example is a request whose answer is checked.
type example struct {
	op     string // as in the description
	path   string // what to ask for
	who    string // app, token, client, or nobody
	body   string
	status int
}

func examples(ids map[string]int64, head string) []example {
	const repo = "/repos/{owner}/{repo}"
	const w = "/repos/acme/widgets"
	id := func(format, name string) string { return fmt.Sprintf(format, ids[name]) }
	return []example{
		{"GET /app", "/app", "app", "", 200},
		{"GET /app/installations", "/app/installations", "app", "", 200},
		{"GET /app/installations/{installation_id}", "/app/installations/111", "app", "", 200},
		{"GET /app/installations/{installation_id}", "/app/installations/444", "app", "", 200},
		{"GET /app/installations/{installation_id}", "/app/installations/999", "app", "", 404},
		{"POST /app/installations/{installation_id}/access_tokens", "/app/installations/111/access_tokens", "app", "", 201},
		{"POST /app/installations/{installation_id}/access_tokens", "/app/installations/111/access_tokens", "app", `{"repositories":["widgets"],"permissions":{"issues":"read"}}`, 201},
		{"POST /app/installations/{installation_id}/access_tokens", "/app/installations/444/access_tokens", "app", "", 403},
		{"POST /app/installations/{installation_id}/access_tokens", "/app/installations/111/access_tokens", "app", `{"repositories":["x"]}`, 422},
		{"POST /app/installations/{installation_id}/access_tokens", "/app/installations/111/access_tokens", "nobody", "", 401},
		{"GET " + repo + "/installation", w + "/installation", "app", "", 200},
		{"GET " + repo + "/installation", "/repos/acme/former/installation", "app", "", 301},
		{"GET " + repo + "/installation", "/repos/globex/tools/installation", "app", "", 404},
		{"GET /orgs/{org}/installation", "/orgs/acme/installation", "app", "", 200},
		{"GET /users/{username}/installation", "/users/acme/installation", "app", "", 200},
		{"GET /enterprises/{enterprise}/installation", "/enterprises/megacorp/installation", "app", "", 200},
		{"GET /apps/{app_slug}", "/apps/ci-bot", "token", "", 200},
		{"POST /applications/{client_id}/token", "/applications/" + CIBotClientID + "/token", "client", `{"access_token":"gho_x"}`, 404},
		{"GET /installation/repositories", "/installation/repositories", "token", "", 200},
		{"GET /installation/repositories", "/installation/repositories", "nobody", "", 401},
		{"GET /", "/", "nobody", "", 200},
		{"GET /meta", "/meta", "nobody", "", 200},
		{"GET /rate_limit", "/rate_limit", "token", "", 200},
		{"GET /user", "/user", "token", "", 403},
		{"GET /user", "/user", "nobody", "", 401},
		{"GET /users/{username}", "/users/octocat", "token", "", 200},
		{"GET /users/{username}", "/users/nobody", "token", "", 404},
		{"GET /users/{username}/repos", "/users/octocat/repos", "token", "", 200},
		{"GET /orgs/{org}", "/orgs/acme", "token", "", 200},
		{"GET /orgs/{org}/repos", "/orgs/acme/repos", "token", "", 200},
		{"POST /orgs/{org}/actions/runners/registration-token", "/orgs/acme/actions/runners/registration-token", "token", "", 201},
		{"POST " + repo + "/actions/runners/registration-token", w + "/actions/runners/registration-token", "token", "", 201},
		{"GET /search/issues", "/search/issues?q=repo:acme/widgets", "token", "", 200},
		{"GET /search/issues", "/search/issues?q=repo:no/such", "token", "", 422},
		{"GET /search/repositories", "/search/repositories?q=org:acme", "token", "", 200},
		{"GET " + repo, w, "token", "", 200},
		{"GET " + repo, "/repos/octocat/hello-world", "nobody", "", 200},
		{"GET " + repo, w, "nobody", "", 404},
		{"GET " + repo, "/repos/acme/former", "token", "", 301},
		{"GET " + repo + "/issues", w + "/issues?state=all", "token", "", 200},
		{"POST " + repo + "/issues", w + "/issues", "token", `{"title":"A","labels":["bug"]}`, 201},
		{"POST " + repo + "/issues", w + "/issues", "token", `{}`, 422},
		{"GET " + repo + "/issues/{issue_number}", w + "/issues/1", "token", "", 200},
		{"GET " + repo + "/issues/{issue_number}", w + "/issues/999", "token", "", 404},
		{"PATCH " + repo + "/issues/{issue_number}", w + "/issues/2", "token", `{"state":"closed"}`, 200},
		{"GET " + repo + "/issues/{issue_number}/comments", w + "/issues/1/comments", "token", "", 200},
		{"POST " + repo + "/issues/{issue_number}/comments", w + "/issues/1/comments", "token", `{"body":"B"}`, 201},
		{"POST " + repo + "/issues/{issue_number}/labels", w + "/issues/1/labels", "token", `["released"]`, 200},
		{"GET " + repo + "/issues/comments/{comment_id}", w + id("/issues/comments/%d", "comment"), "token", "", 200},
		{"GET " + repo + "/labels", w + "/labels", "token", "", 200},
		{"GET " + repo + "/pulls", w + "/pulls", "token", "", 200},
		{"POST " + repo + "/pulls", w + "/pulls", "token", `{"title":"P","head":"feature-1","base":"main"}`, 201},
		{"GET " + repo + "/pulls/{pull_number}", w + "/pulls/36", "token", "", 200},
		{"GET " + repo + "/pulls/{pull_number}/commits", w + "/pulls/36/commits", "token", "", 200},
		{"GET " + repo + "/releases", w + "/releases", "token", "", 200},
		{"GET " + repo + "/releases/latest", w + "/releases/latest", "token", "", 200},
		{"GET " + repo + "/releases/tags/{tag}", w + "/releases/tags/v1.0.0", "token", "", 200},
		{"POST " + repo + "/releases", w + "/releases", "token", `{"tag_name":"v3","draft":true}`, 201},
		{"GET " + repo + "/releases/{release_id}", w + id("/releases/%d", "release"), "token", "", 200},
		{"PATCH " + repo + "/releases/{release_id}", w + id("/releases/%d", "release"), "token", `{"name":"N"}`, 200},
		{"GET " + repo + "/releases/{release_id}/assets", w + id("/releases/%d/assets", "release"), "token", "", 200},
		{"POST " + repo + "/releases/{release_id}/assets", w + id("/releases/%d/assets?name=n", "release"), "token", "content", 201},
		{"GET " + repo + "/releases/assets/{asset_id}", w + id("/releases/assets/%d", "asset"), "token", "", 200},
		{"DELETE " + repo + "/releases/assets/{asset_id}", w + id("/releases/assets/%d", "asset"), "token", "", 204},
		{"DELETE " + repo + "/releases/{release_id}", w + id("/releases/%d", "release"), "token", "", 204},
		{"GET " + repo + "/readme", w + "/readme", "token", "", 200},
		{"GET " + repo + "/contents/{path}", w + "/contents/docs/read%20me.txt?ref=v1.0.0", "token", "", 200},
		{"GET " + repo + "/contents/{path}", w + "/contents/docs", "token", "", 200},
		{"GET " + repo + "/contents/{path}", w + "/contents/nope", "token", "", 404},
		{"GET " + repo + "/branches", w + "/branches", "token", "", 200},
		{"GET " + repo + "/branches/{branch}", w + "/branches/main", "token", "", 200},
		{"GET " + repo + "/branches/{branch}", w + "/branches/nope", "token", "", 404},
		{"GET " + repo + "/commits", w + "/commits", "token", "", 200},
		{"GET " + repo + "/commits/{ref}", w + "/commits/main", "token", "", 200},
		{"GET " + repo + "/commits/{ref}", w + "/commits/nope", "token", "", 422},
		{"GET " + repo + "/tags", w + "/tags", "token", "", 200},
		{"GET " + repo + "/git/ref/{ref}", w + "/git/ref/heads/main", "token", "", 200},
		{"GET " + repo + "/git/matching-refs/{ref}", w + "/git/matching-refs/heads/feature", "token", "", 200},
		{"POST " + repo + "/git/refs", w + "/git/refs", "token", `{"ref":"refs/heads/new","sha":"` + head + `"}`, 201},
		{"PATCH " + repo + "/git/refs/{ref}", w + "/git/refs/heads/new", "token", `{"sha":"` + head + `"}`, 200},
		{"PATCH " + repo + "/git/refs/{ref}", w + "/git/refs/heads/none", "token", `{"sha":"` + head + `"}`, 422},
		{"POST " + repo + "/git/blobs", w + "/git/blobs", "token", `{"content":"aGVsbG8K","encoding":"base64"}`, 201},
		{"GET " + repo + "/git/blobs/{file_sha}", w + "/git/blobs/ce013625030ba8dba906f756967f9e9ca394464a", "token", "", 200},
		{"GET " + repo + "/git/blobs/{file_sha}", w + "/git/blobs/" + head, "token", "", 404},
		{"POST " + repo + "/git/trees", w + "/git/trees", "token", `{"base_tree":"` + head + `","tree":[{"path":"docs/new","mode":"100644","type":"blob","content":"x"}]}`, 201},
		{"POST " + repo + "/git/trees", w + "/git/trees", "token", `{"tree":[{"path":"x","mode":"100644","type":"blob","sha":"none"}]}`, 422},
		{"GET " + repo + "/git/trees/{tree_sha}", w + "/git/trees/main?recursive=1", "token", "", 200},
		{"POST " + repo + "/git/commits", w + "/git/commits", "token", `{"message":"M","tree":"` + head + `","parents":["` + head + `"]}`, 201},
		{"POST " + repo + "/git/commits", w + "/git/commits", "token", `{"message":"M","tree":"none"}`, 422},
		{"GET " + repo + "/git/commits/{commit_sha}", w + "/git/commits/" + head, "token", "", 200},
		{"DELETE " + repo + "/git/refs/{ref}", w + "/git/refs/heads/new", "token", "", 204},
		{"GET " + repo + "/tarball/{ref}", w + "/tarball/main", "token", "", 302},
		{"GET " + repo + "/zipball/{ref}", w + "/zipball/v1.0.0", "token", "", 302},
		{"GET " + repo + "/actions/workflows", w + "/actions/workflows", "token", "", 200},
		{"GET " + repo + "/actions/workflows/{workflow_id}", w + id("/actions/workflows/%d", "workflow"), "token", "", 200},
		{"GET " + repo + "/actions/runs", w + "/actions/runs", "token", "", 200},
		{"GET " + repo + "/actions/runs/{run_id}", w + id("/actions/runs/%d", "run"), "token", "", 200},
		{"GET " + repo + "/actions/runs/{run_id}/jobs", w + id("/actions/runs/%d/jobs", "run"), "token", "", 200},
		{"GET " + repo + "/actions/runs/{run_id}/logs", w + id("/actions/runs/%d/logs", "run"), "token", "", 302},
		{"GET " + repo + "/actions/runs/{run_id}/artifacts", w + id("/actions/runs/%d/artifacts", "run"), "token", "", 200},
		{"GET " + repo + "/actions/artifacts", w + "/actions/artifacts?name=widgets", "token", "", 200},
		{"GET " + repo + "/actions/artifacts/{artifact_id}", w + id("/actions/artifacts/%d", "artifact"), "token", "", 200},
		{"GET " + repo + "/actions/artifacts/{artifact_id}/{archive_format}", w + id("/actions/artifacts/%d/zip", "artifact"), "token", "", 302},
		{"GET " + repo + "/check-runs/{check_run_id}/annotations", w + id("/check-runs/%d/annotations", "job"), "token", "", 200},
		{"DELETE /installation/token", "/installation/token", "token", "", 204},
	}
}

// TestOpenAPI validates an answer of every route against GitHub's description.
func TestOpenAPI(t *testing.T) {
	needTools(t, "git")
	s := Start(t, Options{})
	if _, err := s.AddAccount(Account{Login: "megacorp", Type: TypeEnterprise}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Install(Installation{App: CIBotID, Account: "megacorp"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddRepo(Repo{Owner: "acme", Name: "former", Private: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Rename("acme", "former", "acme", "latter"); err != nil {
		t.Fatal(err)
	}
	doc := description(t)
	ci := s.App("ci-bot")
	auth := map[string]string{
		"app":    "Bearer " + jwt(t, ci),
		"token":  "token " + mintToken(t, s, AcmeInstallation),
		"client": basic(ci.ClientID, ci.ClientSecret),
	}
	rel, run := s.world.repos[WidgetsID].releases[0], s.world.repos[WidgetsID].runs()[0]
	seen := make(map[string]bool)
	for _, e := range examples(map[string]int64{
		"workflow": run.workflow.id, "run": run.id, "job": run.job, "artifact": run.artifacts[0].id,
		"release": rel.id, "asset": rel.assets[0].id, "comment": s.world.repos[WidgetsID].issues[0].comments[0].id,
	}, s.resolve(s.world.repos[WidgetsID].dir, defaultBranch)) {
		method, _, _ := strings.Cut(e.op, " ")
		base := "https://api.github.com"
		if strings.Contains(e.path, "assets?name=") {
			base = "https://uploads.github.com"
		}
		a := do(t, s, method, base+e.path, auth[e.who], e.body)
		if a.status != e.status {
			t.Errorf("%s %s = %d %s, want %d", method, e.path, a.status, a.body, e.status)
			continue
		}
		seen[e.op] = true
		if err := validate(doc, e.op, a); err != nil {
			t.Errorf("%s %s = %d: %v", method, e.path, a.status, err)
		}
	}
	for _, rt := range s.routes {
		if op := rt.operation(); !seen[op] && !undocumented[op] {
			t.Errorf("%s has no example", op)
		}
	}
}
