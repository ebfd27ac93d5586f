package policy_test

import (
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/policy"
)

const oldID, newID, noID = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222", "0000000000000000000000000000000000000000"

func TestDecideRef(t *testing.T) {
	client := &policy.Client{
		Name: "agent", Push: refs(t, "refs/heads/agent/**", "refs/heads/fix-*", "refs/notes/**", "refs/tags/agent-*"),
		DenyPush: refs(t, "refs/heads/agent/main", "refs/tags/agent-v*"), DeleteRefs: refs(t, "refs/heads/agent/tmp/*"),
	}
	for _, test := range []struct {
		ref      string
		old, new string
		key      string // that denies
	}{
		{"refs/heads/agent/x", noID, newID, ""},
		{"refs/heads/agent/x/y", oldID, newID, ""},
		{"refs/heads/fix-1", noID, newID, ""},
		{"refs/heads/fix-1/x", noID, newID, "push"},
		{"refs/heads/agent", noID, newID, "push"},
		{"refs/heads/Agent/x", noID, newID, "push"},
		{"refs/heads/main", oldID, newID, "push"},
		{"refs/heads/agent/main", oldID, newID, "deny_push[1]"},
		{"refs/heads/agent/main", oldID, noID, "deny_push[1]"},
		{"refs/tags/agent-1", noID, newID, ""},
		{"refs/tags/agent-v1", noID, newID, "deny_push[2]"},
		{"refs/tags/v1", noID, newID, "push"},
		{"refs/heads/agent/tmp/x", oldID, noID, ""},
		{"refs/heads/agent/x", oldID, noID, "delete_refs"},
		{"refs/heads/main", oldID, strings.Repeat("0", 64), "delete_refs"},
		{"HEAD", oldID, newID, "push"},
		{"refs/heads/agent//x", noID, newID, "push"},
		{"refs/heads/agent/", noID, newID, "push"},
	} {
		denial := client.DecideRef(policy.RefUpdate{Ref: test.ref, Old: test.old, New: test.new})
		got := ""
		if denial != nil {
			got = strings.TrimPrefix(denial.Key, "client.agent.")
		}
		if got != test.key {
			t.Errorf("DecideRef(%q, %.4s → %.4s) = %v, want a denial by %q", test.ref, test.old, test.new, denial, test.key)
		}
	}
}

func TestDecideRefPartly(t *testing.T) {
	update := func(ref string) policy.RefUpdate { return policy.RefUpdate{Ref: ref, Old: oldID, New: newID} }
	remove := func(ref string) policy.RefUpdate { return policy.RefUpdate{Ref: ref, Old: oldID, New: noID} }
	denyMain := &policy.Client{Name: "a", DenyPush: refs(t, "refs/heads/main", "refs/**")}
	deletes := &policy.Client{Name: "a", DeleteRefs: refs(t, "refs/heads/tmp-*")}
	broad := &policy.Client{Name: "a", Push: refs(t, "refs/**")}
	for _, test := range []struct {
		what   string
		denial *policy.Denial
		want   bool
	}{
		{"main", denyMain.DecideRef(update("refs/heads/main")), false},
		{"a tag, denied by refs/**", denyMain.DecideRef(update("refs/tags/v1")), false},
		{"anything but deletes", deletes.DecideRef(update("refs/tags/v1")), true},
		{"a delete", deletes.DecideRef(remove("refs/heads/tmp-1")), true},
		{"another delete", deletes.DecideRef(remove("refs/heads/x")), false},
		{"refs/** and a branch", broad.DecideRef(update("refs/heads/x")), true},
		{"refs/** and a tag", broad.DecideRef(update("refs/tags/x")), false},
		{"refs/** and a delete", broad.DecideRef(remove("refs/heads/x")), false},
	} {
		if (test.denial == nil) != test.want {
			t.Errorf("DecideRef of %s = %v, want nil: %v", test.what, test.denial, test.want)
		}
	}
}

func TestRefPattern(t *testing.T) {
	for _, s := range []string{"", "main", "heads/main", "refs/", "refs/heads/", "refs//x", "refs/heads/**/x", "refs/heads/a**", "refs/heads/a b", "refs/heads/x?", "refs/heads/[x]", "refs/heads/x\n"} {
		if p, err := policy.ParseRefPattern(s); err == nil {
			t.Errorf("ParseRefPattern(%q) = %v, want an error", s, p)
		}
	}
	for _, test := range []struct {
		pattern, ref string
		want         bool
	}{
		{"refs/heads/main", "refs/heads/main", true},
		{"refs/heads/main", "refs/heads/main/x", false},
		{"refs/heads/main", "refs/heads/mai", false},
		{"refs/heads/*", "refs/heads/main", true},
		{"refs/heads/*", "refs/heads/a/b", false},
		{"refs/heads/*", "refs/heads/", false},
		{"refs/heads/**", "refs/heads/a/b", true},
		{"refs/heads/**", "refs/heads", false},
		{"refs/heads/**", "refs/heads/", false},
		{"refs/heads/**", "refs/heads/a//b", false},
		{"refs/**", "refs/x", true},
		{"refs/heads/a*b*c", "refs/heads/aXbYbc", true},
		{"refs/heads/a*b*c", "refs/heads/aXc", false},
		{"refs/heads/*/x", "refs/heads/a/x", true},
		{"refs/heads/*/x", "refs/heads/a/b/x", false},
	} {
		p, err := policy.ParseRefPattern(test.pattern)
		if err != nil {
			t.Fatalf("ParseRefPattern(%q) = %v", test.pattern, err)
		}
		if got := p.Match(test.ref); got != test.want {
			t.Errorf("%q.Match(%q) = %v, want %v", test.pattern, test.ref, got, test.want)
		}
	}
	if (policy.RefPattern{}).Match("") {
		t.Error("the zero pattern matches")
	}
}

