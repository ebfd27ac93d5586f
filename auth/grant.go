package auth

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// maxWord bounds what is kept of a permission's name, its level, a selection, in bytes.
const maxWord = 100

// Grant is what an installation token is good for, as GitHub said when it was
// minted. What GitHub did not say, or not so that it is understood, is zero.
type Grant struct {
	Permissions map[string]string // GitHub's name → level
	// Selection is "all" or "selected".
	Selection string
	// Repositories are those that the token was narrowed to, nil if it was not.
	Repositories []GrantedRepository
}

// GrantedRepository is a repository of a Grant.
type GrantedRepository struct {
	ID      int64
	NodeID  string
	Owner   string
	Name    string
	Private bool
}

// grantAnswer is the part of GitHub's answer that tells the grant: docs.github.com
// "Create an installation access token for an app". It is raw because a token
// is of use also where this is not understood.
type grantAnswer struct {
	permissions  json.RawMessage
	selection    json.RawMessage
	repositories []GrantedRepository
}

// read reads a field of the answer, which may be one of another part.
func (a *grantAnswer) read(in *items, name string) error {
	switch name {
	case "permissions":
		return in.next(&a.permissions)
	case "repository_selection":
		return in.next(&a.selection)
	case "repositories":
		return a.readRepositories(in)
	default:
		return in.skip()
	}
}

// grant keeps of the answer what is small.
func (a *grantAnswer) grant() *Grant {
	g := &Grant{Repositories: a.repositories}
	if json.Unmarshal(a.selection, &g.Selection) != nil || len(g.Selection) > maxWord {
		g.Selection = ""
	}
	var permissions map[string]any
	_ = json.Unmarshal(a.permissions, &permissions) // none are understood then
	if len(permissions) > github.MaxPermissions {
		return g
	}
	for name, level := range permissions {
		if word, ok := level.(string); ok && len(name) <= maxWord && len(word) <= maxWord {
			if g.Permissions == nil {
				g.Permissions = make(map[string]string, len(permissions))
			}
			g.Permissions[name] = word
		}
	}
	return g
}

// equal reports whether two grants for all repositories are the same.
func (g *Grant) equal(other *Grant) bool {
	return g.Selection == other.Selection && (g.Permissions == nil) == (other.Permissions == nil) && maps.Equal(g.Permissions, other.Permissions)
}

// readRepositories reads a list of repositories: all of it, or none.
func (a *grantAnswer) readRepositories(in *items) error {
	if isList, err := in.isList(); !isList || err != nil {
		return err
	}
	for in.More() {
		var item json.RawMessage
		if err := in.next(&item); err != nil {
			return err
		}
		r, understood := readGranted(item)
		if !understood || len(a.repositories) == github.MaxNarrowed {
			a.repositories = nil
			return in.rest()
		}
		a.repositories = append(a.repositories, r)
	}
	return in.end()
}

// readGranted reads one of these repositories, and reports whether it is understood.
func readGranted(text json.RawMessage) (GrantedRepository, bool) {
	var r struct {
		ID      int64  `json:"id"`
		NodeID  string `json:"node_id"`
		Name    string `json:"name"`
		Private bool   `json:"private"`
		Owner   struct {
			Login string `json:"login"`
		} `json:"owner"`
	}
	if json.Unmarshal(text, &r) != nil || !github.IsRepositoryName(r.Name) || !github.IsLogin(r.Owner.Login) || len(r.NodeID) > maxWord {
		return GrantedRepository{}, false
	}
	return GrantedRepository{ID: r.ID, NodeID: r.NodeID, Owner: r.Owner.Login, Name: r.Name, Private: r.Private}, true
}

// explains reports whether the grant is the reason for GitHub's refusal: it has
// none of the alternatives that GitHub accepts. accepted is the answer's
// X-Accepted-GitHub-Permissions: docs.github.com "Troubleshooting the REST API",
// "Resource not accessible".
func (g *Grant) explains(accepted string) bool {
	return g != nil && g.Permissions != nil && accepted != "" && !allows(g.Permissions, accepted)
}

// allows reports whether permissions have one of the alternatives, which are
// divided by semicolons; commas divide what belongs together. What is not
// understood is allowed.
func allows(permissions map[string]string, accepted string) bool {
	for alternative := range strings.SplitSeq(accepted, ";") {
		all := true
		for need := range strings.SplitSeq(alternative, ",") {
			name, level, _ := strings.Cut(strings.TrimSpace(need), "=")
			needed := github.LevelRank(level)
			metadata := name == "metadata" && level == "read" // every token has it
			all = all && (metadata || needed < 0 || github.LevelRank(permissions[name]) >= needed)
		}
		if all {
			return true
		}
	}
	return false
}

// covers reports whether the token may be good for a repository: false if it was
// narrowed to others.
func (g *Grant) covers(repository github.Account) bool {
	if g == nil || g.Repositories == nil {
		return true
	}
	for _, r := range g.Repositories {
		if r.ID == repository.RepositoryID || strings.EqualFold(r.Name, repository.Repo) && strings.EqualFold(r.Owner, repository.Login) {
			return true
		}
	}
	return false
}

// exceeds reports whether the grant is for a repository that was not asked for, as
// far as GitHub says. A name could lead to what has another name now.
func (g *Grant) exceeds(asked *github.Narrowing) bool {
	return slices.ContainsFunc(g.Repositories, func(r GrantedRepository) bool { return !asked.Covers(r.Name, r.ID) })
}
