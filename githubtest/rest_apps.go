package githubtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// docsMint is the documentation_url of answers to a mint.
const docsMint = "https://docs.github.com/rest/reference/apps#create-an-installation-access-token-for-an-app"

func appRoutes() []route {
	return []route{
		get("/app", "", (*call).getApp).as(asApp),
		get("/app/installations", "", (*call).listInstallations).as(asApp),
		get("/app/installations/{installation_id}", "", (*call).getInstallation).as(asApp),
		post("/app/installations/{installation_id}/access_tokens", "", (*call).mint).as(asApp),
		get("/repos/{owner}/{repo}/installation", "", (*call).repoInstallation).as(asApp),
		get("/orgs/{org}/installation", "", (*call).orgInstallation).as(asApp),
		get("/users/{username}/installation", "", (*call).userInstallation).as(asApp),
		get("/enterprises/{enterprise}/installation", "", (*call).enterpriseInstallation).as(asApp),
		get("/apps/{app_slug}", "", (*call).getAppBySlug),
		post("/applications/{client_id}/token", "", (*call).checkToken).as(asClient),
		del("/installation/token", "", (*call).revokeToken).as(asInstallation),
		get("/installation/repositories", "metadata=read", (*call).listInstallationRepos).as(asInstallation),
	}
}

func (c *call) getApp() reply { return ok(c.appJSON(c.cred.app)) }

func (c *call) getAppBySlug() reply {
	for _, a := range c.s.world.apps {
		if strings.EqualFold(a.Slug, c.param("app_slug")) {
			return ok(c.appJSON(a))
		}
	}
	return notFound()
}

func (c *call) appJSON(a *App) obj {
	count := len(c.s.world.installationsOf(a.ID))
	return obj{
		"id":                  a.ID,
		"client_id":           a.ClientID,
		"slug":                a.Slug,
		"node_id":             nodeID("A", a.ID),
		"owner":               c.accountJSON(c.s.world.account(a.Owner)),
		"name":                a.Name,
		"description":         "",
		"external_url":        c.in.web,
		"html_url":            c.in.web + "/apps/" + a.Slug,
		"created_at":          c.s.world.epoch,
		"updated_at":          c.s.world.epoch,
		"permissions":         a.Permissions,
		"events":              []string{"push", "pull_request"},
		"installations_count": count,
	}
}

func (c *call) listInstallations() reply {
	var all []any
	for _, in := range c.s.world.installationsOf(c.cred.app.ID) {
		all = append(all, c.installationJSON(in))
	}
	return c.page(all, "/app/installations", nil)
}

func (c *call) getInstallation() reply {
	in := c.s.world.installations[c.number("installation_id")]
	if in == nil || in.App != c.cred.app.ID {
		return notFound()
	}
	return ok(c.installationJSON(in))
}

// installationOn answers with the App's installation on the account.
func (c *call) installationOn(a *Account) reply {
	in := c.s.world.installationOn(c.cred.app.ID, a)
	if in == nil {
		return notFound()
	}
	return ok(c.installationJSON(in))
}

func (c *call) repoInstallation() reply {
	w := &c.s.world
	r := w.repo(c.param("owner"), c.param("repo"))
	if r == nil {
		moved := w.renamed(c.param("owner"), c.param("repo"))
		if moved == nil || w.installationOn(c.cred.app.ID, moved.owner) == nil {
			return notFound()
		}
		return c.movedTo(moved)
	}
	in := w.installationOn(c.cred.app.ID, r.owner)
	if in == nil || !in.covers(r) {
		return notFound()
	}
	return ok(c.installationJSON(in))
}

func (c *call) orgInstallation() reply {
	return c.installationOnType(c.param("org"), TypeOrganization)
}

func (c *call) enterpriseInstallation() reply {
	return c.installationOnType(c.param("enterprise"), TypeEnterprise)
}

// userInstallation takes the logins of organizations, too, as GitHub does.
func (c *call) userInstallation() reply {
	return c.installationOnType(c.param("username"), TypeUser, TypeOrganization)
}

func (c *call) installationOnType(login string, types ...AccountType) reply {
	a := c.s.world.account(login)
	if a == nil || !slices.Contains(types, a.Type) {
		return notFound()
	}
	return c.installationOn(a)
}

func (c *call) installationJSON(in *Installation) obj {
	app := c.s.world.app(in.App)
	page := fmt.Sprintf("%s/settings/installations/%d", c.in.web, in.ID)
	if in.account.Type == TypeOrganization {
		page = fmt.Sprintf("%s/organizations/%s/settings/installations/%d", c.in.web, in.account.Login, in.ID)
	}
	j := obj{
		"id":                        in.ID,
		"client_id":                 app.ClientID,
		"account":                   c.accountJSON(in.account),
		"repository_selection":      in.selection(),
		"access_tokens_url":         fmt.Sprintf("%s/app/installations/%d/access_tokens", c.in.api, in.ID),
		"repositories_url":          c.in.api + "/installation/repositories",
		"html_url":                  page,
		"app_id":                    in.App,
		"app_slug":                  app.Slug,
		"target_id":                 in.account.ID,
		"target_type":               string(in.account.Type),
		"permissions":               maps.Clone(in.Permissions),
		"events":                    []string{"push", "pull_request"},
		"created_at":                in.created,
		"updated_at":                in.created,
		"single_file_name":          nil,
		"has_multiple_single_files": false,
		"single_file_paths":         []string{},
		"suspended_by":              nil,
		"suspended_at":              nil,
	}
	if !in.SuspendedAt.IsZero() {
		j["suspended_at"] = in.SuspendedAt.UTC().Truncate(time.Second)
		j["suspended_by"] = c.accountJSON(in.account)
	}
	return j
}

