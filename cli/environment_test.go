package cli

import (
	"os/exec"
	"slices"
	"testing"

	"ghapp-proxy/rules"
)

func TestShellQuote(t *testing.T) {
	for _, s := range []string{"", "plain", "it's", `"$HOME" \ ` + "`id`", "a\nb", "''", "é"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("the shell reads %q as %q, %v", s, out, err)
		}
	}
}

func TestNoProxy(t *testing.T) {
	env := environment{served: []rules.Instance{rules.GitHubCom, "ghe.example.com"}}
	for in, want := range map[string]string{
		"":                              "localhost,127.0.0.1",
		"127.0.0.1,localhost,.internal": "127.0.0.1,localhost,.internal",
		"*":                             "localhost,127.0.0.1",
		"github.com":                    "localhost,127.0.0.1",
		".github.com, x.example":        "x.example,localhost,127.0.0.1",
		"*.github.com":                  "localhost,127.0.0.1",
		"API.GitHub.com:443 b":          "b,localhost,127.0.0.1",
		"com":                           "localhost,127.0.0.1", // a suffix of all
		"githubusercontent.com,hub.com": "hub.com,localhost,127.0.0.1",
		"example.com":                   "localhost,127.0.0.1", // of ghe.example.com
		"objects.githubusercontent.com": "objects.githubusercontent.com,localhost,127.0.0.1",
	} {
		if got := env.noProxy(in); got != want {
			t.Errorf("noProxy(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestHoldsSecret(t *testing.T) {
	for value, want := range map[string]bool{
		"ghp_0123456789012345678901234567890123456789":                                           true,
		"x-github_pat_0123456789012345678901":                                                    true,
		"https://x:ghs_1234_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln-_AAA@github.com":           true,
		"-----BEGIN RSA PRIVATE KEY-----":                                                        true,
		"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==":                                               true,
		"Basic eC1hY2Nlc3MtdG9rZW46Z2hwXzAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk=": true,
		"ghs_placeholder": false,
		"":                false,
		"/usr/local/sbin:/usr/local/bin:/usr/bin": false,
		"-----BEGIN CERTIFICATE-----":             false,
	} {
		if got := holdsSecret(value); got != want {
			t.Errorf("holdsSecret(%q) = %v, want %v", value, got, want)
		}
	}
}

func TestWithholdAndOverride(t *testing.T) {
	kept, withheld := withhold([]string{
		"A=1", "KEY=x", "HTTPS_PROXY=old", "SAME=s", "GH_PAT=short", "NODE_OPTIONS=--x",
		"GIT_CONFIG_VALUE_0=ghp_0123456789012345678901234567890123456789",
	}, []string{"KEY"})
	if want := []string{"KEY", "GH_PAT", "GIT_CONFIG_VALUE_0"}; !slices.Equal(withheld, want) {
		t.Errorf("withheld %q, want %q", withheld, want)
	}
	env, overridden := override(kept, []variable{{"HTTPS_PROXY", "new"}, {"SAME", "s"}, {"NODE_OPTIONS", "--x --y"}})
	if want := []string{"A=1", "GIT_CONFIG_VALUE_0=", "HTTPS_PROXY=new", "SAME=s", "NODE_OPTIONS=--x --y"}; !slices.Equal(env, want) {
		t.Errorf("environment %q, want %q", env, want)
	}
	if want := []string{"HTTPS_PROXY"}; !slices.Equal(overridden, want) {
		t.Errorf("overridden %q, want %q", overridden, want)
	}
}
