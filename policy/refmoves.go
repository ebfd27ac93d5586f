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
	notInPath      refMove = iota + 1 // in the body, or nowhere in the request
	inPath                            // after git/refs/
	deletesInPath                     // so, and the operation deletes it
	grantsPush                        // it lets somebody push past the proxy
	changesRelease                    // none: it changes what a tag is published as
)

// refMoves are REST operations of three kinds. Some create, move or delete a ref, or
// choose the default branch; some give a key or a user the right to push; some
// change a release, by which people get a tag's content. An operation that only
// starts something (a workflow, a comment to a bot) is none of them.
//
// Source: docs.github.com "REST API endpoints" for each.
var refMoves = map[string]refMove{
	"git/update-ref": inPath,
	"git/delete-ref": deletesInPath,

	"agent-tasks/create-task-in-repo":           notInPath,
	"code-scanning/commit-autofix":              notInPath,
	"codespaces/export-for-authenticated-user":  notInPath, // pushes a branch
	"codespaces/publish-for-authenticated-user": notInPath,
	"git/create-ref":                            notInPath,
	"migrations/cancel-import":                  notInPath,
	"migrations/map-commit-author":              notInPath, // rewrites history
	"migrations/set-lfs-preference":             notInPath, // as well
	"migrations/start-import":                   notInPath,
	"migrations/update-import":                  notInPath,
	"pull-request-stacks/add":                   notInPath,
	"pull-request-stacks/create":                notInPath,
	"pull-request-stacks/unstack":               notInPath,
	"pulls/merge":                               notInPath,
	"pulls/merge-async":                         notInPath,
	"pulls/update-branch":                       notInPath,
	"repos/create-deployment":                   notInPath, // auto_merge merges the default branch into the ref
	"repos/create-for-authenticated-user":       notInPath, // auto_init
	"repos/create-fork":                         notInPath,
	"repos/create-in-org":                       notInPath, // auto_init
	"repos/create-or-update-file-contents":      notInPath,
	"repos/create-release":                      notInPath, // makes the tag
	"repos/create-using-template":               notInPath,
	"repos/delete":                              notInPath,
	"repos/delete-file":                         notInPath,
	"repos/merge":                               notInPath,
	"repos/merge-upstream":                      notInPath,
	"repos/rename-branch":                       notInPath,
	"repos/transfer":                            notInPath,
	"repos/update":                              notInPath, // default_branch, delete_branch_on_merge
	"repos/update-release":                      notInPath, // publishing a draft makes the tag
	"security-advisories/create-fork":           notInPath,

	"repos/delete-release":       changesRelease,
	"repos/delete-release-asset": changesRelease,
	"repos/update-release-asset": changesRelease,
	"repos/upload-release-asset": changesRelease,

	"enterprise-admin/assign-enterprise-role-to-user":     grantsPush,
	"enterprise-admin/assign-team-to-enterprise-role":     grantsPush,
	"enterprise-team-memberships/add":                     grantsPush,
	"enterprise-team-memberships/bulk-add":                grantsPush,
	"orgs/assign-team-to-org-role":                        grantsPush,
	"orgs/assign-user-to-org-role":                        grantsPush,
	"orgs/create-custom-organization-role":                grantsPush,
	"orgs/create-custom-repo-role":                        grantsPush,
	"orgs/create-invitation":                              grantsPush,
	"orgs/patch-custom-organization-role":                 grantsPush,
	"orgs/review-pat-grant-request":                       grantsPush,
	"orgs/review-pat-grant-requests-in-bulk":              grantsPush,
	"orgs/set-membership-for-user":                        grantsPush,
	"orgs/update":                                         grantsPush, // default_repository_permission
	"orgs/update-custom-repo-role":                        grantsPush,
	"repos/add-collaborator":                              grantsPush,
	"repos/create-deploy-key":                             grantsPush,
	"repos/update-invitation":                             grantsPush,
	"scim/provision-and-invite-user":                      grantsPush,
	"teams/add-member-legacy":                             grantsPush,
	"teams/add-or-update-membership-for-user-in-org":      grantsPush,
	"teams/add-or-update-membership-for-user-legacy":      grantsPush,
	"teams/add-or-update-repo-permissions-in-org":         grantsPush,
	"teams/add-or-update-repo-permissions-legacy":         grantsPush,
	"teams/create":                                        grantsPush, // repo_names
	"teams/create-or-update-idp-group-connections-in-org": grantsPush,
	"teams/create-or-update-idp-group-connections-legacy": grantsPush,
	"teams/link-external-idp-group-to-team-for-org":       grantsPush,
	"teams/update-in-org":                                 grantsPush, // parent_team_id: the child has its rights
	"teams/update-legacy":                                 grantsPush,
}

// decideRefMove refuses a request that moves refs otherwise than by a push, unless
// its path names the ref and the client may move it.
func (c *Client) decideRefMove(req *rules.Request, route *rules.Route, document *graphql.Document) *Denial {
	if !c.limitsRefs() || route.Read {
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
	case move == notInPath:
		return c.deny(key, remedy, "may not use %q: it moves refs that cannot be told from the path", route.Operation)
	case move == changesRelease:
		return c.deny(key, "", "may not use %q: it changes what has been released", route.Operation)
	case move == grantsPush:
		return c.deny(key, "", "may not use %q: it may let somebody push whom these limits do not bind", route.Operation)
	case move == inPath, move == deletesInPath:
		update := RefUpdate{Ref: refInPath(req), New: "1"}
		if update.Ref == "" {
			return c.deny(key, remedy, "may not use %q: the ref in the path is spelled ambiguously", route.Operation)
		}
		if move == deletesInPath {
			update.New = ""
		}
		return c.decideRef(update)
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
