package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// TestRESTReach asks how far the answers of operations lead.
func TestRESTReach(t *testing.T) {
	for reach, requests := range map[github.Reach][]string{
		github.ReachNamed: {
			"/repos/acme/widgets", "/repos/acme/widgets/pulls", "/repos/acme/widgets/issues/1", "/repos/acme/widgets/contents/x", "/repositories/9001/issues",
			"/orgs/acme", "/orgs/acme/teams", "/orgs/acme/members", "/orgs/acme/members/octocat", "/users/octocat", "/user", "/user/orgs", "/rate_limit", "/meta", "/", "/zen",
			"/app", "/app/installations", "/repos/acme/widgets/installation", "/advisories", "/orgs/acme/actions/secrets", "/search/users?q=x", "/search/topics?q=x",
			"/search/issues?q=repo:acme/widgets+is:open", "/search/issues?per_page=100&q=is%3Apr+repo%3Aacme%2Fwidgets+label%3A%22good+first%22",
			"/search/code?q=%22two+words%22+repo:acme/widgets+-repo:acme/x", "/search/commits?q=repo:acme/widgets+repo:acme/tools", "/search/issues?q=repo:%22acme/widgets%22",
			"/search/labels?q=bug&repository_id=9001", "/orgs/acme/teams/x/repos/acme/widgets",
		},
		github.ReachOwners: {
			"/orgs/acme/issues", "/orgs/acme/repos", "/orgs/acme/events", "/orgs/acme/dependabot/alerts", "/orgs/acme/code-scanning/alerts", "/orgs/acme/audit-log",
			"/orgs/acme/packages", "/orgs/acme/packages/npm/x/versions", "/orgs/acme/attestations/repositories", "/orgs/acme/migrations/1/archive", "/orgs/acme/hooks/1/deliveries/2",
			"/orgs/acme/actions/permissions/repositories", "/orgs/acme/copilot/content_exclusion", "/organizations/5001/repos", "/organizations/acme/settings/billing/usage",
			"/teams/1/repos", "/installation/repositories", "/users/acme/repos", "/users/acme/repos?sort=pushed", "/users/acme/repos?type=owner", "/user/5001/repos", "/users/acme/packages",
			"/search/issues?q=org:acme", "/search/issues?q=user:acme+x", "/search/code?q=repo:acme/widgets+org:acme", "/search/repositories?q=user:acme",
			"/orgs/acme/novelty", "/repos/acme/widgets/novelty", "/repositories/1/novelty", "/teams/1/novelty", "/orgs/acme//issues", "/orgs/acme/issues.json", "/orgs/acme/%2569ssues",
		},
		github.ReachAny: {
			"/issues", "/user/issues", "/user/repos", "/events", "/repositories", "/notifications", "/user/starred", "/user/migrations/1/archive",
			"/users/octocat/events", "/users/octocat/starred", "/users/octocat/received_events", "/users/octocat/repos?type=all", "/users/octocat/repos?type=owner&type=all",
			"/users/octocat/repos?type%5B%5D=member", "/users/octocat/repos?x;type=all", "/user/5001/repos?type=all", "/enterprises/mega/audit-log", "/app/hook/deliveries/1",
			"/repos/acme/widgets/forks", "/repos/acme/widgets/issues/1/timeline", "/repos/acme/widgets/issues/1/parent", "/repos/acme/widgets/issues/1/sub_issues",
			"/repos/acme/widgets/issues/1/dependencies/blocking", "/networks/acme/widgets/events", "/repositories/9001/forks", "/repos/acme/widgets//forks", "/repos/acme/widgets/forks.json",
			"/orgs/acme/projectsV2/1/items", "/novelty", "/user/novelty", "/enterprises/mega/novelty", "/legacy/issues/search/acme/rockets/open/x",
			"/search/issues", "/search/issues?q=secret", "/search/issues?q=is:open+-repo:acme/widgets", "/search/issues?q=repo:acme/widgets+OR+x", "/search/issues?q=NOT+repo:acme/widgets",
			"/search/issues?q=(repo:acme/widgets)", "/search/issues?q=REPO:acme/widgets", "/search/issues?q=repo:acme/*", "/search/issues?q=repo:acme/widgets,acme/rockets", "/search/issues?q=user:@me",
			"/search/issues?q=%22+repo:acme/widgets+%22", "/search/issues?q=%22repo:acme/widgets", "/search/issues?q=repo:acme/widgets+%22x+repo:acme/rockets+%22", "/search/issues?q=x%C2%A0repo:acme/widgets",
			"/search/issues?q=label:%22x+repo:acme/widgets%22", "/search/issues?q=x%22+repo:acme/widgets+%22", "/search/issues?q=x%0Arepo:acme/widgets", "/search/issues?q=x%C2%A0repo:acme/rockets+repo:acme/widgets",
			"/search/issues?q=repo:acme/widgets+x%22y+OR+z%22", "/search/issues?q=x+repo:acme/widgets+y;q=secret", "/search/issues?q=%5C%22+repo:acme/widgets",
			"/search/issues?q=repo:acme/widgets&q=secret", "/search/issues?q=repo:acme/widgets&%71=secret", "/search/issues?q=repo:acme/widgets&%5Bq%5D=secret", "/search/issues?q=repo:acme/widgets&q%5B%5D=secret",
			"/search/issues?q=repo:acme/widgets;q=secret", "/search/issues?q=repo:acme/widgets&+q=secret", "/search/issues?q=repo:acme/widgets&Q=secret", "/search/issues?Q=repo:acme/widgets",
			"/search/issues?q=" + manyRepositories(), "/search/issues.json?q=repo:acme/widgets", "/%2573earch/issues?q=repo:acme/widgets",
			"/search/labels?q=x", "/search/labels?repository_id=9001&repository_id=9002", "/search/labels?repository_id=x",
		},
	} {
		for _, target := range requests {
			for _, at := range []string{"api.github.com", "ghe.example.com/api/v3"} {
				route, err := rules.Classify(request(t, "GET "+at+target))
				if at != "api.github.com" && route.Operation == "api" {
					continue // an Enterprise Server does not have it
				}
				if err != nil || route.Reach != reach {
					t.Errorf("Classify(%.200q) reaches %d, %v, want %d", at+target, route.Reach, err, reach)
				}
			}
		}
	}
}

