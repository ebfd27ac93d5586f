package proxy_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"ghapp-proxy/githubtest"
	"ghapp-proxy/policy"
)

// TestPlaceholderOfLimitedClient: a placeholder is good for no more than its
// client may do, and for nobody else.
func TestPlaceholderOfLimitedClient(t *testing.T) {
	w := exchanging(t, func(s *setup) {
		limited := withSecret()
		limited.Repositories, limited.Permissions = repositories(t, "acme/widgets"), map[string]string{"contents": "read", "metadata": "read"}
		limited.Deny = operations(t, "admin", "credentials")
		s.options.Clients = clients(t, limited, &policy.Client{Name: "other", Secret: policy.HashSecret("other")})
	})
	client, jwt := w.clientAs(t, "agent", agentSecret, false), programJWT(fmt.Sprint(githubtest.CIBotID))
	granted := exchange(t, client, jwt, 111, "")
	if want := map[string]string{"contents": "read", "metadata": "read"}; !maps.Equal(granted.Permissions, want) || granted.Selection != "selected" || len(granted.Repositories) != 1 || granted.Repositories[0].FullName != "acme/widgets" {
		t.Errorf("the program is told that it has %+v, want %v of acme/widgets", granted, want)
	}
	bearer := "Bearer " + granted.Token
	if resp := with(t, client, bearer, "GET", "https://api.github.com/repos/acme/widgets", ""); resp.StatusCode != 200 {
		t.Errorf("within the limits: %s", resp.Status)
	}
	scope := w.last(t, "/repos/acme/widgets").Scope
	if scope == nil || !slices.Equal(scope.Repositories, []string{"acme/widgets"}) || scope.Permissions["contents"] != "read" || scope.Permissions["issues"] != "" {
		t.Errorf("the token that left has the scope %+v, want contents=read of acme/widgets", scope)
	}
	refused(t, with(t, client, bearer, "GET", "https://api.github.com/repos/acme/gadgets", ""), 403, "client.agent.repositories")
	refused(t, with(t, client, bearer, "GET", "https://api.github.com/repos/globex/tools", ""), 403, "client.agent.repositories")
	refused(t, with(t, client, bearer, "POST", "https://api.github.com/repos/acme/widgets/hooks", "{}"), 403, "client.agent.deny[1]")

	// What it may not have it does not get either.
	post := func(installation int64, body string) string {
		return with(t, client, jwt, "POST", "https://api.github.com"+fmt.Sprintf(mintPath, installation), body).Status
	}
	for body, installation := range map[string]int64{
		"": 222, `{"repositories":["gadgets"]}`: 111, `{"permissions":{"administration":"read"}}`: 111,
	} {
		if got := post(installation, body); got[0] != '4' {
			t.Errorf("a token of installation %d with %s: %s, want a refusal", installation, body, got)
		}
	}
	if got := exchange(t, client, jwt, 111, `{"permissions":{"contents":"write"}}`).Permissions; got["contents"] != "read" {
		t.Errorf("asked for contents=write, the program is told that it has %v, want contents=read", got)
	}
	refused(t, with(t, w.clientAs(t, "other", "other", false), bearer, "GET", "https://api.github.com/repos/acme/widgets", ""), 401, "not one of this proxy for this client")
}

// TestPlaceholderOfReplica: a placeholder is as good in a proxy that was started
// since, or beside it, with the same key of the App; it is revoked where that is
// asked for.
func TestPlaceholderOfReplica(t *testing.T) {
	here, there := exchanging(t, nil), exchanging(t, nil) // whose fakes draw the same keys
	token := "Bearer " + exchange(t, here.client(t, false), "", 111, `{"repositories":["widgets"]}`).Token
	const widgets = "https://api.github.com/repos/acme/widgets"
	status := func(w *world) int { return with(t, w.client(t, false), token, "GET", widgets, "").StatusCode }
	if status(there) != 200 {
		t.Fatalf("another proxy: %d, want 200", status(there))
	}
	if scope := there.last(t, "/repos/acme/widgets").Scope; scope == nil || !slices.Equal(scope.Repositories, []string{"acme/widgets"}) {
		t.Errorf("the token that left has the scope %+v, want acme/widgets", scope)
	}
	if resp := with(t, here.client(t, false), token, "DELETE", "https://api.github.com/installation/token", ""); resp.StatusCode != 204 {
		t.Errorf("revoked: %s", resp.Status)
	}
	if status(here) != 401 || status(there) != 200 {
		t.Errorf("after its revocation %d and elsewhere %d, want 401 and 200", status(here), status(there))
	}
}
