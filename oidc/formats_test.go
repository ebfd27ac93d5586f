package oidc_test

import (
	"strings"
	"testing"
	"time"

	"ghapp-proxy/oidc"
	"ghapp-proxy/oidc/oidctest"
	"ghapp-proxy/policy"

	"github.com/go-jose/go-jose/v4"
)

// format is how an issuer writes its tokens, and a client that is told by them.
type format struct {
	header map[string]any // besides the key's name
	claims map[string]any // besides the times
	client []string       // claims that must match
	limits oidc.Limits
	push   string         // a branch that it may push to then
	other  map[string]any // claims of somebody else
}

// formats are those of docs/identities.md, with all claims that their issuers say they have.
var formats = map[string]format{
	// docs.github.com, "OpenID Connect reference".
	"GitHub Actions": {
		header: map[string]any{"typ": "JWT", "x5t": "example-thumbprint"},
		claims: map[string]any{
			"iss": "https://token.actions.githubusercontent.com", "jti": "example-id", "sub": "repo:octo-org/octo-repo:environment:prod",
			"environment": "prod", "aud": "ghapp-proxy", "ref": "refs/heads/main", "sha": "example-sha", "repository": "octo-org/octo-repo",
			"repository_owner": "octo-org", "actor_id": "12", "repository_visibility": "private", "repository_id": "74", "repository_owner_id": "65",
			"run_id": "example-run-id", "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted", "actor": "octocat",
			"workflow": "example-workflow", "head_ref": "", "base_ref": "", "event_name": "workflow_dispatch", "ref_type": "branch",
			"job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
		},
		client: []string{"repository_owner_id=65", "ref=refs/heads/**", "environment=prod"},
		limits: oidc.Limits{Repositories: []string{"{repository}"}, Push: []string{"refs/heads/{ref_name}"}},
		push:   "refs/heads/main", other: map[string]any{"repository_owner_id": "66"},
	},
	// docs.gitlab.com, "OpenID Connect (OIDC) authentication using ID tokens", token payload.
	"GitLab": {
		header: map[string]any{"typ": "JWT"},
		claims: map[string]any{
			"iss": "https://gitlab.example.com", "aud": "ghapp-proxy", "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
			"sub":          "project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1",
			"namespace_id": "72", "namespace_path": "my-group", "project_id": "20", "project_path": "my-group/my-project", "user_id": "1",
			"user_login": "sample-user", "user_email": "sample-user@example.com", "user_identities": []any{map[string]any{"provider": "github", "extern_uid": "2435223452345"}},
			"pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "feature-branch-1", "ref_type": "branch",
			"ref_path": "refs/heads/feature-branch-1", "ref_protected": "false", "groups_direct": []any{"mygroup/mysubgroup"}, "environment": "test-environment2",
			"environment_protected": "false", "deployment_tier": "testing", "environment_action": "start", "runner_id": 1, "runner_environment": "self-hosted",
			"sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "public", "ci_config_ref_uri": "gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
		},
		client: []string{"project_id=20", "ref_type=branch", "groups_direct=mygroup/*"},
		limits: oidc.Limits{Repositories: []string{"acme/{project_id}"}, Push: []string{"{ref_path}"}},
		push:   "refs/heads/feature-branch-1", other: map[string]any{"project_id": "21"},
	},
	// kubernetes.io, "Managing Service Accounts", schema for service account private claims.
	"Kubernetes": {
		claims: map[string]any{
			"iss": "https://kubernetes.default.svc.cluster.local", "aud": []string{"ghapp-proxy"}, "jti": "aed34954-b33a-4142-b1ec-389d6bbb4936",
			"sub": "system:serviceaccount:ci:runner",
			"kubernetes.io": map[string]any{
				"namespace": "ci", "node": map[string]any{"name": "127.0.0.1", "uid": "58456cb0-dd00-45ed-b797-5578fdceaced"},
				"pod":            map[string]any{"name": "runner-69cbfb9798-jv9gn", "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33"},
				"serviceaccount": map[string]any{"name": "runner", "uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af"}, "warnafter": 1700081020,
			},
		},
		client: []string{"kubernetes.io.namespace=ci", "kubernetes.io.serviceaccount.name=runner"},
		limits: oidc.Limits{Repositories: []string{"acme/{kubernetes.io.namespace}"}, Push: []string{"refs/heads/{kubernetes.io.serviceaccount.name}"}},
		push:   "refs/heads/runner", other: map[string]any{"kubernetes.io": map[string]any{"namespace": "default", "serviceaccount": map[string]any{"name": "runner"}}},
	},
	// spiffe.io, "The SPIFFE JWT-SVID Specification", sections 2 and 3. There is no iss.
	"SPIFFE": {
		header: map[string]any{"typ": "JOSE"},
		claims: map[string]any{"aud": []string{"ghapp-proxy"}, "sub": "spiffe://example.org/ns/ci/sa/runner"},
		client: []string{"sub=spiffe://example.org/ns/ci/sa/*"},
		limits: oidc.Limits{}, push: "refs/heads/x", other: map[string]any{"sub": "spiffe://example.org/ns/other/sa/runner"},
	},
}

// TestFormats: the tokens of each issuer, with all that stands in them, are the client that
// its claims say, and somebody else's are not.
func TestFormats(t *testing.T) {
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			w := start(t, func(w *world) {
				w.rules[0].Claims, w.rules[0].Limits = claims(t, f.client...), f.limits
				w.issuer.JWKS = w.JWKS()
				if w.issuer.URL, _ = f.claims["iss"].(string); w.issuer.URL == "" {
					w.issuer.TrustDomain, w.issuer.JWKS = "example.org", w.Bundle()
				}
			})
			key, id := w.Key()
			sign := func(more map[string]any) string {
				header, all := map[string]any{"kid": id}, map[string]any{"iat": time.Now().Unix(), "nbf": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
				for _, from := range []map[string]any{f.claims, more} {
					for k, v := range from {
						all[k] = v
					}
				}
				for k, v := range f.header {
					header[k] = v
				}
				return oidctest.Sign(jose.ES256, key, header, all)
			}
			held, err := w.hold(sign(nil))
			if err != nil {
				t.Fatal(err)
			}
			for ref, want := range map[string]bool{f.push: true, "refs/heads/other": f.limits.Push == nil} {
				if got := held.Client.DecideRef(policy.RefUpdate{Ref: ref, New: strings.Repeat("1", 40)}) == nil; got != want {
					t.Errorf("push to %s: %v, want %v", ref, got, want)
				}
			}
			if held.Subject != f.claims["sub"] || len(held.Claims) != len(f.client) {
				t.Errorf("it is of %s, with %v", held.Subject, held.Claims)
			}
			if _, err := w.hold(sign(f.other)); kindOf(err) != "forged" {
				t.Errorf("somebody else's: %v", err)
			}
			if _, err := w.hold(sign(map[string]any{"aud": []string{"sts.amazonaws.com"}})); kindOf(err) != "forged" {
				t.Errorf("for somebody else: %v", err)
			}
		})
	}
}
