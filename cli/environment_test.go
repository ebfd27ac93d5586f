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

func TestSanitizeNoProxy(t *testing.T) {
	env := environment{served: []rules.Instance{rules.GitHubCom, "ghe.example.com"}}
	for in, want := range map[string]string{
		"localhost,127.0.0.1,.internal": "localhost,127.0.0.1,.internal",
		"*":                             "",
		"github.com":                    "",
		".github.com, x.example":        "x.example",
		"*.github.com":                  "",
		"API.GitHub.com:443 b":          "b",
		"com":                           "", // a suffix of all
		"githubusercontent.com,hub.com": "hub.com",
		"example.com":                   "", // of ghe.example.com
		"objects.githubusercontent.com": "objects.githubusercontent.com",
	} {
		if got := env.sanitizeNoProxy(in); got != want {
			t.Errorf("sanitizeNoProxy(%q) = %q, want %q", in, got, want)
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

func TestChildEnv(t *testing.T) {
	env, withheld := childEnv(
		[]string{"A=1", "KEY=x", "HTTPS_PROXY=old", "GH_PAT=short", "GIT_CONFIG_VALUE_0=ghp_0123456789012345678901234567890123456789"},
		[]string{"KEY"}, []variable{{"HTTPS_PROXY", "new"}})
	if want := []string{"A=1", "GIT_CONFIG_VALUE_0=", "HTTPS_PROXY=new"}; !slices.Equal(env, want) {
		t.Errorf("environment %q, want %q", env, want)
	}
	if want := []string{"KEY", "GH_PAT", "GIT_CONFIG_VALUE_0"}; !slices.Equal(withheld, want) {
		t.Errorf("withheld %q, want %q", withheld, want)
	}
}
