package policy_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

func TestDefaultPermissions(t *testing.T) {
	got := (&policy.Client{Name: "a", Repositories: []rules.Glob{"acme/widgets"}}).Scope().Permissions
	// What a level above these would do: each is a way past push, out of the
	// repository, or to secrets.
	for _, name := range []string{"workflows", "environments", "actions_variables", "repository_advisories", "administration", "secrets", "repository_hooks", "packages", "pages", "members", "never_heard_of"} {
		if level, ok := got[name]; ok {
			t.Errorf("%s = %q is given without having been named", name, level)
		}
	}
	for name, level := range map[string]string{"contents": "write", "metadata": "read", "actions": "read", "checks": "read", "statuses": "read", "deployments": "read"} {
		if got[name] != level {
			t.Errorf("%s = %q, want %q", name, got[name], level)
		}
	}
}

// TestPermissionsAreDecided reads GitHub's list: what is about a repository is
// decided, and docs/sandbox.md says how.
func TestPermissionsAreDecided(t *testing.T) {
	docs, err := os.ReadFile("../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	decided := map[string]bool{}
	for _, p := range policy.PermissionDefaults {
		if decided[p.Name] {
			t.Errorf("%s is decided twice", p.Name)
		}
		decided[p.Name] = true
		row := fmt.Sprintf("| `%s` | %s | %s |\n", p.Name, cmp.Or(p.Level, "–"), p.Why)
		if !strings.Contains(string(docs), row) {
			t.Errorf("docs/sandbox.md lacks the row %q", row)
		}
	}
	text, err := os.ReadFile("../githubtest/testdata/api.github.com.json")
	if err != nil {
		t.Fatal(err)
	}
	var description struct {
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(text, &description); err != nil {
		t.Fatal(err)
	}
	all := description.Components.Schemas["app-permissions"].Properties
	if len(all) < 50 {
		t.Fatalf("the description has %d permissions", len(all))
	}
	for name := range all {
		ofAccount := strings.HasPrefix(name, "organization_") || strings.HasPrefix(name, "enterprise_") ||
			slices.Contains([]string{"custom_properties_for_organizations", "members", "email_addresses", "followers", "git_ssh_keys", "gpg_keys", "interaction_limits", "profile", "starring"}, name)
		if decided[name] == ofAccount {
			t.Errorf("%s is an account's: %v, is decided about: %v", name, ofAccount, decided[name])
		}
	}
}
