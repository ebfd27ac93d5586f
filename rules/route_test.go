package rules_test

import (
	"errors"
	"strings"
	"testing"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"

	"github.com/google/go-cmp/cmp"
)

// hosts are the served hosts by name, of three instances.
var hosts = func() map[string]github.Host {
	byName := map[string]github.Host{}
	for _, instance := range []github.Instance{github.GitHubCom, "ghe.example.com", "octo.ghe.com"} {
		for _, host := range instance.Hosts() {
			byName[host.Name] = host
		}
	}
	return byName
}()

// request reads "METHOD host/path?query".
func request(t testing.TB, s string) rules.Request {
	t.Helper()
	method, target, _ := strings.Cut(s, " ")
	name, _, _ := strings.Cut(target, "/")
	host, ok := hosts[name]
	if !ok {
		t.Fatalf("no served host %q", name)
	}
	path, query, _ := strings.Cut(target[len(name):], "?")
	return rules.Request{Method: method, Host: host, Path: path, Query: query}
}

func TestRoute(t *testing.T) {
	apiRoute := func(op, owner, repo string) rules.Route {
		return rules.Route{Operation: op, Credential: rules.Installation, Subject: github.Account{Login: owner, Repo: repo}, Read: true}
	}
	jwt := func(op, owner, repo string) rules.Route {
		route := apiRoute(op, owner, repo)
		route.Credential = rules.JWT
		return route
	}
	git := func(op string, read bool) rules.Route {
		return rules.Route{Operation: op, Credential: rules.Installation, Scheme: rules.Basic, Form: answer.Text,
			Subject: github.Account{Login: "acme", Repo: "widgets"}, Read: read, GitAuth: true}
	}
	with := func(route rules.Route, change func(*rules.Route)) rules.Route {
		change(&route)
		return route
	}
	lfs := func(r *rules.Route) { r.Form = answer.LFS }
	write := func(r *rules.Route) { r.Read = false }
	userOnly := func(r *rules.Route) { r.UserOnly = true }
	file := func(op string) rules.Route {
		return rules.Route{Operation: op, Credential: rules.Installation, Scheme: rules.Token, Form: answer.Text,
			Subject: github.Account{Login: "acme", Repo: "widgets"}, Read: true}
	}
	page := rules.Route{Operation: "web", Form: answer.Text, Read: true}

	for in, want := range map[string]rules.Route{
		"GET api.github.com/repos/acme/widgets":          apiRoute("repos/get", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/pulls":    apiRoute("pulls/list", "acme", "widgets"),
		"POST api.github.com/repos/acme/widgets/issues":  with(apiRoute("issues/create", "acme", "widgets"), write),
		"GET api.github.com/repos/%61cme/widgets.js":     apiRoute("repos/get", "acme", "widgets.js"),
		"GET api.github.com/orgs/acme/repos":             apiRoute("repos/list-for-org", "acme", ""),
		"GET api.github.com/users/octocat":               apiRoute("users/get-by-username", "octocat", ""),
		"GET api.github.com/users/dependabot%5Bbot%5D":   apiRoute("users/get-by-username", "dependabot[bot]", ""),
		"GET api.github.com/orgs/acme/installations":     apiRoute("orgs/list-app-installations", "acme", ""),
		"GET api.github.com/":                            apiRoute("meta/root", "", ""),
		"GET api.github.com/rate_limit":                  apiRoute("rate-limit/get", "", ""),
		"GET api.github.com/apps/ci-bot":                 apiRoute("apps/get-by-slug", "", ""),
		"GET api.github.com/installation/repositories":   apiRoute("apps/list-repos-accessible-to-installation", "", ""),
		"GET api.github.com/enterprises/megacorp/events": with(apiRoute("api", "megacorp", ""), func(r *rules.Route) { r.Subject.Enterprise = true }),
		"GET api.github.com/repositories/1000/issues":    with(apiRoute("issues/list-for-repo", "", ""), func(r *rules.Route) { r.Subject.RepositoryID = 1000 }),
		"POST api.github.com/graphql":                    with(apiRoute("graphql", "", ""), func(r *rules.Route) { r.Read = false }),

		// A file, a branch and a team called "installation" are none.
		"GET api.github.com/repos/o/r/contents/docs/installation":       apiRoute("repos/get-content", "o", "r"),
		"GET api.github.com/repos/o/r/git/ref/heads/installation":       apiRoute("git/get-ref", "o", "r"),
		"GET api.github.com/orgs/o/teams/installation":                  apiRoute("teams/get-by-name", "o", ""),
		"GET api.github.com/repos/o/installation":                       apiRoute("repos/get", "o", "installation"),
		"GET api.github.com/repos/o/r/contents/applications/a/token.go": apiRoute("repos/get-content", "o", "r"),
		"GET api.github.com/apps":                                       apiRoute("api", "", ""),

		// Operations that GitHub adds later follow the structure of the path.
		"GET api.github.com/repos/acme/widgets/novelties":      apiRoute("api", "acme", "widgets"),
		"GET api.github.com/app/novelties":                     jwt("app", "", ""),
		"PURGE api.github.com/repos/acme/widgets":              with(apiRoute("api", "acme", "widgets"), write),
		"GET api.github.com/applications/Iv1.abc/token":        apiRoute("api", "", ""),
		"GET ghe.example.com/api/v3/marketplace_listing/plans": apiRoute("api", "", ""),
		"GET api.github.com/repositories/1000/novelties":       with(apiRoute("api", "", ""), func(r *rules.Route) { r.Subject.RepositoryID = 1000 }),
		"GET api.github.com/organizations/1001/novelties":      with(apiRoute("api", "", ""), func(r *rules.Route) { r.Subject.AccountID = 1001 }),
		"GET api.github.com/user/novelties":                    apiRoute("api", "", ""),
		"GET api.github.com/user/1002/novelties":               with(apiRoute("api", "", ""), func(r *rules.Route) { r.Subject.AccountID = 1002 }),

		// Owners stand elsewhere, too.
		"GET api.github.com/teams/7/repos/acme/widgets": with(apiRoute("teams/check-permissions-for-repo-legacy", "", ""), func(r *rules.Route) {
			r.Subject.TeamID, r.Others = 7, []github.Account{{Login: "acme", Repo: "widgets"}}
		}),
		"GET api.github.com/orgs/acme/teams/core/repos/o/r":            with(apiRoute("teams/check-permissions-for-repo-in-org", "acme", ""), func(r *rules.Route) { r.Others = []github.Account{{Login: "o", Repo: "r"}} }),
		"GET api.github.com/agents/repos/acme/widgets/tasks":           with(apiRoute("agent-tasks/list-tasks-for-repo", "acme", "widgets"), userOnly),
		"GET api.github.com/organizations/acme/settings/billing/usage": apiRoute("billing/get-github-billing-usage-report-org", "acme", ""),
		"GET api.github.com/organizations/1001/repos":                  with(apiRoute("repos/list-for-org", "", ""), func(r *rules.Route) { r.Subject.AccountID = 1001 }),
		"GET api.github.com/user/1002/repos":                           with(apiRoute("repos/list-for-user", "", ""), func(r *rules.Route) { r.Subject.AccountID = 1002 }),
		"GET api.github.com/user/repos":                                with(apiRoute("repos/list-for-authenticated-user", "", ""), userOnly),
		"PUT api.github.com/user/starred/acme/widgets":                 with(apiRoute("activity/star-repo-for-authenticated-user", "acme", "widgets"), func(r *rules.Route) { r.Read, r.UserOnly = false, true }),
		"POST api.github.com/repos/acme/template/generate":             with(apiRoute("repos/create-using-template", "acme", "template"), write),
		"GET ghe.example.com/api/v3/admin/users/octocat":               apiRoute("api", "", ""),

		// Escapes, and parameters with slashes.
		"GET api.github.com/repos/acme/widgets/git/ref/heads%2Fmain":     apiRoute("git/get-ref", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/contents/a//b":            apiRoute("repos/get-content", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/contents/":                apiRoute("repos/get-content", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/branches/a/b/protection":  apiRoute("repos/get-branch-protection", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/compare/main...dev":       apiRoute("repos/compare-commits", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/compare/main...feature/x": apiRoute("repos/compare-commits-with-basehead", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/issues%2F7":               apiRoute("issues/get", "acme", "widgets"),
		"GET api.github.com/repos/acme/widgets/%72eleases/la%74est":      apiRoute("repos/get-latest-release", "acme", "widgets"),

		"GET api.github.com/app":                               jwt("apps/get-authenticated", "", ""),
		"HEAD api.github.com/app/":                             jwt("apps/get-authenticated", "", ""),
		"GET api.github.com/%61pp":                             jwt("apps/get-authenticated", "", ""),
		"GET api.github.com/app/installations":                 jwt("apps/list-installations", "", ""),
		"GET api.github.com/app/installations/111":             with(jwt("apps/get-installation", "", ""), func(r *rules.Route) { r.InstallationID = 111 }),
		"GET api.github.com/orgs/acme/installation":            jwt("apps/get-org-installation", "acme", ""),
		"GET api.github.com/users/acme/installation":           jwt("apps/get-user-installation", "acme", ""),
		"GET api.github.com/repos/acme/widgets/installation":   jwt("apps/get-repo-installation", "acme", "widgets"),
		"GET api.github.com/repositories/1000/installation":    with(jwt("apps/get-repo-installation", "", ""), func(r *rules.Route) { r.Subject.RepositoryID = 1000 }),
		"GET api.github.com/enterprises/megacorp/installation": with(jwt("apps/get-enterprise-installation", "megacorp", ""), func(r *rules.Route) { r.Subject.Enterprise = true }),
		"GET api.github.com/marketplace_listing/stubbed/plans": jwt("apps/list-plans-stubbed", "", ""),
		"GET ghe.example.com/api/v3/app":                       jwt("apps/get-authenticated", "", ""),
		"GET api.octo.ghe.com/app":                             jwt("apps/get-authenticated", "", ""),
		"POST api.github.com/app/hook/deliveries/1/attempts":   with(jwt("apps/redeliver-webhook-delivery", "", ""), func(r *rules.Route) { r.Read, r.Refused = false, rules.RefusedJWTWrite }),
		"DELETE api.github.com/applications/Iv1.abc/token":     {Operation: "apps/delete-token", Credential: rules.ClientSecret, Scheme: rules.Basic, ClientID: "Iv1.abc"},
		"DELETE api.github.com/applications/Iv1.abc/grant":     {Operation: "apps/delete-authorization", Credential: rules.ClientSecret, Scheme: rules.Basic, ClientID: "Iv1.abc"},
		"POST api.github.com/credentials/revoke":               {Operation: "credentials/revoke"},

		"GET ghe.example.com/api/v3/repos/acme/widgets":                   apiRoute("repos/get", "acme", "widgets"),
		"GET ghe.example.com/api/v30/repos/acme/widgets":                  page,
		"POST ghe.example.com/api/graphql":                                with(apiRoute("graphql", "", ""), func(r *rules.Route) { r.Read = false }),
		"GET octo.ghe.com/acme/widgets/info/refs?service=git-upload-pack": git("info/refs", true),

		"GET github.com/acme/widgets/info/refs?service=git-upload-pack":          git("info/refs", true),
		"GET github.com/acme/widgets.git/info/refs?service=git-upload-pack":      git("info/refs", true),
		"GET github.com/acme/widgets.wiki.git/info/refs?service=git-upload-pack": git("info/refs", true),
		"GET github.com/acme/widgets%2egit/info/refs?service=git-upload-pack":    git("info/refs", true),
		"GET github.com/acme/widgets.git/info/refs?service=git-receive-pack":     git("info/refs", false),
		"POST github.com/acme/widgets/git-upload-pack":                           git("git-upload-pack", true),
		"POST github.com/acme/widgets/git-receive-pack":                          git("git-receive-pack", false),
		"POST github.com/acme/widgets.git/info/lfs/objects/batch":                with(git("lfs", true), lfs),
		"POST github.com/acme/widgets.git/info/lfs/locks":                        with(git("lfs", false), lfs),
		"GET github.com/acme/widgets.git/info/lfs/locks":                         with(git("lfs", true), lfs),
		"GET github.com/acme/widgets/archive/refs/heads/main.tar.gz":             file("archive"),
		"GET github.com/":                          page,
		"GET github.com/acme":                      page,
		"GET github.com/acme/widgets":              page,
		"GET github.com/acme/widgets/releases":     page,
		"POST github.com/login/oauth/access_token": with(page, write),
		"POST github.com/login/device/code":        with(page, write),

		"GET raw.githubusercontent.com/acme/widgets/main/README.md":             file("raw"),
		"GET codeload.github.com/acme/widgets/legacy.tar.gz/refs/heads/main":    file("archive"),
		"GET raw.githubusercontent.com/robots.txt":                              {Operation: "raw", Scheme: rules.Token, Form: answer.Text, Read: true},
		"POST uploads.github.com/repos/acme/widgets/releases/1/assets?name=a.b": {Operation: "repos/upload-release-asset", Credential: rules.Installation, Subject: github.Account{Login: "acme", Repo: "widgets"}},
		"POST ghe.example.com/api/uploads/repos/acme/widgets/releases/1/assets": {Operation: "repos/upload-release-asset", Credential: rules.Installation, Subject: github.Account{Login: "acme", Repo: "widgets"}},
		"GET uploads.github.com/elsewhere":                                      {Operation: "uploads", Read: true},
	} {
		got, err := rules.Set{}.Route(request(t, in))
		if err != nil {
			t.Errorf("Route(%q): %v", in, err)
			continue
		}
		if want.Subject.Named() {
			want.Source = "path"
		}
		got.CloneToken, got.Reach = false, 0 // TestCloneToken and TestRESTReach look at them
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Route(%q) (-want +got):\n%s", in, diff)
		}
	}
}

func TestRouteRefuses(t *testing.T) {
	for in, want := range map[string]rules.Refusal{
		"POST api.github.com/app/installations/111/access_tokens":                      rules.RefusedHandsOut,
		"POST api.github.com/APP/installations/111/Access_Tokens":                      rules.RefusedHandsOut,
		"POST api.github.com/app/installations/111/access%5Ftokens/":                   rules.RefusedHandsOut,
		"POST ghe.example.com/api/v3/app/installations/111/access_tokens":              rules.RefusedHandsOut,
		"POST api.github.com/repos/acme/widgets/actions/runners/registration-token":    rules.RefusedHandsOut,
		"POST api.github.com/repos/acme/widgets/actions/runners/registration%2Dtoken":  rules.RefusedHandsOut,
		"POST api.github.com/repositories/7/actions/runners/registration-token":        rules.RefusedHandsOut,
		"POST api.github.com/applications/Iv1.abc/token":                               rules.RefusedHandsOut,
		"PATCH api.github.com/applications/Iv1.abc/token":                              rules.RefusedHandsOut,
		"POST api.github.com/applications/Iv1.abc/token/scoped":                        rules.RefusedHandsOut,
		"POST api.github.com/app-manifests/code/conversions":                           rules.RefusedHandsOut,
		"GET api.github.com/orgs/acme/actions/runners/downloads":                       rules.RefusedHandsOut,
		"HEAD api.github.com/orgs/acme/secret-scanning/alerts":                         rules.RefusedHandsOut,
		"GET api.github.com/repos/acme/widgets/secret-scanning/alerts/3":               rules.RefusedHandsOut,
		"POST api.github.com/orgs/acme//actions/runners/registration-token":            rules.RefusedHandsOut,
		"POST api.github.com/orgs/acme/actions/runners/registration-token//":           rules.RefusedHandsOut,
		"POST api.github.com/orgs/acme/actions/runners/registration-token%2f/":         rules.RefusedHandsOut,
		"POST api.github.com/orgs/acme/actions%2Frunners/registration-token":           rules.RefusedHandsOut,
		"POST api.github.com/repos/acme/widgets/actions/runners//remove-to%E2%84%AAen": rules.RefusedHandsOut,
		"post api.github.com/organizations/1001/actions/runners/remove-token":          rules.RefusedHandsOut,
		"GET api.github.com/organizations/1001/secret-scanning/alerts":                 rules.RefusedHandsOut,
		"PATCH api.github.com/repositories/x/secret-scanning/alerts/3":                 rules.RefusedHandsOut,
		"GET api.github.com/enterprises/e/secret-scanning/alerts":                      rules.RefusedHandsOut,
		"GET api.github.com/admin/tokens":                                              rules.RefusedHandsOut,
		"GET ghe.example.com/api/v3/setup/api/settings":                                rules.RefusedHandsOut,
		"POST uploads.github.com/repos/acme/widgets/actions/runners/remove-token":      rules.RefusedHandsOut,
		"GET api.github.com/repos/acme/widgets/contents/actions/runners/downloads":     "",
		"DELETE api.github.com/installation/token":                                     rules.RefusedRevoke,
		"TRACE api.github.com/rate_limit":                                              rules.RefusedTrace,
		"TRACE github.com/acme/widgets":                                                rules.RefusedTrace,
		"GET api.github.com/repos/acme/widgets/secret-scanning/alerts/3/locations":     "",
		"PATCH api.github.com/app/hook/config":                                         "",
	} {
		got, err := rules.Set{JWTWrites: true}.Route(request(t, in))
		if err != nil || got.Refused != want {
			t.Errorf("Route(%q) is refused because %q (error %v), want %q", in, got.Refused, err, want)
		}
	}
}

func TestRouteTargetErrors(t *testing.T) {
	for _, in := range []string{
		"GET api.github.com//repos/acme/widgets",
		"GET api.github.com//",
		"GET api.github.com/repos//widgets",
		"GET api.github.com/repos/acme//pulls",
		"GET api.github.com/repos/acme%2Fwidgets/pulls/1",
		"GET api.github.com/repos/acme/widgets%2fpulls",
		"GET api.github.com/repos/acme/wid%5Cgets",
		"GET api.github.com/repos/acme/wid%00gets",
		"GET api.github.com/repos/acme/widgets/../../../app",
		"GET api.github.com/repos/acme/widgets/%2e%2E/x",
		"GET api.github.com/repos/acme/widgets/contents/..%2f..%2fx",
		"GET api.github.com/repos/acme/widgets/contents/a%5c..",
		"GET api.github.com/repos/acme/./widgets",
		"GET api.github.com/repos/acme\\widgets",
		"GET api.github.com/repos/acme/widgets#x",
		"GET api.github.com/orgs//repos",
		"GET github.com//acme/widgets.git/info/refs",
		"GET github.com/acme//widgets.git/info/refs",
		"GET github.com/acme%2Fwidgets.git/info/refs",
		"GET raw.githubusercontent.com/acme//main/x",
		"GET ghe.example.com/api//v3/app",
	} {
		route, err := rules.Set{}.Route(request(t, in))
		if target := (*github.TargetError)(nil); !errors.As(err, &target) {
			t.Errorf("Route(%q) = %+v, %v, want a *TargetError", in, route, err)
		}
	}
}

func TestRouteKeepsOddTargets(t *testing.T) {
	for _, in := range []string{
		"GET api.github.com/repos/acme/widgets/git/ref/heads%2Fmain",
		"GET api.github.com/repos/acme/widgets/contents//double",
		"GET api.github.com/repos/acme/widgets/contents/[a]^b",
		"GET api.github.com/repos/acme/widgets/contents/sm\xc3\xb8rrebr\xc3\xb8d",
		"GET api.github.com/repos/acme/widgets/contents/...",
		"GET api.github.com/repos/acme/widgets/contents/.github",
		"GET api.github.com/repos/acme/widgets/contents/a%5cb",
	} {
		if route, err := (rules.Set{}).Route(request(t, in)); err != nil || route.Subject.Login != "acme" || route.Subject.Repo != "widgets" {
			t.Errorf("Route(%q) = %+v, %v, want acme/widgets", in, route, err)
		}
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("GET", "api.github.com", "/repos/acme/widgets/contents/%2e%2e/x", "q=1")
	f.Add("POST", "ghe.example.com", "/api/v3/app/installations/1/access_tokens", "")
	f.Add("GET", "github.com", "/a/b.git/info/refs", "service=git-upload-pack")
	f.Fuzz(func(t *testing.T, method, name, path, query string) {
		host, ok := hosts[name]
		if !ok {
			t.Skip()
		}
		route, err := rules.Set{}.Route(rules.Request{Method: method, Host: host, Path: path, Query: query})
		if err != nil {
			return
		}
		if strings.ContainsAny(route.Subject.Login+route.Subject.Repo, "/\\\x00\r\n") {
			t.Errorf("owner %q, repository %q", route.Subject.Login, route.Subject.Repo)
		}
		if route.Subject.Login == "." || route.Subject.Login == ".." || route.Subject.Repo == "." || route.Subject.Repo == ".." {
			t.Errorf("dot name: %q/%q", route.Subject.Login, route.Subject.Repo)
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	req := request(b, "GET api.github.com/repos/acme/widgets/pulls")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (rules.Set{}).Route(req); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCloneToken: answers in which GitHub may put a credential to clone with,
// and those of which that is not known.
func TestCloneToken(t *testing.T) {
	host := hosts["api.github.com"]
	for target, want := range map[string]bool{
		"GET /repos/acme/widgets":            true,
		"GET /repositories/1000":             true,
		"GET /search/repositories":           true,
		"GET /repos/acme/widgets/pulls/1":    true,
		"GET /repos/acme/widgets/what/is/it": true,
		// Of these the schemas do not name it.
		"GET /orgs/acme/dependabot/alerts":             true,
		"GET /repos/acme/widgets/security-advisories":  true,
		"GET /repos/acme/widgets/hooks/1/deliveries/2": true,
		"GET /repositories/1000/issues/1/events":       true,
		"GET /orgs/acme/copilot-spaces/1/resources/2":  true,
		"GET /repos/acme/widgets/issues/1/events/":     true,
		"GET /repos/acme/widgets/labels":               false,
		"GET /rate_limit":                              false,
		"POST /graphql":                                false,
		"GET /app":                                     false,
	} {
		method, path, _ := strings.Cut(target, " ")
		route, err := rules.Classify(rules.Request{Method: method, Host: host, Path: path})
		if err != nil || route.CloneToken != want {
			t.Errorf("%s: clone token %v, %v, want %v", target, route.CloneToken, err, want)
		}
	}
}
