package policy

// PermissionDefault is what a client that is limited to repositories has of a
// permission, if it is given none by name.
type PermissionDefault struct {
	Name  string // GitHub's
	Level string // "read" or "write", "" for nothing
	Why   string
}

// PermissionDefaults are all repository permissions of GitHub. Those that are
// given are what it takes to work on a branch and a pull request: nothing that
// leads past push, out of the repository, or stays when the client has gone.
// What GitHub adds is given by name only; so is what an organization has (its
// members, teams, projects), because repositories do not confine that, and
// GraphQL leads there from each of them.
//
// Sources: docs.github.com "Permissions required for GitHub Apps", and the schema
// app-permissions of GitHub's OpenAPI description.
var PermissionDefaults = []PermissionDefault{
	{"metadata", "read", "comes with any other"},
	{"contents", "write", "git, files and releases; push says what may be moved"},
	{"issues", "write", "comments, labels, assignments"},
	{"pull_requests", "write", "as issues; merging takes contents too, and moves a ref"},
	{"actions", "read", "runs and their logs; write starts any workflow, with the repository's secrets"},
	{"checks", "read", "how a commit fares; write passes what a protected branch requires"},
	{"deployments", "read", "write starts workflows, and merges into the ref"},
	{"statuses", "read", "as checks"},

	{"actions_variables", "", "decide what workflows do, on every branch"},
	{"administration", "", "settings, collaborators, branch protection, the repository's end"},
	{"artifact_metadata", "", "is the organization's"},
	{"attestations", "", "vouch for artifacts that others trust"},
	{"code_quality", "", "decides what the repository is checked for"},
	{"codespaces", "", "machines with secrets and a token of their own"},
	{"codespaces_lifecycle_admin", "", "as codespaces"},
	{"codespaces_metadata", "", "as codespaces"},
	{"codespaces_secrets", "", "secrets"},
	{"dependabot_secrets", "", "secrets"},
	{"discussions", "", "an organization's are kept in one of its repositories"},
	{"environments", "", "decide which branches get the secrets of a deployment"},
	{"merge_queues", "", "move the branch that they are for"},
	{"packages", "", "are the organization's, and may belong to other repositories"},
	{"pages", "", "publish what is private"},
	{"repository_advisories", "", "show weaknesses before they are published, and make forks"},
	{"repository_custom_properties", "", "decide which rulesets of the organization apply"},
	{"repository_hooks", "", "send what happens to any host, and outlive the client"},
	{"repository_projects", "", "lead to the organization's projects"},
	{"secret_scanning_alerts", "", "show the secrets that were found"},
	{"secrets", "", "secrets"},
	{"security_events", "", "show weaknesses that are not mended, and dismiss them"},
	{"single_file", "", "changes a file that push does not look at"},
	{"vulnerability_alerts", "", "as security_events"},
	{"workflows", "", "with contents, run anything with the repository's secrets"},
}

var defaultPermissions = func() map[string]string {
	given := map[string]string{}
	for _, p := range PermissionDefaults {
		if p.Level != "" {
			given[p.Name] = p.Level
		}
	}
	return given
}()