// manyRepositories are more than are read.
func manyRepositories() string {
	var q strings.Builder
	for i := range 120 {
		fmt.Fprintf(&q, "repo:acme/w%d+", i)
	}
	return q.String()
}

// TestSearchedLabels: they are of the repository that the query names by id.
func TestSearchedLabels(t *testing.T) {
	route, err := rules.Classify(request(t, "GET api.github.com/search/labels?repository_id=9001&q=bug+repo:acme/widgets"))
	if err != nil || route.Subject != (github.Account{RepositoryID: 9001}) || len(route.Others) != 1 || route.Source != "search" {
		t.Errorf("it is about %+v and %+v, by %q, %v", route.Subject, route.Others, route.Source, err)
	}
}

// leadOn are the operations below a repository that lead to others.
var leadOn = set("activity/list-public-events-for-repo-network", "repos/list-forks", "issues/list-events-for-timeline",
	"issues/get-parent", "issues/list-sub-issues", "issues/add-sub-issue", "issues/remove-sub-issue", "issues/reprioritize-sub-issue",
	"issues/list-dependencies-blocked-by", "issues/add-blocked-by-dependency", "issues/remove-dependency-blocked-by", "issues/list-dependencies-blocking",
	"code-scanning/create-variant-analysis", "code-scanning/get-variant-analysis", "code-scanning/get-variant-analysis-repo-task")

// telling are properties that only repositories, or what they have, have.
var telling = []string{"full_name", "repository", "repositories", "repo", "repository_id", "repository_name", "repository_url", "repository_full_name", "repositoryName", "accessible_repositories"}

// harmless are operations of which the descriptions say telling things, and that
// make what they tell of, or are told it, or tell of nobody's.
var harmless = set("repos/create-in-org", "repos/create-for-authenticated-user", "migrations/start-for-org", "migrations/start-for-authenticated-user",
	"codespaces/create-for-authenticated-user", "teams/check-permissions-for-repo-in-org", "teams/check-permissions-for-repo-legacy",
	"apps/create-installation-access-token", "meta/root")

