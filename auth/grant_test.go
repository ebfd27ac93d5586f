package auth_test

import (
	"strings"
	"testing"

	"ghapp-proxy/github"
)

// GitHub's answer to a mint says more than the token; what of it is not
// understood, or large, is no reason not to use the token.
func TestGrant(t *testing.T) {
	const repos = `[{"id":9001,"node_id":"R_x","name":"widgets","private":true,"owner":{"login":"acme"}}]`
	for _, test := range []struct {
		name, more  string
		permissions int
		selection   string
		repos       int
	}{
		{"all", `"permissions":{"contents":"read","metadata":"read"},"repository_selection":"selected","repositories":` + repos, 2, "selected", 1},
		{"nothing", `"x":1`, 0, "", 0},
		{"null", `"permissions":null,"repository_selection":null,"repositories":null`, 0, "", 0},
		{"other types", `"permissions":["contents"],"repository_selection":{},"repositories":{"a":1}`, 0, "", 0},
		{"a permission that is no word", `"permissions":{"contents":{"a":1},"issues":"read"},"repository_selection":"all"`, 1, "all", 0},
		{"long words", `"permissions":{"a":"` + strings.Repeat("x", 1000) + `"},"repository_selection":"` + strings.Repeat("x", 1000) + `"`, 0, "", 0},
		{"a name with a slash", `"repositories":[{"id":1,"name":"../x","owner":{"login":"acme"}}]`, 0, "", 0},
		{"many repositories", `"repositories":[` + strings.Repeat(`{"id":1,"name":"a","owner":{"login":"acme"}},`, 500) + `{"id":1,"name":"a","owner":{"login":"acme"}}]`, 0, "", 0},
	} {
		app := newApp("ci-bot", 1)
		app.Installations = map[string]github.InstallationID{"acme": 1}
		fake := &api{}
		fake.set("POST /app/installations/1/access_tokens", reply{status: 201, body: `{"token":"ghs_x","expires_at":"2999-01-01T00:00:00Z",` + test.more + `}`})
		s := newSource(t, fake, 0, app)
		cred, err := s.ForOwner(t.Context(), "github.com", owner("acme"), true)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := cred.Grant()
		if len(got.Permissions) != test.permissions || got.Selection != test.selection || len(got.Repositories) != test.repos {
			t.Errorf("%s: Grant() = %+v, want %d permissions, selection %q, %d repositories", test.name, got, test.permissions, test.selection, test.repos)
		}
		if jwt, err := s.ForApp(t.Context(), "github.com", "", 0, github.Account{}); err != nil || jwt.Grant() != nil {
			t.Errorf("%s: Grant() of a JWT = %v, %v, want nil", test.name, jwt.Grant(), err)
		}
	}
}
