package policy_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/github"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

func TestAllowAndDeny(t *testing.T) {
	t.Run("allow", func(t *testing.T) {
		j := of(t, policy.Client{Allow: ops(t, "issues/list-for-repo", "GET /repos/{owner}/{repo}/pulls/**", "git-upload-pack", "info/refs"), Deny: ops(t, "pulls/list-files")})
		j.names = map[int64]github.Account{7: {Login: "acme", Repo: "widgets"}}
		j.allow("GET /repos/acme/widgets/issues", "GET /repos/acme/widgets/pulls/1", "HEAD /repos/acme/widgets/pulls", "GET /repositories/7/pulls",
			"GET https://ghe.example.com/api/v3/repos/acme/widgets/pulls", "POST https://github.com/acme/widgets/git-upload-pack")
		j.deny("allow", "POST /repos/acme/widgets/issues", "POST /repos/acme/widgets/pulls", "GET /repositories/8/pulls", "POST https://github.com/acme/widgets/git-receive-pack", "GET /app2",
			graphQL(`{ viewer { login } }`))
		j.deny("deny[1]", "GET /repos/acme/widgets/pulls/1/files")
	})
	t.Run("allowed in every reading", func(t *testing.T) {
		j := of(t, policy.Client{Allow: ops(t, "* /repos/*/*/*")})
		j.allow("GET /repos/acme/widgets/issues")
		j.deny("allow", "GET /repos/acme/widgets/hooks%2F1", "GET /repos/acme/widgets/hooks/1")
	})
	t.Run("deny by path", func(t *testing.T) {
		j := of(t, policy.Client{Deny: ops(t, "PATCH /repos/{owner}/{repo}/**", "GET /repos/acme/widgets/hooks")})
		j.names = map[int64]github.Account{7: {Login: "acme", Repo: "widgets"}}
		j.allow("GET /repos/acme/widgets", "PUT /repos/acme/widgets/pulls/1/merge", "GET /repositories/7/issues")
		// GitHub takes POST for PATCH, and ids for names.
		j.deny("deny[1]", "PATCH /repos/acme/widgets", "POST /repos/acme/widgets", "PATCH /repositories/7", "PATCH /repositories/8")
		j.deny("deny[2]", "GET /repositories/7/hooks", "GET /repositories/8/hooks", "GET /repos/acme/widgets/hooks.json", "GET /repos/acme/widgets/%68ooks", "HEAD /repos/acme/widgets/hooks")
	})
	t.Run("admin", func(t *testing.T) {
		j := of(t, policy.Client{Deny: ops(t, "admin")})
		j.allow("GET /repos/acme/widgets", "POST /repos/acme/widgets/issues", "GET /repos/acme/widgets/license", "GET /orgs/acme/members",
			"PUT /repos/acme/widgets/pulls/1/merge", "GET /repos/acme/widgets/environments", graphQL(`mutation { addComment(input: {}) { clientMutationId } }`))
		j.deny("deny[1]", "GET /repos/acme/widgets/hooks", "POST /repos/acme/widgets/keys", "PUT /repos/acme/widgets/actions/secrets/x", "PATCH /repos/acme/widgets", "POST /repos/acme/widgets",
			"DELETE /repos/acme/widgets", "PUT /repos/acme/widgets/branches/main/protection", "POST /repos/acme/widgets/rulesets", "PATCH /repositories/7",
			"PUT /repos/acme/widgets/collaborators/x", "DELETE /orgs/acme/members/x", "GET /repos/acme/widgets/never-heard-of",
			graphQL(`mutation { createBranchProtectionRule(input: {}) { clientMutationId } }`),
			graphQL(`mutation { addComment(input: {}) { clientMutationId } x: updateRepository(input: {}) { clientMutationId } }`))
	})
	t.Run("allow admin", func(t *testing.T) {
		j := of(t, policy.Client{Allow: ops(t, "admin")})
		j.allow("GET /repos/acme/widgets/hooks")
		j.deny("allow", "GET /repos/acme/widgets", "GET /repos/acme/widgets/never-heard-of", graphQL(`{ viewer { login } }`))
	})
	t.Run("credentials", func(t *testing.T) {
		const jit = "POST /repos/acme/widgets/actions/runners/registration-token"
		j := of(t, policy.Client{Deny: ops(t, "credentials")})
		j.rules.Rules = []rules.Rule{{Operations: []string{"actions/create-registration-token-for-repo"}, Auth: rules.Installation}}
		j.deny("deny[1]", jit)
		j.allow("GET /repos/acme/widgets")
		j = of(t, policy.Client{Allow: ops(t, "credentials")})
		j.rules.Rules = []rules.Rule{{Operations: []string{"actions/create-registration-token-for-repo"}, Auth: rules.Installation}}
		j.allow(jit)
		j.deny("allow", "GET /repos/acme/widgets")
	})
}

func TestParseOperation(t *testing.T) {
	for _, s := range []string{"issues/list", "graphql", "git-receive-pack", "admin", "credentials", "GET /repos/**", "* /x", "M-SEARCH /x", "GET  /x"} {
		if op, err := policy.ParseOperation(s); err != nil || op.String() != s {
			t.Errorf("ParseOperation(%q) = %v, %v", s, op, err)
		}
	}
	for _, s := range []string{"", "issues/lst", "get /repos", "/repos", "GET", "GET repos", "GET /a//b", "GET /a?b", "Admin", "GET POST /x", "graphql/addComment", "issues/*"} {
		_, err := policy.ParseOperation(s)
		if err == nil || errors.Is(err, policy.ErrUnknownOperation) != slices.Contains([]string{"", "issues/lst", "GET", "Admin"}, s) {
			t.Errorf("ParseOperation(%q) = %v (%T)", s, err, err)
		}
	}
}