// refMovers are the operations that move refs, as GitHub's documentation has them.
var refMovers = []string{
	"git/create-ref", "git/update-ref", "git/delete-ref", "repos/create-or-update-file-contents", "repos/delete-file", "repos/merge",
	"repos/merge-upstream", "repos/rename-branch", "repos/update", "repos/delete", "repos/transfer", "repos/create-fork", "repos/create-using-template",
	"repos/create-in-org", "repos/create-for-authenticated-user", "repos/create-release", "repos/update-release", "repos/create-deployment",
	"pulls/merge", "pulls/merge-async", "pulls/update-branch", "code-scanning/commit-autofix", "security-advisories/create-fork",
	"migrations/start-import", "migrations/update-import", "migrations/cancel-import", "migrations/map-commit-author", "migrations/set-lfs-preference",
	"codespaces/export-for-authenticated-user", "codespaces/publish-for-authenticated-user", "agent-tasks/create-task-in-repo",
	"pull-request-stacks/create", "pull-request-stacks/add", "pull-request-stacks/unstack",
	// What a tag is published as.
	"repos/delete-release", "repos/delete-release-asset", "repos/update-release-asset", "repos/upload-release-asset",
	// They let others.
	"repos/create-deploy-key", "repos/add-collaborator", "repos/update-invitation", "orgs/create-invitation", "orgs/set-membership-for-user", "orgs/update",
	"orgs/assign-team-to-org-role", "orgs/assign-user-to-org-role", "orgs/create-custom-organization-role", "orgs/patch-custom-organization-role",
	"orgs/create-custom-repo-role", "orgs/update-custom-repo-role", "orgs/review-pat-grant-request", "orgs/review-pat-grant-requests-in-bulk",
	"teams/create", "teams/update-in-org", "teams/update-legacy", "teams/add-member-legacy", "teams/link-external-idp-group-to-team-for-org",
	"teams/add-or-update-membership-for-user-in-org", "teams/add-or-update-membership-for-user-legacy",
	"teams/add-or-update-repo-permissions-in-org", "teams/add-or-update-repo-permissions-legacy",
	"teams/create-or-update-idp-group-connections-in-org", "teams/create-or-update-idp-group-connections-legacy",
	"scim/provision-and-invite-user", "enterprise-team-memberships/add", "enterprise-team-memberships/bulk-add",
	"enterprise-admin/assign-enterprise-role-to-user", "enterprise-admin/assign-team-to-enterprise-role",
}

// notRefMovers have the words of those that do.
var notRefMovers = []string{
	"code-scanning/create-autofix", "git/create-tag", // an object; the ref is made by git/create-ref
	"repos/create-deployment-status", "repos/delete-deployment", "repos/generate-release-notes", "repos/create-tag-protection", "repos/delete-tag-protection",
	"repos/create-pages-deployment", "repos/cancel-pages-deployment", "repos/enable-immutable-releases", "repos/disable-immutable-releases",
	"reactions/create-for-release", "reactions/delete-for-release", "migrations/get-import-status",
}

// TestRefMovers asks about every operation that changes a repository.
func TestRefMovers(t *testing.T) {
	j := of(t, policy.Client{Push: refs(t, "refs/heads/agent/**")})
	fill := strings.NewReplacer("{owner}", "acme", "{repo}", "widgets", "{template_owner}", "acme", "{template_repo}", "widgets", "{org}", "acme", "{ref...}", "heads/main")
	seen := map[string]bool{}
	for _, op := range table(t) {
		path := fill.Replace(op.path)
		for strings.Contains(path, "{") {
			before, rest, _ := strings.Cut(path, "{")
			_, after, _ := strings.Cut(rest, "}")
			path = before + "1" + after
		}
		mover := slices.Contains(refMovers, op.id)
		seen[op.id] = true
		switch {
		case op.id == "git/delete-ref":
			j.deny("delete_refs", op.method+" "+path)
		case mover:
			j.deny("push", op.method+" "+path)
		}
		suspect := strings.HasPrefix(op.path, "/repos/") && op.method != "GET" && !op.has("protection", "branch_policy", "environments", "import") &&
			op.has("git", "contents", "merge", "merges", "merge-async", "merge-upstream", "update-branch", "rename", "refs", "tags", "releases", "deployments",
				"forks", "generate", "transfer", "autofix", "stacks")
		if suspect && !mover && !slices.Contains(notRefMovers, op.id) && !op.has("blobs", "trees") && op.id != "git/create-commit" {
			t.Errorf("%s (%s %s) may move refs: say whether it does", op.id, op.method, op.path)
		}
	}
	for _, id := range append(refMovers, notRefMovers...) {
		if !seen[id] {
			t.Errorf("GitHub has no operation %q", id)
		}
	}
}

