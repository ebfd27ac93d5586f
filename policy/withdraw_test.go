package policy

import (
	"net/netip"
	"testing"

	"ghapp-proxy/rules"
)

func operation(t *testing.T, s string) []Operation {
	t.Helper()
	op, err := ParseOperation(s)
	if err != nil {
		t.Fatal(err)
	}
	return []Operation{op}
}

func refPattern(t *testing.T, s string) []RefPattern {
	t.Helper()
	p, err := ParseRefPattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return []RefPattern{p}
}

func TestWithdraws(t *testing.T) {
	none, acme, both := &Client{}, &Client{Owners: []rules.Glob{"acme"}}, &Client{Owners: []rules.Glob{"globex", "Acme"}}
	for name, test := range map[string]struct {
		less, more   *Client
		incomparable bool // each withdraws something of the other
	}{
		"owners":             {acme, none, false},
		"more owners":        {acme, both, false},
		"repositories":       {&Client{Repositories: []rules.Glob{"acme/widgets"}}, none, false},
		"other repositories": {&Client{Repositories: []rules.Glob{"acme/a"}}, &Client{Repositories: []rules.Glob{"acme/b"}}, true},
		"permissions":        {&Client{Permissions: map[string]string{"contents": "read"}}, none, false},
		"a level":            {&Client{Permissions: map[string]string{"contents": "read"}}, &Client{Permissions: map[string]string{"contents": "write"}}, false},
		"a permission": {&Client{Permissions: map[string]string{"contents": "read"}},
			&Client{Permissions: map[string]string{"contents": "read", "issues": "write"}}, false},
		"read only":      {&Client{ReadOnly: true}, none, false},
		"jwt":            {none, &Client{JWT: true}, false},
		"apps":           {&Client{Apps: []string{"a"}}, &Client{Apps: []string{"b", "a"}}, false},
		"hosts":          {&Client{Hosts: []string{"api.github.com"}}, none, false},
		"allow":          {&Client{Allow: operation(t, "repos/get")}, none, false},
		"deny":           {&Client{Deny: operation(t, "repos/get")}, none, false},
		"graphql":        {&Client{GraphQL: GraphQLRead}, none, false},
		"no graphql":     {&Client{GraphQL: GraphQLDeny}, &Client{GraphQL: GraphQLRead}, false},
		"mutations":      {&Client{Mutations: []string{"addComment"}}, none, false},
		"push":           {&Client{Push: refPattern(t, "refs/heads/a")}, none, false},
		"deny push":      {&Client{DenyPush: refPattern(t, "refs/heads/a")}, none, false},
		"delete":         {&Client{DeleteRefs: refPattern(t, "refs/heads/a")}, none, false},
		"another delete": {&Client{DeleteRefs: refPattern(t, "refs/heads/a")}, &Client{DeleteRefs: append(refPattern(t, "refs/heads/a"), refPattern(t, "refs/heads/b")...)}, false},
	} {
		if !test.less.Withdraws(test.more) {
			t.Errorf("%s: less after more does not withdraw anything", name)
		}
		if got := test.more.Withdraws(test.less); got != test.incomparable {
			t.Errorf("%s: more after less withdraws something: %v, want %v", name, got, test.incomparable)
		}
		if test.less.Withdraws(test.less) || test.more.Withdraws(test.more) {
			t.Errorf("%s: the same withdraws something", name)
		}
	}
}

// Who it is, and its limits, are no grants.
func TestWithdrawsNothing(t *testing.T) {
	other := &Client{
		Secret: HashSecret("x"), Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Listen: "unix:x", UIDs: []uint32{1},
		DefaultOwner: "acme", Limits: Limits{MaxRequests: 1},
	}
	if none := (&Client{}); other.Withdraws(none) || none.Withdraws(other) {
		t.Error("something is withdrawn that is no grant")
	}
}