// operation is a line of the table of operations.
type operation struct{ method, path, id string }

func table(t *testing.T) (all []operation) {
	t.Helper()
	text, err := os.ReadFile("../rules/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); line[0] != '#' {
			all = append(all, operation{f[0], f[1], f[2]})
		}
	}
	if len(all) < 1000 {
		t.Fatalf("the table has %d operations", len(all))
	}
	return all
}

// has reports whether one of the words is a literal segment of the path.
func (op operation) has(words ...string) bool {
	return slices.ContainsFunc(strings.Split(op.path, "/"), func(s string) bool { return slices.Contains(words, s) })
}

// notAdmin are operations that have the words of administration, or change what
// is an account's, but are not about administering it.
var notAdmin = []string{
	"licenses/get-for-repo", "issues/approve-suggestion",
	"copilot-spaces/", "projects/", "packages/", // content of an account
	"orgs/create-artifact-", "orgs/set-cluster-deployment-records", "orgs/create-cluster-deployment-records-job",
	"orgs/list-attestations-bulk", "orgs/delete-attestations-",
	"activity/",
	"gists/",
}

// TestAdminIsComplete walks the table: what touches the words of administration
// is tagged, or listed here as something else.
func TestAdminIsComplete(t *testing.T) {
	admin := map[string]bool{}
	text, err := os.ReadFile("admin.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line[0] != '#' {
			admin[strings.TrimSpace(line)] = true
		}
	}
	for _, op := range table(t) {
		read := op.method == "GET"
		touches := op.has("hook", "hooks", "secrets", "variables", "runners", "runner-groups", "hosted-runners", "audit-log", "admin", "manage", "scim",
			"authorizations", "token", "tokens", "access_tokens", "personal-access-tokens", "credential-authorizations", "private-registries",
			"pre-receive-hooks", "organization-roles", "enterprise-roles", "migrations", "oidc", "ldap") ||
			strings.HasPrefix(op.path, "/repos/") && op.has("keys") ||
			op.path == "/app" || strings.HasPrefix(op.path, "/app/") ||
			!read && (op.has("collaborators", "invitations", "environments", "rulesets", "protection", "permissions", "transfer", "teams", "members",
				"memberships", "installations", "interaction-limits", "pages", "autolinks", "topics", "forks", "properties", "pending_deployments",
				"approve", "deployment_protection_rule", "automated-security-fixes", "vulnerability-alerts", "site_admin", "suspended", "custom-patterns", "immutable-releases") ||
				op.has("orgs", "organizations", "enterprises", "enterprise") && !op.has("dismissal-requests") ||
				op.path == "/repos/{owner}/{repo}" || op.path == "/user/repos")
		listed := slices.ContainsFunc(notAdmin, func(prefix string) bool { return strings.HasPrefix(op.id, prefix) })
		if touches && !listed && !admin[op.id] {
			t.Errorf("admin.txt lacks %s (%s %s)", op.id, op.method, op.path)
		}
		if admin[op.id] && read && op.has("issues", "pulls", "contents", "commits", "releases") {
			t.Errorf("admin.txt has %s (%s %s), which only reads content", op.id, op.method, op.path)
		}
	}
	for id := range admin {
		if !rules.KnownOperation(id) {
			t.Errorf("admin.txt has %q, which GitHub does not", id)
		}
	}
}

func FuzzParseOperation(f *testing.F) {
	for _, seed := range []string{"issues/list", "GET /repos/{owner}/{repo}/**", "* /x", "admin", "GET /%2F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		op, err := policy.ParseOperation(s)
		if err != nil {
			return
		}
		if op.String() != s {
			t.Errorf("ParseOperation(%q).String() = %q", s, op)
		}
		// What allows and what denies with the same words do not both let pass.
		req := rules.Request{Method: "GET", Host: github.GitHubCom.Hosts()[1], Path: "/repos/acme/widgets/issues"}
		route, err := rules.Classify(req)
		if err != nil {
			t.Fatal(err)
		}
		allowed := (&policy.Client{Name: "a", Allow: []policy.Operation{op}}).Decide(req, &route, nil) == nil
		denied := (&policy.Client{Name: "a", Deny: []policy.Operation{op}}).Decide(req, &route, nil) != nil
		if allowed && !denied {
			t.Errorf("%q allows a request, but does not deny it", s)
		}
	})
}

// TestTagsSpareTheExchange: a placeholder is neither a credential nor an act of
// administration.
func TestTagsSpareTheExchange(t *testing.T) {
	const issue = "POST /app/installations/111/access_tokens"
	tagged := of(t, policy.Client{Deny: ops(t, "admin", "credentials")})
	tagged.rules.Exchange = true
	tagged.allow(issue)
	named := of(t, policy.Client{Deny: ops(t, "apps/create-installation-access-token")})
	named.rules.Exchange = true
	named.deny("deny[1]", issue)
}