// TestReachOfDescriptions compares how far operations lead with what GitHub's
// descriptions say of their answers.
func TestReachOfDescriptions(t *testing.T) {
	all := descriptions()
	far, near := 0, 0
	for i := range all {
		op := &all[i]
		route, err := rules.Classify(request(t, op.method+" "+service[op.edition].base+fill(op, 0, 0, "")))
		if err != nil || route.Operation != op.id {
			t.Fatalf("%s is %s, %v", op.id, route.Operation, err)
		}
		tells := slices.ContainsFunc(op.mentions, func(s string) bool { return slices.Contains(telling, s) })
		switch inRepository := slices.ContainsFunc(op.pattern, func(s string) bool { return s == "{repo}" || s == "{template_repo}" }) && (op.pattern[0] == "repos" || op.pattern[1] == "repos" || op.pattern[0] == "networks"); {
		case inRepository:
			if want := map[bool]github.Reach{true: github.ReachAny}[leadOn[op.id]]; route.Reach != want {
				t.Errorf("%s of a repository reaches %d, want %d", op.id, route.Reach, want)
			}
		case strings.HasPrefix(op.id, "search/"): // by its query, TestRESTReach
		case tells && route.Reach == github.ReachNamed && !harmless[op.id]:
			t.Errorf("%s tells of %v, and stays", op.id, op.mentions)
		case op.redirects && op.method == "GET" && route.Reach == github.ReachNamed && op.id != "orgs/check-membership-for-user":
			t.Errorf("%s is answered by a link, and stays", op.id)
		}
		if route.Reach == github.ReachNamed {
			near++
		} else {
			far++
		}
	}
	if far < 350 || near < 2500 {
		t.Errorf("%d lead on, %d do not", far, near)
	}
}

// TestListingsPassNoRule: what a rule denies is not told by a listing.
func TestListingsPassNoRule(t *testing.T) {
	for _, test := range []struct {
		rules []string
		want  decisions
	}{
		{[]string{"deny repo:acme/rockets"}, decisions{
			"GET api.github.com/repos/acme/rockets":                                  "denied 1",
			"GET api.github.com/repos/acme/widgets/issues":                           "installation",
			"GET api.github.com/orgs/acme/issues":                                    "leads away",
			"GET api.github.com/orgs/ACME/repos":                                     "leads away",
			"GET api.github.com/orgs/globex/repos":                                   "installation",
			"GET api.github.com/orgs/globex/dependabot/alerts":                       "installation",
			"GET api.github.com/users/globex/repos":                                  "installation",
			"GET api.github.com/orgs/acme/members":                                   "installation",
			"GET api.github.com/installation/repositories":                           "leads away",
			"GET api.github.com/user/repos":                                          "leads away",
			"GET api.github.com/search/issues?q=repo:acme/widgets+x":                 "installation",
			"GET api.github.com/search/issues?q=repo:acme/widgets+repo:acme/rockets": "denied 1",
			"GET api.github.com/search/issues?q=org:globex":                          "installation",
			"GET api.github.com/search/issues?q=org:acme":                            "leads away",
			"GET api.github.com/search/issues?q=org:globex+org:acme":                 "leads away",
			"GET api.github.com/search/code?q=secret":                                "leads away",
			"GET api.github.com/organizations/5001/repos":                            "unclear",
			"GET ghe.example.com/api/v3/orgs/acme/issues":                            "leads away",
			"POST github.com/acme/widgets.git/git-upload-pack":                       "installation",
			"GET api.github.com/rate_limit":                                          "installation",
			"GET api.github.com/orgs":                                                "leads away",
		}},
		{[]string{"deny repo:*/rockets"}, decisions{
			"GET api.github.com/orgs/globex/repos":               "leads away",
			"GET api.github.com/search/code?q=repo:acme/widgets": "installation",
		}},
		{[]string{"deny repo:acme/rockets owner:globex"}, decisions{"GET api.github.com/orgs/acme/repos": "installation"}},
		{[]string{"deny repo:acme/rockets op:issues/update"}, decisions{"GET api.github.com/orgs/acme/issues": "installation"}},
		{[]string{"deny DELETE repo:acme/rockets"}, decisions{"GET api.github.com/orgs/acme/issues": "installation"}},
		{[]string{"deny owner:acme"}, decisions{
			"GET api.github.com/installation/repositories":  "leads away",
			"GET api.github.com/orgs/globex/issues":         "installation",
			"GET api.github.com/search/issues?q=org:globex": "installation",
			"GET api.github.com/search/issues?q=secret":     "leads away",
			"GET api.github.com/issues":                     "leads away",
			"GET api.github.com/repos/globex/tools/issues":  "installation",
		}},
		{[]string{"installation repo:acme/widgets", "deny"}, decisions{
			"GET api.github.com/repos/acme/widgets/issues/1":          "installation 1",
			"GET api.github.com/repos/acme/widgets/issues/1/timeline": "leads away",
			"GET api.github.com/orgs/acme/issues":                     "denied 2",
		}},
		{[]string{"installation repo:acme/widgets only:widgets", "deny"}, decisions{"GET api.github.com/repos/acme/widgets/issues/1/timeline": "installation 1 only:widgets"}},
		{[]string{"installation repo:acme/widgets contents:read", "deny"}, decisions{"GET api.github.com/repos/acme/widgets/issues/1/timeline": "leads away"}},
		{[]string{"installation repo:acme/widgets", "installation contents:read"}, decisions{"GET api.github.com/repos/acme/widgets/issues/1/timeline": "leads away"}},
		{[]string{"installation repo:acme/widgets app:b"}, decisions{"GET api.github.com/repos/acme/widgets/issues/1/timeline": "installation 1 app:b"}},
	} {
		set := ruleSet(t, test.rules...)
		for in, want := range test.want {
			route, err := set.Route(request(t, in))
			if got := decision(route); err != nil || got != want {
				t.Errorf("%q: Route(%q) is %q, %v, want %q", test.rules, in, got, err, want)
			}
		}
	}
}

