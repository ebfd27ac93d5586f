package auth

import "encoding/json"

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

// Grant returns what the token is good for, nil for what is no installation's.
// The caller must not change it.
func (c Credential) Grant() *Grant { return c.forms().grant }

// grantAnswer is the part of GitHub's answer that tells the grant: docs.github.com
// "Create an installation access token for an app". It is raw because a token
// is of use also where this is not understood.
type grantAnswer struct {
	Permissions  json.RawMessage `json:"permissions"`
	Selection    json.RawMessage `json:"repository_selection"`
	Repositories json.RawMessage `json:"repositories"`
}

// grant reads the answer, and keeps of it what is small.
func (a *grantAnswer) grant() *Grant {
	g := &Grant{Repositories: readGranted(a.Repositories)}
	if json.Unmarshal(a.Selection, &g.Selection) != nil || len(g.Selection) > maxWord {
		g.Selection = ""
	}
	var permissions map[string]any
	_ = json.Unmarshal(a.Permissions, &permissions) // none are understood then
	if len(permissions) > maxPermissions {
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

// readGranted reads a list of repositories: all of it, or none.
func readGranted(text json.RawMessage) []GrantedRepository {
	var answer []struct {
		ID      int64  `json:"id"`
		NodeID  string `json:"node_id"`
		Name    string `json:"name"`
		Private bool   `json:"private"`
		Owner   struct {
			Login string `json:"login"`
		} `json:"owner"`
	}
	if text == nil || json.Unmarshal(text, &answer) != nil || len(answer) > maxRepositories {
		return nil
	}
	var list []GrantedRepository
	for _, r := range answer {
		if !plausibleName(r.Name) || !plausibleName(r.Owner.Login) || len(r.NodeID) > maxWord {
			return nil
		}
		list = append(list, GrantedRepository{ID: r.ID, NodeID: r.NodeID, Owner: r.Owner.Login, Name: r.Name, Private: r.Private})
	}
	return list
}