func TestRefMoves(t *testing.T) {
	j := of(t, policy.Client{Push: refs(t, "refs/heads/agent/**"), DeleteRefs: refs(t, "refs/heads/agent/tmp-*")})
	j.names = map[int64]github.Account{7: {Login: "acme", Repo: "widgets"}}
	mutation := func(field string) string {
		return graphQL("mutation { x: " + field + "(input: {}) { clientMutationId } }")
	}
	j.allow("POST /repos/acme/widgets/issues", "POST /repos/acme/widgets/pulls", "GET /repos/acme/widgets/git/refs/heads/main", "POST /repos/acme/widgets/git/commits",
		"POST https://github.com/acme/widgets/git-receive-pack", "POST https://github.com/acme/widgets.git/info/lfs/objects/batch",
		"PATCH /repos/acme/widgets/git/refs/heads/agent/x", "POST /repos/acme/widgets/git/refs/heads%2Fagent%2Fx", "PATCH /repositories/7/git/refs/heads/agent/x",
		"PATCH https://ghe.example.com/api/v3/repos/acme/widgets/git/refs/heads/agent/x", "DELETE /repos/acme/widgets/git/refs/heads/agent/tmp-1",
		mutation("addComment"), mutation("createPullRequest"), mutation("addPullRequestReview"))
	j.deny("push", "PATCH /repos/acme/widgets/git/refs/heads/main", "PATCH /repos/acme/widgets/git/refs/tags/v1", "PATCH /repositories/8/git/refs/heads/main",
		"PATCH /repos/acme/widgets/git/refs/heads/agent%252F..%252Fmain", "PATCH /repos/acme/widgets/git/refs/refs/heads/agent/x",
		"PATCH /repos/acme/widgets/git/refs/heads//agent/x", "PATCH /repos/acme/widgets/git%2Frefs/heads/agent/x", "POST /repos/acme/widgets/never-heard-of",
		"PATCH /repos/acme/widgets/git/refs/heads/agent/x.json", "PATCH /repos/acme/widgets/git/refs/heads/agent/x;y",
		"POST https://uploads.github.com/never/heard/of")
	j.deny("delete_refs", "DELETE /repos/acme/widgets/git/refs/heads/agent/x", "DELETE /repos/acme/widgets/git/refs/heads/main")
	for _, field := range []string{
		"createCommitOnBranch", "createRef", "updateRef", "updateRefs", "deleteRef", "mergeBranch", "mergePullRequest", "enablePullRequestAutoMerge",
		"enqueuePullRequest", "updatePullRequestBranch", "revertPullRequest", "createLinkedBranch", "deleteLinkedBranch", "createDeployment",
		"createRepository", "cloneTemplateRepository", "startRepositoryMigration",
	} {
		j.deny("push", mutation(field))
	}
	j.deny("push", graphQL("mutation { addComment(input: {}) { clientMutationId } mergeBranch(input: {}) { clientMutationId } }"))

	j = of(t, policy.Client{DenyPush: refs(t, "refs/heads/main")})
	j.allow("PATCH /repos/acme/widgets/git/refs/heads/x")
	j.deny("deny_push[1]", "PATCH /repos/acme/widgets/git/refs/heads/main")
	j.deny("deny_push", "PUT /repos/acme/widgets/pulls/1/merge", mutation("mergeBranch"))
}

func FuzzRefPattern(f *testing.F) {
	f.Add("refs/heads/agent/**", "refs/heads/agent/x")
	f.Add("refs/tags/v*", "refs/tags/v1")
	f.Add("refs/heads/a*b*", "refs/heads/ab")
	f.Fuzz(func(t *testing.T, pattern, ref string) {
		p, err := policy.ParseRefPattern(pattern)
		if err != nil {
			return
		}
		matches := p.Match(ref)
		prefix, _, _ := strings.Cut(pattern, "*")
		if matches && (!strings.HasPrefix(ref, prefix) || strings.Contains(ref, "//")) {
			t.Errorf("%q.Match(%q) = true", pattern, ref)
		}
		if !strings.Contains(pattern, "*") && matches != (pattern == ref) {
			t.Errorf("%q.Match(%q) = %v", pattern, ref, matches)
		}
		client := &policy.Client{Name: "a", Push: []policy.RefPattern{p}}
		if d := client.DecideRef(policy.RefUpdate{Ref: ref, New: newID}); d == nil && !matches {
			t.Errorf("DecideRef(%q) with push = %q lets it pass", ref, pattern)
		}
	})
}
