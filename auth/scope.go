package auth

import (
	"fmt"

	"ghapp-proxy/github"
)

// Scope confines the installation tokens that somebody may use, whichever
// installation they are of. What is nil or zero confines nothing. It must not
// be changed once it is in use; its functions are called from many goroutines.
//
// A token within a Scope is minted for the repositories and permissions that
// the Scope and the installation have in common, so that GitHub itself enforces
// them. Where they have nothing in common the error is a *ScopeError; a token
// for more is never taken instead.
type Scope struct {
	// Key tells Scopes apart: those with the same Key confine the same.
	Key string
	// App reports whether an App of that name may be used.
	App func(name string) bool
	// Account reports whether an installation on that account may be used;
	// Repo of the Owner is empty.
	Account func(github.Account) bool
	// Repository reports whether a repository may be used.
	Repository func(login, repo string) bool
	// Names are all that Repository reports true of, if each of them is known by
	// name: GitHub need not be asked what the installation has. Else it is nil.
	Names []github.Account
	// Permissions are GitHub's names → the highest level; what is absent is
	// not given.
	Permissions map[string]string
	// ReadOnly lowers every permission to "read", and leaves out what has no
	// such level.
	ReadOnly bool
}

// ScopeError says that no token is both the installation's and within a Scope.
type ScopeError struct {
	Installation github.InstallationID
	Account      string // whom the installation is on, "" if that is outside the Scope
	Reason       string // "none of its repositories is allowed"
	Hint         string // what can be done, "" if nothing is known
}

// Error implements error.
func (e *ScopeError) Error() string {
	whose := fmt.Sprintf("installation %d", e.Installation)
	if e.Account != "" {
		whose += " on " + github.Redact(e.Account)
	}
	return whose + " cannot be used within this client's limits: " + e.Reason
}

// key is what the narrowing that the scope comes to is filed under.
func (scope *Scope) key(inst *installation, narrow *github.Narrowing) string {
	key := scope.Key + "|" + inst.key
	if narrow != nil {
		key += "|" + narrow.Key()
	}
	return key
}

// onlyWritten are permissions without a level "read": docs.github.com,
// "Create an installation access token for an app", and the schema
// app-permissions of GitHub's OpenAPI description.
var onlyWritten = map[string]bool{"workflows": true, "profile": true}

// permissions are what the scope, the installation and a rule's narrowing have
// in common; nil if neither scope nor rule limit them.
func (scope *Scope) permissions(f *facts, narrow *github.Narrowing) (map[string]string, error) {
	limits := []map[string]string{scope.Permissions, narrow.Permissions()}
	if limits[0] == nil && limits[1] == nil && !scope.ReadOnly {
		return nil, nil
	}
	common := knownPermissions(f.permissions)
	for _, limit := range limits {
		if limit != nil {
			common = github.CommonPermissions(common, knownPermissions(limit))
		}
	}
	if scope.ReadOnly {
		for name := range common {
			if common[name] = "read"; onlyWritten[name] {
				delete(common, name)
			}
		}
	}
	if len(common) == 0 {
		return nil, &ScopeError{
			Installation: f.of.id, Account: f.account.String(), Reason: "it has none of the permissions that are allowed",
			Hint: "allow the client one of the installation's permissions, or grant the App more",
		}
	}
	return common, nil
}