// TestDeniedInDisguise: a name is denied however a server might read it.
func TestDeniedInDisguise(t *testing.T) {
	denies, lets := ruleSet(t, "deny repo:acme/rockets"), ruleSet(t, "installation repo:acme/rockets app:b")
	for _, in := range []string{
		"GET api.github.com/repos/acme/rockets.git", "GET api.github.com/repos/acme/rockets.json", "GET api.github.com/repos/acme/Rockets.GIT/issues",
		"GET api.github.com/repos/acme/rockets%2egit/issues", "GET api.github.com/repos/acme/rockets%20/issues", "GET api.github.com/repos/acme/rockets;x/issues",
		"GET api.github.com/repos/acme/%252572ockets/issues", "GET api.github.com/repos/acme/%2572ockets/issues", "GET api.github.com/repos/%2561cme/rockets/issues", "GET api.github.com/repos/acme;x/rockets/issues",
		"GET api.github.com/repos/acme/rockets.wiki", "GET api.github.com/repos/acme/rockets.wiki.git", "GET ghe.example.com/api/v3/repos/acme/rockets.git",
		"GET raw.githubusercontent.com/acme/rockets.git/main/x", "GET codeload.github.com/acme/rockets.git/zip/main", "GET codeload.github.com/acme/%2572ockets/zip/main",
		"POST uploads.github.com/repos/acme/rockets.git/releases/1/assets", "GET api.github.com/search/issues?q=repo:acme/rockets.git",
		"PUT api.github.com/orgs/acme/teams/x/repos/acme/rockets.git",
	} {
		route, err := denies.Route(request(t, in))
		if got := decision(route); err != nil || got != "denied 1" {
			t.Errorf("Route(%q) is %q, %v, want it denied", in, got, err)
		}
		if route, err := lets.Route(request(t, in)); err != nil || route.App != "" {
			t.Errorf("Route(%q) takes the App of another's rule, %v", in, err)
		}
	}
	for _, in := range []string{"GET api.github.com/repos/acme/rockets.js", "GET api.github.com/repos/acme/rockets2", "GET api.github.com/repos/acme/.git"} {
		if route, err := denies.Route(request(t, in)); err != nil || route.Refused != "" {
			t.Errorf("Route(%q) is refused: %q, %v", in, route.Refused, err)
		}
	}
}
