package githubtest

import (
	"maps"
	"slices"
	"strings"
)

func searchRoutes() []route {
	return []route{
		get("/search/issues", "", (*call).searchIssues),
		get("/search/repositories", "", (*call).searchRepos),
	}
}

// search is a query taken apart: qualifiers name:value, and words.
type search struct {
	repos  []string // full names
	owners []string
	state  string
	kind   string // issue, pr or nothing
	words  []string
}

// parseSearch understands the qualifiers repo, org, user, is, state and type:
// https://docs.github.com/en/search-github/searching-on-github/searching-issues-and-pull-requests
func parseSearch(q string) search {
	var s search
	for _, word := range strings.Fields(q) {
		name, value, qualifier := strings.Cut(word, ":")
		value = strings.Trim(value, `"`)
		switch {
		case !qualifier:
			s.words = append(s.words, strings.ToLower(word))
		case name == "repo":
			s.repos = append(s.repos, value)
		case name == "org" || name == "user" || name == "owner":
			s.owners = append(s.owners, value)
		case value == "open" || value == "closed":
			s.state = value
		case value == "issue" || value == "pr":
			s.kind = value
		}
	}
	return s
}

func (s search) coversRepo(r *repository) bool {
	if len(s.repos)+len(s.owners) == 0 {
		return true
	}
	fold := func(want string) func(string) bool {
		return func(have string) bool { return strings.EqualFold(have, want) }
	}
	return slices.ContainsFunc(s.repos, fold(r.fullName())) || slices.ContainsFunc(s.owners, fold(r.owner.Login))
}

func (s search) coversText(text string) bool {
	for _, w := range s.words {
		if !strings.Contains(strings.ToLower(text), w) {
			return false
		}
	}
	return true
}

func (s search) coversIssue(is *issue) bool {
	kind := "issue"
	if is.pull != nil {
		kind = "pr"
	}
	return (s.kind == "" || s.kind == kind) && (s.state == "" || s.state == is.state) &&
		s.coversText(is.title+" "+is.body)
}

// visibleRepos lists the repositories that the credential can see, by id.
func (c *call) visibleRepos() []*repository {
	var out []*repository
	for _, id := range slices.Sorted(maps.Keys(c.s.world.repos)) {
		if r := c.s.world.repos[id]; c.access.canSee(r) {
			out = append(out, r)
		}
	}
	return out
}

// namesNothingVisible reports whether the query names repositories, or owners, of
// which none can be seen: GitHub answers 422.
func (c *call) namesNothingVisible(s search) bool {
	if len(s.repos)+len(s.owners) == 0 {
		return false
	}
	return !slices.ContainsFunc(c.visibleRepos(), s.coversRepo)
}

func searchRefused() reply {
	return reply{status: 422, value: obj{
		"message": "Validation Failed", "documentation_url": "https://docs.github.com/v3/search/", "status": "422",
		"errors": []any{obj{
			"message":  "The listed users and repositories cannot be searched either because the resources do not exist or you do not have permission to view them.",
			"resource": "Search", "field": "q", "code": "invalid",
		}},
	}}
}

func (c *call) searchIssues() reply {
	s := parseSearch(c.r.URL.Query().Get("q"))
	if c.namesNothingVisible(s) {
		return searchRefused()
	}
	var all []any
	for _, is := range c.findIssues(s) {
		j := c.issueJSON(is)
		j["score"] = 1
		all = append(all, j)
	}
	return c.page(all, "/search/issues", func(items []any) any {
		j := found(len(all))(items).(obj)
		j["search_type"] = "lexical"
		return j
	})
}

// findIssues lists the issues that the query finds, newest first within a repository.
func (c *call) findIssues(s search) []*issue {
	var all []*issue
	for _, r := range c.visibleRepos() {
		if !s.coversRepo(r) {
			continue
		}
		for _, is := range slices.Backward(r.issues) {
			if s.coversIssue(is) {
				all = append(all, is)
			}
		}
	}
	return all
}

func (c *call) searchRepos() reply {
	s := parseSearch(c.r.URL.Query().Get("q"))
	if c.namesNothingVisible(s) {
		return searchRefused()
	}
	var all []any
	for _, r := range c.visibleRepos() {
		if s.coversRepo(r) && s.coversText(r.name+" "+r.description) {
			j := c.repoJSON(r)
			j["score"] = 1
			all = append(all, j)
		}
	}
	return c.page(all, "/search/repositories", found(len(all)))
}

func found(total int) func([]any) any {
	return func(items []any) any {
		return obj{"total_count": total, "incomplete_results": false, "items": items}
	}
}
