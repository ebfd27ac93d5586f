package proxy_test

import (
	"maps"
	"strings"
	"testing"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

func TestAttackOtherNames(t *testing.T) {
	w := compromise(t, nil)
	w.attempts(t, []attack{
		{request: "GET /repos/acme/rockets", want: notRockets},
		{request: "GET /repos/globex/tools", want: notTools},
		{request: "GET /repos/GLOBEX/Tools/contents/README.md", want: "403 client agent is not granted the repository GLOBEX/Tools"},
		{request: "GET /repos/initech/paper/issues", want: "403 client agent is not granted the repository initech/paper"},
		{request: "GET /repos/nobody/nothing", want: "403 client agent is not granted the repository nobody/nothing"},
		{request: "GET /repos/octocat/hello-world", want: "403 client agent is not granted the repository octocat/hello-world"},
		{request: "PUT /repos/acme/rockets/contents/x\n\n{}", want: notRockets},
		{request: "GET /orgs/globex/repos", want: notGlobex},
		{request: "GET /users/globex/repos", want: notGlobex},
		{request: "GET /users/globex", want: notGlobex},
		{request: "GET /networks/globex/tools/events", want: notTools},
		{request: "GET /enterprises/acme/audit-log", want: "403 client agent may not use \"enterprise-admin/get-audit-log\", which \"admin\" denies"},
		{request: "GET /orgs/acme/members", want: "403 client agent is granted repositories, and \"orgs/list-members\" is about the account acme as a whole"},
		{request: "GET /user/repos", want: "403 client agent is granted repositories, and \"repos/list-for-authenticated-user\" is about the account acme as a whole"},
		{request: "GET /notifications", want: "403 client agent is granted repositories"},
		{request: "GET /orgs/acme/repos", want: "confined 200"},
		{request: "GET /installation/repositories", want: "confined 200"},

		// Spellings.
		{request: "GET /repos/ACME/Widgets", want: "confined 200"},
		{request: "GET /repos/acme/%77idgets", want: "confined"},
		{request: "GET /repos/acme/%72ockets", want: notRockets},
		{request: "GET /repos/acme/%2572ockets", want: "403 client agent is not granted the repository acme/%72ockets"},
		{request: "GET /repos/acme%2Frockets", want: "400 an escaped slash, backslash or control character in \"acme%2Frockets\""},
		{request: "GET /repos/acme/widgets%2F..%2Frockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/../rockets", want: "400 a dot segment (\"..\") in the path"},
		{request: "GET /repos/acme/widgets/%2e%2E/rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/issues/..%2f..%2f..%2frockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/.%2e/rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets/%252e%252e/rockets", want: unknown},
		{request: "GET /repos/acme/widgets;/../rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets;x=1/issues", want: "403 client agent is not granted the repository acme/widgets;x=1"},
		{request: "GET /repos/acme;x/widgets", want: "403 client agent is not granted the repository acme;x/widgets"},
		{request: "GET /repos/acme/widgets.", want: "403 client agent is not granted the repository acme/widgets."},
		{request: "GET /repos/acme/widgets.git", want: "403 client agent is not granted the repository acme/widgets.git"},
		{request: "GET /repos/acme./widgets", want: "403 client agent is not granted the repository acme./widgets"},
		{request: "GET /repos/acme/rockets/", want: notRockets},
		{request: "GET /repos/acme/widgets%00", want: "400 an escaped slash, backslash or control character"},
		{request: "GET /repos/acme/widgets%00/../rockets", want: "400 a dot segment"},
		{request: "GET /repos/acme/widgets%20", want: "403 client agent is not granted the repository acme/widgets "},
		{request: "GET /repos/acme/widgets%0d%0aAuthorization:x", want: "400 an escaped slash, backslash or control character"},
		{request: "GET /repos/acme/widget\u017f", want: "403 client agent is not granted the repository acme/widget\u017f"},
		{request: "GET /repos/acme/widget%C5%BF", want: "403 client agent is not granted the repository acme/widget\u017f"},
		{request: "GET /repos/acme/wi\uff44gets", want: "403 client agent is not granted the repository"},
		{request: "GET /repos//acme/rockets", want: "400 an empty segment"},
		{request: "GET //repos/acme/rockets", want: "400 an empty segment"},
		{request: "GET /repos/acme//rockets", want: "400 an empty segment"},
		{request: "GET /repos\\acme\\rockets", want: "400 a backslash in the path"},
		{request: "GET /repos/acme/widgets#/../rockets", want: "400 a fragment in the request target"},
		{request: "GET /REPOS/acme/rockets", want: "403 client agent"},
		{request: "GET /%72epos/acme/rockets", want: "403 client agent"},
		{request: "GET /api/v3/repos/acme/rockets", want: unknown},
		{request: "GET repos/acme/rockets", want: "400"},
		{request: "GET ?/repos/acme/rockets", want: "400"},
		{request: "GET /repos/acme/widgets?/../../globex/tools", want: "confined"},
		{request: "GET /repos/acme/widgets/hooks", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies (client.agent.deny[1])"},
		{request: "GET /repos/acme/widgets//hooks", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies"},
		{request: "GET /repos/acme/widgets/hooks.json", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies"},
		{request: "GET /repos/acme/widgets/%2568ooks", want: "403 client agent may not use \"repos/list-webhooks\", which \"admin\" denies"},
		{request: "GET /repos/acme/widgets/new-thing", want: unknown},
	})
}

func TestAttackNumbers(t *testing.T) {
	w := compromise(t, nil)
	w.attempts(t, []attack{
		{request: "GET /repositories/9002", want: byNumber, asks: true},
		{request: "GET /repositories/9003", want: byNumber, asks: true},
		{request: "GET /repositories/9003/issues", want: byNumber, asks: true},
		{request: "GET /repositories/%39003", want: byNumber, asks: true},
		{request: "GET /repositories/9005", want: byNumber, asks: true},
		{request: "GET /repositories/77777", want: byNumber, asks: true},
		{request: "GET /repositories/09003", want: "403 client agent"},
		{request: "GET /repositories/9003;x", want: "403 client agent"},
		{request: "GET /repositories/9003.0", want: "403 client agent"},
		{request: "GET /repositories/9223372036854784811", want: "403 client agent"},
		{request: "GET /organizations/5002/repos", want: "403 client agent", asks: true},
		{request: "GET /organizations/5002/members", want: "403 client agent", asks: true},
		{request: "GET /user/5002/repos", want: "403 client agent", asks: true},
		{request: "GET /user/5002", want: "403 client agent", asks: true},
		{request: "GET /teams/1/repos", want: "403 client agent"},
		{request: "PUT /repositories/9001/contents/x\n\n{}", want: "403 client agent may not use \"repos/create-or-update-file-contents\": it moves refs", asks: true},
		{request: "GET /repositories/9001/hooks", want: "403 client agent may not use", asks: true},
		{request: "GET /repositories/9001/issues", want: "confined 200", asks: true},
	})
}

// A client follows the redirect of a repository that has moved.
func TestAttackMovedRepository(t *testing.T) {
	w := compromise(t, nil)
	for _, to := range [][2]string{{"acme", "gears"}, {"globex", "gears"}} {
		if err := w.github.Rename("acme", "rockets", to[0], to[1]); err != nil {
			t.Fatal(err)
		}
		w.attempts(t, []attack{
			{request: "GET /repos/acme/rockets", want: notRockets},
			{request: "GET /repositories/9002", want: "403 client agent", asks: true},
			{request: "GET /repos/" + to[0] + "/" + to[1], want: "403 client agent is not granted the repository " + to[0] + "/gears"},
		})
		if err := w.github.Rename(to[0], to[1], "acme", "rockets"); err != nil {
			t.Fatal(err)
		}
	}
	// What is granted has left: its former name leads to what is not.
	if err := w.github.Rename("acme", "widgets", "globex", "gadgets"); err != nil {
		t.Fatal(err)
	}
	w.attempts(t, []attack{
		{request: "GET /repositories/9001", want: byNumber, asks: true},
		{request: "GET /repos/globex/gadgets", want: "403 client agent is not granted the repository globex/gadgets"},
	})
}

func TestAttackSearch(t *testing.T) {
	w := compromise(t, nil)
	w.attempts(t, []attack{
		{request: "GET /search/code?q=x+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+org:globex", want: notGlobex},
		{request: "GET /search/code?q=x+user:globex", want: notGlobex},
		{request: "GET /search/code?q=x+repo:acme/widgets+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+repo:acme/widgets+OR+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+REPO:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+%72epo%3Aglobex%2Ftools", want: notTools},
		{request: "GET /search/code?%71=x+repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=x+repo:%22globex/tools%22", want: notTools},
		{request: "GET /search/code?q=x%09repo:globex/tools", want: notTools},
		{request: "GET /search/code?q=(repo:globex/tools)", want: notTools},
		{request: "GET /search/code?q=repo:acme/widgets&q=repo:globex/tools", want: unclear},
		{request: "GET /search/code?q=repo:acme/widgets&%71=repo:globex/tools", want: unclear},
		{request: "GET /search/code?q=" + strings.Repeat("a", 9000) + "+repo:globex/tools", want: unclear},
		{request: "GET /search/repositories?q=org:globex", want: notGlobex},
		{request: "GET /search/users?q=globex", want: "403 client agent is granted repositories, and \"search/users\" is about the account acme as a whole"},
		// What hides a qualifier from the proxy does not widen the token.
		{request: "GET /search/code?q=x+NOT+-repo:globex/tools", want: "confined"},
		{request: "GET /search/code?q=x+%22repo:globex/tools%22", want: "confined"},
		{request: "GET /search/code?q=x+%22+repo:globex/tools", want: "confined"},
		{request: "GET /search/code?q=x+repo%00:globex/tools", want: "confined"},
		{request: "GET /search/code?Q=x+repo:globex/tools", want: "confined"},
		{request: "GET /search/code?q%5B%5D=repo:globex/tools", want: "confined"},
		{request: "GET /search/code?x;q=repo:globex/tools", want: "confined"},
	})
}

// A rule denies acme/rockets. Neither listings nor searches tell what it has.
func TestAttackDeniedListings(t *testing.T) {
	w := start(t, func(s *setup) {
		s.options.Rules.Rules = []rules.Rule{{Repositories: repositories(t, "acme/rockets"), Deny: "rockets are secret"}}
	})
	const (
		denied  = "403 rule[1] denies this: rockets are secret"
		looks   = "403 rule[1] looks at whom or what a request is about, and "
		listing = looks + "the answer may tell of repositories that the request does not name: ask for each by its owner and name"
		search  = looks + "this search may find what is in repositories that it does not name: name each by repo:OWNER/NAME, without OR, NOT and parentheses"
		unclear = looks + "this one does not say so that it can be told"
		form    = "\nContent-Type: application/x-www-form-urlencoded\n\n"
		json    = "\nContent-Type: application/json\n\n"
	)
	for _, a := range []attack{
		{request: "GET /repos/acme/rockets.git", want: denied},
		{request: "GET /repos/acme/rockets.json", want: denied},
		{request: "GET /repos/acme/rockets;x/issues", want: denied},
		{request: "GET /repos/acme/%2572ockets/issues", want: denied},
		{request: "GET /repos/acme/rockets%20/issues", want: denied},
		{host: codeload, request: "GET /acme/rockets.git/zip/main", want: denied},
		{request: "GET /orgs/acme/repos", want: listing},
		{request: "GET /ORGS/Acme/repos", want: listing},
		{request: "GET /%6frgs/%61cme/repos", want: listing},
		{request: "GET /orgs/acme//repos", want: listing},
		{request: "GET /orgs/acme/repos.json", want: listing},
		{request: "GET /orgs/acme/%2572epos", want: listing},
		{request: "GET /orgs/acme/repos;x", want: listing},
		{request: "HEAD /orgs/acme/repos", want: "403"},
		{request: "GET /organizations/5001/repos", want: listing, asks: true},
		{request: "GET /orgs/acme/issues?filter=all", want: listing},
		{request: "GET /orgs/acme/events", want: listing},
		{request: "GET /orgs/acme/dependabot/alerts", want: listing},
		{request: "GET /orgs/acme/code-scanning/alerts", want: listing},
		{request: "GET /orgs/acme/secret-scanning/alerts", want: listing},
		{request: "GET /orgs/acme/packages?package_type=npm", want: listing},
		{request: "GET /orgs/acme/audit-log", want: listing},
		{request: "GET /orgs/acme/hooks/1/deliveries/1", want: listing},
		{request: "GET /orgs/acme/migrations/1/archive", want: listing},
		{request: "GET /orgs/acme/teams/x/repos", want: listing},
		{request: "GET /orgs/acme/projectsV2/1/items", want: listing},
		{request: "GET /orgs/acme/of-tomorrow", want: listing},
		{request: "GET /users/acme/repos", want: listing},
		{request: "GET /users/octocat/events", want: listing},
		{request: "GET /users/octocat/repos?type=all", want: listing},
		{request: "GET /users/octocat/repos" + form + "type=all", want: unclear},
		{request: "GET /user/repos", want: listing},
		{request: "GET /installation/repositories", want: listing},
		{request: "GET /issues", want: listing},
		{request: "GET /user/issues", want: listing},
		{request: "GET /events", want: listing},
		{request: "GET /notifications", want: listing},
		{request: "GET /of-tomorrow", want: listing},
		{request: "GET /repos/acme/widgets/forks", want: listing},
		{request: "GET /repos/acme/widgets/issues/1/timeline", want: listing},
		{request: "GET /repos/acme/widgets/issues/1/sub_issues", want: listing},
		{request: "GET /repositories/9001/forks", want: listing, asks: true},
		{request: "PUT /orgs/acme/teams/x/repos/acme/rockets\n\n{}", want: denied},
		{request: "PUT /orgs/acme/teams/x/repos/ACME/%72ockets\n\n{}", want: denied},
		{request: "PUT /orgs/acme/teams/x//repos/acme/rockets\n\n{}", want: unclear},
		{request: "PUT /orgs/acme/actions/permissions/repositories/9002\n\n{}", want: denied, asks: true},
		{request: "PUT /orgs/acme/actions/secrets/X/repositories/%39002", want: denied, asks: true},
		{request: "DELETE /orgs/acme/migrations/1/repos/rockets/lock", want: denied},
		{request: "PATCH /orgs/acme/properties/values" + json + `{"repository_names":["rockets"],"properties":[]}`, want: denied},
		{request: "PATCH /orgs/acme/properties/values" + json + `{"repository_names":["ro\u0063kets"],"properties":[]}`, want: denied},
		{request: "PATCH /orgs/acme/properties/values" + form + `repository_names[]=rockets`, want: unclear},
		{request: "POST /orgs/acme/migrations" + json + `{"repositories":["acme/rockets"]}`, want: denied},
		{request: "POST /orgs/acme/teams" + json + `{"name":"x","repo_names":["acme/rockets"]}`, want: denied},
		{request: "PUT /orgs/acme/actions/secrets/X/repositories" + json + `{"selected_repository_ids":[9002]}`, want: denied, asks: true},
		{request: "PUT /orgs/acme/actions/secrets/X/repositories" + json + `{"selected_repository_ids":["9002"]}`, want: denied, asks: true},
		{request: "PUT /orgs/acme/actions/secrets/X/repositories" + json + `{"x":{"selected_repository_ids":[9002]}}`, want: denied, asks: true},
		{request: "PUT /orgs/acme/dependabot/secrets/X" + json + `{"visibility":"selected","selected_repository_ids":[9001,9002]}`, want: denied, asks: true},
		{request: "POST /repos/acme/widgets/rulesets" + json + `{"rules":[{"parameters":{"workflows":[{"repository_id":9002}]}}]}`, want: denied, asks: true},
		{request: "POST /repos/acme/widgets/issues/1/sub_issues" + json + `{"sub_issue_id":5}`, want: unclear},
		{request: "POST /repos/acme/widgets/pulls" + json + `{"title":"x","head":"acme:rockets:main","base":"main"}`, want: denied},
		{request: "POST /repos/acme/widgets/pulls" + json + `{"title":"x","head":"main","head_repo":"rockets","base":"main"}`, want: unclear},
		{request: "POST /markdown" + json + `{"text":"#1","mode":"gfm","context":"acme/rockets"}`, want: denied},
		{request: "GET /search/issues?q=secret", want: search},
		{request: "GET /search/issues?q=org:acme+secret", want: search},
		{request: "GET /search/issues?q=user:acme+secret", want: search},
		{request: "GET /search/issues?q=repo:acme/rockets", want: denied},
		{request: "GET /search/issues?q=repo:acme/widgets+repo:acme/rockets", want: denied},
		{request: "GET /search/issues?q=repo:acme/widgets+OR+secret", want: search},
		{request: "GET /search/issues?q=%22+repo:acme/widgets+%22+secret", want: search},
		{request: "GET /search/issues?q=repo:acme/widgets&%5Bq%5D=secret", want: search},
		{request: "GET /search/issues?q=repo:acme/widgets;q=secret", want: search},
		{request: "GET /search/issues?q=repo:acme/widgets&q=secret", want: unclear},
		{request: "GET /search/issues?q=repo:acme/widgets" + form + "q=secret", want: unclear},
		{request: "GET /search/issues?q=-repo:acme/widgets", want: search},
		{request: "GET /search/issues.json?q=repo:acme/widgets", want: search},
		{request: "GET /search/code?q=org:globex+org:acme", want: search},
		{request: "GET /search/commits?q=x", want: search},
		{request: "GET /search/repositories?q=rockets", want: search},
		{request: "GET /search/labels?q=x", want: search},
		{request: "GET /search/labels?q=x&repository_id=9002", want: denied, asks: true},
	} {
		w.attempt(t, a)
	}
	// What does not lead there is free.
	for _, target := range []string{
		"/orgs/globex/repos", "/users/globex/repos", "/orgs/acme", "/repos/acme/widgets/issues", "/repos/acme/widgets/pulls", "/rate_limit",
		"/search/issues?q=repo:acme/widgets+is:open", "/search/issues?q=org:globex", "/search/issues?q=%22two+words%22+repo:acme/widgets",
	} {
		if got := w.outcomeOf(t, w.client(t, false), "", "GET", "api.github.com"+target, ""); !strings.HasPrefix(got, "200") {
			t.Errorf("GET %s: %q, want 200", target, got)
		}
	}
}

func TestAttackOtherServices(t *testing.T) {
	needGit(t)
	w := compromise(t, nil)
	const raw, uploads = "raw.githubusercontent.com", "uploads.github.com"
	batch := func(repo, operation string) string {
		return "POST /" + repo + "/info/lfs/objects/batch\n\n" + `{"operation":"` + operation + `","objects":[]}`
	}
	w.attempts(t, []attack{
		{host: "github.com", request: "GET /globex/tools.git/info/refs?service=git-upload-pack", want: notTools},
		{host: "github.com", request: "GET /acme/rockets/info/refs?service=git-upload-pack", want: notRockets},
		{host: "github.com", request: "GET /acme/rockets.wiki.git/info/refs?service=git-upload-pack", want: notRockets},
		{host: "github.com", request: "GET /ACME/ROCKETS.git/info/refs?service=git-receive-pack", want: "403 client agent is not granted the repository ACME/ROCKETS"},
		{host: "github.com", request: "POST /globex/tools/git-upload-pack\n\n0000", want: notTools},
		{host: "github.com", request: "GET /acme/widgets/info/refs?service=git-upload-pack&service=git-receive-pack", want: "confined"},
		{host: "github.com", request: "GET /acme/widgets/info/refs?service=git%2Dreceive-pack", want: "confined"},
		{host: "github.com", request: "GET /acme/widgets/info/refs", want: "confined"},
		{host: "github.com", request: batch("globex/tools", "download"), want: notTools},
		{host: "github.com", request: batch("acme/rockets.git", "upload"), want: notRockets},
		{host: "github.com", request: "POST /acme/rockets/info/lfs/locks\n\n{}", want: notRockets},
		{host: "github.com", request: "GET /acme/rockets/info/lfs/locks", want: notRockets},
		{host: "github.com", request: "GET /acme/rockets/archive/main.zip", want: notRockets},
		{host: "github.com", request: "GET /globex/tools/tarball/main", want: notTools},
		{host: "github.com", request: "GET /globex/tools", want: nobody},
		{host: "github.com", request: "GET /globex/tools/raw/main/README.md", want: nobody},
		{host: "github.com", request: "POST /login/oauth/access_token\n\n{}", want: nobody},
		{host: "github.com", request: "POST /session\n\n{}", want: nobody},
		{host: codeload, request: "GET /globex/tools/zip/main", want: notTools},
		{host: codeload, request: "GET /acme/rockets/legacy.tar.gz/main", want: notRockets},
		{host: codeload, request: "GET /acme/%72ockets/legacy.tar.gz/main", want: notRockets},
		{host: codeload, request: "GET /acme/rockets", want: nobody},
		{host: raw, request: "GET /globex/tools/main/README.md", want: notTools},
		{host: raw, request: "GET /acme/widgets/../rockets/main/README.md", want: "400 a dot segment"},
		{host: raw, request: "GET /acme/widgets/main/..%2f..%2f..%2frockets/main/README.md", want: "400 a dot segment"},
		{host: raw, request: "GET /acme/widgets/main/README.md?token=x", want: "confined"},
		{host: uploads, request: "POST /repos/globex/tools/releases/1/assets?name=x\n\nx", want: notTools},
		{host: uploads, request: "POST /repos/acme/rockets/releases/1/assets?name=x\n\nx", want: notRockets},
		{host: uploads, request: "POST /repositories/9002/releases/1/assets?name=x\n\nx", want: "403 client agent"},
		{host: uploads, request: "POST /graphql\n\n{}", want: "403 client agent"},
		{host: uploads, request: "GET /app", want: "403 client agent"},
	})
}

// Repositories without permissions do not give what leads past the other limits.
func TestAttackDefaultPermissions(t *testing.T) {
	w := start(t, func(s *setup) {
		client := agent(t)
		client.Permissions = nil
		s.options.Clients = clients(t, client)
	})
	for _, permission := range []string{"workflows", "environments", "actions_variables", "repository_advisories", "pages", "packages", "actions", "checks", "statuses", "deployments", "new_power"} {
		w.github.Grant(githubtest.AcmeInstallation, permission, "write")
	}
	want := map[string]string{
		"metadata": "read", "contents": "write", "issues": "write", "pull_requests": "write",
		"actions": "read", "checks": "read", "deployments": "read", "statuses": "read",
	}
	w.outcomeOf(t, w.client(t, false), "", "GET", "api.github.com/repos/acme/widgets", "")
	if got := w.last(t, "/repos/acme/widgets"); got.Scope == nil || !maps.Equal(got.Scope.Permissions, want) {
		t.Errorf("it arrived with a token for %+v, want %v", got.Scope, want)
	}
}

// Who may do all with an account does nothing with another.
func TestAttackOtherOwnersInBodies(t *testing.T) {
	w := start(t, func(s *setup) {
		agent := &policy.Client{Name: "agent", Networks: loopback, Owners: []rules.Glob{"acme"}, Limits: policy.Limits{LookupsPerMinute: 6000}}
		s.options.Clients = clients(t, agent)
	})
	const (
		json     = "\nContent-Type: application/json\n\n"
		globex   = "403 client agent is not granted globex (client.agent.owners)"
		unclear  = "403 client agent may not make a request of which it cannot be told whom it is about (client.agent.owners)"
		transfer = "POST /repos/acme/widgets/transfer"
	)
	for _, a := range []attack{
		{request: transfer + json + `{"new_owner":"globex"}`, want: globex},
		{request: transfer + json + `{"new_\u006fwner":"globex"}`, want: globex},
		{request: transfer + "\n\n" + `{"new_owner":"globex"}`, want: unclear},
		{request: transfer + "\nContent-Type: application/x-www-form-urlencoded\n\nnew_owner=globex", want: unclear},
		{request: transfer + "\nContent-Encoding: gzip" + json + zip(t, `{"new_owner":"globex"}`), want: unclear},
		{request: transfer + json + `{"new_owner":"acme","new_owner":"globex"}`, want: unclear},
		{what: "a large body", request: transfer + json + `{"x":"` + strings.Repeat("x", rules.MaxBodyNames) + `","new_owner":"globex"}`, want: unclear},
		{request: "POST /repos/acme/widgets/forks" + json + `{"organization":"globex"}`, want: globex},
		{request: "POST /repos/acme/widgets/generate" + json + `{"owner":"globex","name":"x"}`, want: globex},
		{request: "POST /repos/acme/widgets/pulls" + json + `{"title":"x","head":"globex:main","base":"main"}`, want: unclear},
		{request: "POST /repos/acme/widgets/code-scanning/codeql/variant-analyses" + json + `{"repositories":["globex/tools"]}`, want: "403 client agent is not granted the repository globex/tools"},
		{request: "GET /repos/acme/widgets/compare/main...globex:tools:main", want: "403 client agent is not granted the repository globex/tools"},
		{request: "GET /repos/acme/widgets/compare/main...globex:main", want: unclear},
	} {
		w.attempt(t, a)
	}
}

// A denied path is denied however it is spelled, by clients' limits and by rules.
func TestAttackDeniedPaths(t *testing.T) {
	denied, err := policy.ParseOperation("PUT /repos/{owner}/{repo}/pulls/{number}/merge")
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := rules.ParsePattern("/repos/acme/widgets/collaborators/**")
	if err != nil {
		t.Fatal(err)
	}
	w := compromise(t, func(s *setup, agent *policy.Client) {
		agent.Deny, agent.Push = []policy.Operation{denied}, nil
		s.options.Rules.Rules = []rules.Rule{{Paths: []rules.Pattern{hooks}, Deny: "nobody is let in"}}
	})
	const (
		merge   = "403 client agent may not use"
		letIn   = "403 rule[1] denies this: nobody is let in"
		unknown = "403 rule[1] looks at whom or what a request is about, and this one does not say so that it can be told"
	)
	w.attempts(t, []attack{
		{request: "PUT /repos/acme/widgets/pulls/36/merge\n\n{}", want: merge},
		{request: "PUT /repos/acme/widgets/pulls/36/merge.json\n\n{}", want: merge},
		{request: "PUT /repos/acme/widgets/pulls/36/%256derge\n\n{}", want: merge},
		{request: "PUT /repos/acme/widgets/pulls/36/merge;x\n\n{}", want: merge},
		{request: "PUT /repos/acme/widgets/pulls/36//merge\n\n{}", want: merge},
		{request: "PUT /repositories/9001/pulls/36/merge\n\n{}", want: merge, asks: true},
		{request: "PUT /repositories/9001/pulls/36/merge.json\n\n{}", want: merge, asks: true},
		{request: "PUT /repositories/9001/pulls/36/%256derge\n\n{}", want: merge, asks: true},
		{request: "PUT /repositories/9001/pulls/36/merge;x\n\n{}", want: merge, asks: true},
		{request: "PUT /repositories/9001/pulls;x/36/merge\n\n{}", want: merge, asks: true},
		{request: "PUT /repos/acme/widgets/collaborators/x\n\n{}", want: letIn},
		{request: "PUT /repos/acme/widgets/collaborators/x.json\n\n{}", want: letIn},
		{request: "PUT /repos/acme/widgets/%2563ollaborators/x\n\n{}", want: letIn},
		{request: "PUT /repos/acme/widgets/collaborators;x/x\n\n{}", want: letIn},
		{request: "PUT /repositories/9001/collaborators/x\n\n{}", want: letIn, asks: true},
		{request: "PUT /repositories/9001/collaborators;x/x\n\n{}", want: letIn, asks: true},
		{request: "PUT /repositories/77777/collaborators/x\n\n{}", want: unknown, asks: true},
	})
}
