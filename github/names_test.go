package github

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("x", maxName)
	for name, want := range map[string]struct{ login, repository bool }{
		"acme": {true, true}, "A-1": {true, true}, "octocat_corp": {true, true}, long: {true, true},
		".github": {false, true}, "a.b-c_d": {false, true}, "octo.cat": {false, true}, "-acme": {false, true}, "..x": {false, true},
		"": {}, ".": {}, "..": {}, "a/b": {}, "a b": {}, "a%2Fb": {}, "acme\n": {}, "é": {}, "*": {}, long + "x": {},
	} {
		if got := IsLogin(name); got != want.login {
			t.Errorf("IsLogin(%q) = %t, want %t", name, got, want.login)
		}
		if got := IsRepositoryName(name); got != want.repository {
			t.Errorf("IsRepositoryName(%q) = %t, want %t", name, got, want.repository)
		}
		if got := ParseFullName("acme/" + name).Named(); got != want.repository {
			t.Errorf("ParseFullName(%q) names somebody: %t, want %t", "acme/"+name, got, want.repository)
		}
		if got := ParseFullName(name + "/widgets").Named(); got != want.login {
			t.Errorf("ParseFullName(%q) names somebody: %t, want %t", name+"/widgets", got, want.login)
		}
	}
}
