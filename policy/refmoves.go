package policy

import (
	"net/url"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/github/graphql"
	"ghapp-proxy/rules"
)

// How the ref that an operation moves is found.
type refMove uint8

const (
	elsewhere  refMove = iota + 1 // in the body, or nowhere in the request
	inPath                        // after git/refs/
	inPathGone                    // so, and the operation deletes it
	byOthers                      // it lets somebody push past the proxy
	released                      // none: it changes what a tag is published as
)

// refMoves are the REST operations that create, move or delete a ref, or say
// which branch is the default, those that give a key or a user the right to push,
// and those that change a release, from which people have what a tag stands for:
// docs.github.com "REST API endpoints" for each. Those that only start something
// which might (workflows, comments to bots) are not among them.
var refMoves = map[string]refMove{
	"git/update-ref": inPath,
	"git/delete-ref": inPathGone,

	"agent-tasks/create-task-in-repo":           elsewhere,
	"code-scanning/commit-autofix":              elsewhere,
	"codespaces/export-for-authenticated-user":  elsewhere, // pushes a branch
	"codespaces/publish-for-authenticated-user": elsewhere,
	"git/create-ref":                            elsewhere,
	"migrations/cancel-import":                  elsewhere,
	"migrations/map-commit-author":              elsewhere, // rewrites history
	"migrations/set-lfs-preference":             elsewhere, // as well
	"migrations/start-import":                   elsewhere,
	"migrations/update-import":                  elsewhere,
	"pull-request-stacks/add":                   elsewhere,
	"pull-request-stacks/create":                elsewhere,
	"pull-request-stacks/unstack":               elsewhere,
	"pulls/merge":                               elsewhere,
	"pulls/merge-async":                         elsewhere,
	"pulls/update-branch":                       elsewhere,
	"repos/create-deployment":                   elsewhere, // auto_merge merges the default branch into the ref
	"repos/create-for-authenticated-user":       elsewhere, // auto_init
	"repos/create-fork":                         elsewhere,
	"repos/create-in-org":                       elsewhere, // auto_init
	"repos/create-or-update-file-contents":      elsewhere,
	"repos/create-release":                      elsewhere, // makes the tag
	"repos/create-using-template":               elsewhere,
	"repos/delete":                              elsewhere,
	"repos/delete-file":                         elsewhere,
	"repos/merge":                               elsewhere,
	"repos/merge-upstream":                      elsewhere,
	"repos/rename-branch":                       elsewhere,
	"repos/transfer":                            elsewhere,
	"repos/update":                              elsewhere, // default_branch, delete_branch_on_merge
	"repos/update-release":                      elsewhere, // publishing a draft makes the tag
	"security-advisories/create-fork":           elsewhere,

	"repos/delete-release":       released,
	"repos/delete-release-asset": released,
	"repos/update-release-asset": released,
	"repos/upload-release-asset": released,

	"enterprise-admin/assign-enterprise-role-to-user":     byOthers,
	"enterprise-admin/assign-team-to-enterprise-role":     byOthers,
	"enterprise-team-memberships/add":                     byOthers,
	"enterprise-team-memberships/bulk-add":                byOthers,
	"orgs/assign-team-to-org-role":                        byOthers,
	"orgs/assign-user-to-org-role":                        byOthers,
	"orgs/create-custom-organization-role":                byOthers,
	"orgs/create-custom-repo-role":                        byOthers,
	"orgs/create-invitation":                              byOthers,
	"orgs/patch-custom-organization-role":                 byOthers,
	"orgs/review-pat-grant-request":                       byOthers,
	"orgs/review-pat-grant-requests-in-bulk":              byOthers,
	"orgs/set-membership-for-user":                        byOthers,
	"orgs/update":                                         byOthers, // default_repository_permission
	"orgs/update-custom-repo-role":                        byOthers,
	"repos/add-collaborator":                              byOthers,
	"repos/create-deploy-key":                             byOthers,
	"repos/update-invitation":                             byOthers,
	"scim/provision-and-invite-user":                      byOthers,
	"teams/add-member-legacy":                             byOthers,
	"teams/add-or-update-membership-for-user-in-org":      byOthers,
	"teams/add-or-update-membership-for-user-legacy":      byOthers,
	"teams/add-or-update-repo-permissions-in-org":         byOthers,
	"teams/add-or-update-repo-permissions-legacy":         byOthers,
	"teams/create":                                        byOthers, // repo_names
	"teams/create-or-update-idp-group-connections-in-org": byOthers,
	"teams/create-or-update-idp-group-connections-legacy": byOthers,
	"teams/link-external-idp-group-to-team-for-org":       byOthers,
	"teams/update-in-org":                                 byOthers, // parent_team_id: the child has its rights
	"teams/update-legacy":                                 byOthers,
}

// decideRefMove refuses what moves refs by other ways than a push, unless the
// request says which ref in its path, and the client may.
func (c *Client) decideRefMove(req *rules.Request, route *rules.Route, document *graphql.Document) *Denial {
	if !c.LimitsRefs() || route.Read {
		return nil
	}
	const remedy = "push with git: what that moves can be told"
	key := c.refKey()
	if field := firstMutation(document, isRefMutation); field != "" {
		return c.deny(key, remedy, "may not run the mutation %q: it may move refs that the request does not name", field)
	}
	move := refMoves[route.Operation]
	switch {
	case isUnknown(route.Operation):
		return c.deny(key, remedy, "may not use an operation that GitHub's descriptions do not have: it might move refs")
	case move == elsewhere:
		return c.deny(key, remedy, "may not use %q: it moves refs that cannot be told from the path", route.Operation)
	case move == released:
		return c.deny(key, "", "may not use %q: it changes what has been released", route.Operation)
	case move == byOthers:
		return c.deny(key, "", "may not use %q: it may let somebody push whom these limits do not bind", route.Operation)
	case move == inPath, move == inPathGone:
		update := RefUpdate{Ref: refInPath(req), New: "1"}
		if update.Ref == "" {
			return c.deny(key, remedy, "may not use %q: the ref in the path is spelled ambiguously", route.Operation)
		}
		if move == inPathGone {
			update.New = ""
		}
		return c.DecideRef(update)
	}
	return nil
}

// refInPath returns the ref that the path of git/update-ref or git/delete-ref
// names, "" if servers could disagree on it.
func refInPath(req *rules.Request) string {
	segments := strings.Split(strings.TrimPrefix(req.Path, "/"), "/")
	if req.Host.Service == github.GHES && len(segments) > 2 {
		segments = segments[2:] // api/v3
	}
	names := 3 // repos/{owner}/{repo}
	if len(segments) > 0 && github.SameSegment(segments[0], "repositories") {
		names = 2
	}
	if len(segments) < names+3 || !github.SameSegment(segments[names], "git") || !github.SameSegment(segments[names+1], "refs") {
		return ""
	}
	ref, err := url.PathUnescape(strings.Join(segments[names+2:], "/"))
	if err != nil || strings.HasPrefix(ref, "refs/") || strings.Contains(ref, "//") || strings.HasSuffix(ref, "/") ||
		strings.ContainsAny(ref, "%\\;") || strings.HasSuffix(ref, ".json") ||
		strings.ContainsFunc(ref, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return ""
	}
	return "refs/" + ref
}
