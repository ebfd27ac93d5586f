package policy_test

import (
	"slices"
	"testing"

	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// TestScopeNames: what is granted is known by name, unless there is a pattern.
func TestScopeNames(t *testing.T) {
	for _, test := range []struct {
		owners, repositories []rules.Glob
		want                 []string
	}{
		{nil, []rules.Glob{"Acme/Widgets", "acme/docs", "acme/widgets"}, []string{"acme/docs", "acme/widgets"}},
		{nil, []rules.Glob{"acme/widgets", "acme/d*"}, nil},
		{nil, []rules.Glob{"acme/*"}, nil},
		{[]rules.Glob{"acme"}, nil, nil},
		{[]rules.Glob{"acme"}, []rules.Glob{"acme/widgets", "globex/tools"}, []string{"acme/widgets"}},
	} {
		if got := (&policy.Client{Owners: test.owners, Repositories: test.repositories}).Scope().Names; !slices.Equal(got, test.want) {
			t.Errorf("owners %v, repositories %v: names %v, want %v", test.owners, test.repositories, got, test.want)
		}
	}
}
