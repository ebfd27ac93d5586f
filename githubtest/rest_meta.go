package githubtest

import "strings"

func metaRoutes() []route {
	return []route{
		get("/", "", (*call).getRoot),
		get("/meta", "", (*call).getMeta),
		get("/rate_limit", "", (*call).rateLimit),
	}
}

// rootLinks is what GET / offers: key → path.
var rootLinks = map[string]string{
	"current_user_url":                     "/user",
	"authorizations_url":                   "/authorizations",
	"code_search_url":                      "/search/code?q={query}{&page,per_page,sort,order}",
	"commit_search_url":                    "/search/commits?q={query}{&page,per_page,sort,order}",
	"emails_url":                           "/user/emails",
	"emojis_url":                           "/emojis",
	"events_url":                           "/events",
	"feeds_url":                            "/feeds",
	"followers_url":                        "/user/followers",
	"following_url":                        "/user/following{/target}",
	"gists_url":                            "/gists{/gist_id}",
	"issue_search_url":                     "/search/issues?q={query}{&page,per_page,sort,order}",
	"issues_url":                           "/issues",
	"keys_url":                             "/user/keys",
	"label_search_url":                     "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
	"notifications_url":                    "/notifications",
	"organization_url":                     "/orgs/{org}",
	"organization_repositories_url":        "/orgs/{org}/repos{?type,page,per_page,sort}",
	"organization_teams_url":               "/orgs/{org}/teams",
	"public_gists_url":                     "/gists/public",
	"rate_limit_url":                       "/rate_limit",
	"repository_url":                       "/repos/{owner}/{repo}",
	"repository_search_url":                "/search/repositories?q={query}{&page,per_page,sort,order}",
	"current_user_repositories_url":        "/user/repos{?type,page,per_page,sort}",
	"starred_url":                          "/user/starred{/owner}{/repo}",
	"starred_gists_url":                    "/gists/starred",
	"topic_search_url":                     "/search/topics?q={query}{&page,per_page}",
	"user_url":                             "/users/{user}",
	"user_organizations_url":               "/user/orgs",
	"user_repositories_url":                "/users/{user}/repos{?type,page,per_page,sort}",
	"user_search_url":                      "/search/users?q={query}{&page,per_page,sort,order}",
	"hub_url":                              "/hub",
	"current_user_authorizations_html_url": "/settings/connections/applications{/client_id}",
}

func (c *call) getRoot() reply {
	j := obj{}
	for key, path := range rootLinks {
		base := c.in.api
		if strings.HasPrefix(path, "/settings/") {
			base = c.in.web
		}
		j[key] = base + path
	}
	return ok(j)
}

func (c *call) getMeta() reply {
	j := obj{
		"verifiable_password_authentication": false,
		"hooks":                              []string{"192.0.2.0/24"}, // RFC 5737
		"web":                                []string{"192.0.2.0/24"},
		"api":                                []string{"192.0.2.0/24"},
		"git":                                []string{"192.0.2.0/24"},
	}
	if c.in.server {
		j["installed_version"] = serverVersion + ".0"
	}
	return ok(j)
}