// narrowing is the body of a mint.
type narrowing struct {
	Repositories  []string          `json:"repositories"`
	RepositoryIDs []int64           `json:"repository_ids"`
	Permissions   map[string]string `json:"permissions"`
}

// maxNarrowed is how many repositories a token can be narrowed to: "up to 500",
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
const maxNarrowed = 500

func (c *call) mint() reply {
	in := c.s.world.installations[c.number("installation_id")]
	if in == nil || in.App != c.cred.app.ID {
		return notFound()
	}
	if !in.SuspendedAt.IsZero() {
		return problemDocs(http.StatusForbidden, "This installation has been suspended", docsMint)
	}
	var n narrowing
	// The text null narrows nothing: ghinstallation sends it.
	if len(c.body) > 0 && json.Unmarshal(c.body, &n) != nil {
		return problemDocs(http.StatusBadRequest, "Problems parsing JSON", docsMint)
	}
	repos, message := c.s.narrow(in, n)
	if message != "" {
		return problemDocs(http.StatusUnprocessableEntity, message, docsMint)
	}
	t := c.s.newToken(in, c.format())
	t.permissions = maps.Clone(n.Permissions)
	for _, r := range repos {
		t.repos = append(t.repos, r.id)
	}
	c.s.tokens.mints++
	return created(c.tokenJSON(in, t, repos))
}

// format is the token's format: the header lets callers try the new one, which
// Enterprise Server does not have, says GitHub's changelog of 2026-05-15.
func (c *call) format() TokenFormat {
	if c.in.server {
		return TokenClassic
	}
	switch c.r.Header.Get("X-GitHub-Stateless-S2S-Token") {
	case "enabled":
		return TokenStateless
	case "disabled":
		return TokenClassic
	}
	return c.s.nextFormat()
}

// narrow checks what a mint asks for, and returns the repositories it names. The
// message about permissions is as in
// https://github.com/peter-murray/workflow-application-token-action/issues/48.
func (s *Server) narrow(in *Installation, n narrowing) (repos []*repository, message string) {
	const noRepo = "There is at least one repository that does not exist or is not accessible to the parent installation."
	if len(n.Repositories)+len(n.RepositoryIDs) > maxNarrowed {
		return nil, fmt.Sprintf("Too many repositories: at most %d may be listed.", maxNarrowed)
	}
	for _, name := range n.Repositories {
		r := s.world.repo(in.account.Login, name)
		if r == nil || !in.covers(r) {
			return nil, noRepo
		}
		repos = append(repos, r)
	}
	for _, id := range n.RepositoryIDs {
		r := s.world.repos[id]
		if r == nil || !in.covers(r) {
			return nil, noRepo
		}
		if !slices.Contains(repos, r) {
			repos = append(repos, r)
		}
	}
	for name, level := range n.Permissions {
		if granted := in.Permissions[name]; levels[level] == 0 || levels[granted] < levels[level] {
			return nil, "The permissions requested are not granted to this installation."
		}
	}
	return repos, ""
}

func (c *call) tokenJSON(in *Installation, t *token, repos []*repository) obj {
	permissions := maps.Clone(c.s.effective(t))
	permissions["metadata"] = "read" // comes with every token
	j := obj{
		"token":                t.value,
		"expires_at":           t.expires.UTC(),
		"permissions":          permissions,
		"repository_selection": in.selection(),
	}
	if len(repos) > 0 {
		j["repository_selection"] = "selected"
		var list []any
		for _, r := range repos {
			list = append(list, c.repoJSON(r))
		}
		j["repositories"] = list
	}
	return j
}

func (c *call) revokeToken() reply {
	c.access.token.revoked = true
	return noContent()
}

func (c *call) listInstallationRepos() reply {
	t := c.access.token
	var all []any
	for _, r := range c.s.world.reposOf(c.s.world.installations[t.installation].account) {
		if c.s.inScope(t, r) {
			all = append(all, c.repoJSON(r))
		}
	}
	selection := c.s.world.installations[t.installation].selection()
	if t.repos != nil {
		selection = "selected"
	}
	return c.page(all, "/installation/repositories", func(items []any) any {
		return obj{"total_count": len(all), "repository_selection": selection, "repositories": items}
	})
}

// checkToken is for users' OAuth tokens. The fake has none, so that every token
// is invalid, which GitHub says with 404.
func (c *call) checkToken() reply {
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if !c.decode(&body) || body.AccessToken == "" {
		return invalid("AccessToken", "access_token", "missing_field")
	}
	return notFound()
}
