package config

import (
	"strings"
	"testing"

	"ghapp-proxy/policy"
)

func TestEgress(t *testing.T) {
	cfg, errText := load(t, minimal, nil)
	if errText != "" || cfg.Egress != nil {
		t.Fatalf("without [egress]: %+v, %s, want nil", cfg.Egress, errText)
	}
	cfg, errText = load(t, minimal+"[egress]\n", nil)
	if errText != "" || cfg.Egress == nil || cfg.Egress.Limited() {
		t.Fatalf("with an empty [egress]: %+v, %s, want a policy without limits", cfg.Egress, errText)
	}
	cfg, errText = load(t, minimal+`[egress]
default = "deny"
allow = ["Packages.Example.org", "*.example.com", "*:9418", "10.0.0.0/8:8443"]
allow_private = ["Wiki.corp.Example.net:8443"]
deny = ["secret.example.com", "[::1]"]
`, nil)
	if errText != "" || len(cfg.Warnings) > 0 {
		t.Fatal(errText, cfg.Warnings)
	}
	for target, want := range map[string]string{
		"packages.example.org:443": "", "a.example.com:80": "", "10.1.2.3:8443": "", "10.1.2.3:443": "egress.default", "other.example.net:443": "egress.default",
		"secret.example.com:443": "egress.deny[1]", "[::1]:9418": "egress.deny[2]", "git.example.net:9418": "",
		"wiki.corp.example.net:8443": "", "wiki.corp.example.net:443": "egress.default",
	} {
		d, err := policy.ParseDestination(target, 0)
		if err != nil {
			t.Fatal(err)
		}
		key := ""
		if denial := cfg.Egress.Decide(d); denial != nil {
			key = denial.Key
		}
		if key != want {
			t.Errorf("Decide(%q) = %q, want %q", target, key, want)
		}
	}
}

func TestEgressFaults(t *testing.T) {
	const hint = `	hint: for example "packages.example.org", "*.example.com", "example.com:8443" or "10.0.0.0/8"`
	const name = `	hint: a name in full, with its port unless that is 443 or 80: "wiki.corp.example.com:8443"; addresses go into allow`
	testFaults(t, []faultTest{
		{name: "everything", text: minimal + `[egress]
default = "allow"
allow = ["https://example.com", "ok.example.com", "10.1.2.3/8", "127.1"]
deny = "x"
allow_private = ["*.corp.example.com", "wiki.corp.example.com", "10.0.0.1", "*"]
alow = []
`, want: []string{
			`config.toml:5: egress.default: must be "tunnel" or "deny"`,
			`	hint: "deny" refuses what allow does not list, "tunnel" lets it pass`,
			`config.toml:6: egress.allow: element 1: "https://example.com" is neither a host, which has no scheme and no path, nor a range of addresses such as 10.0.0.0/8`, hint,
			`config.toml:6: egress.allow: element 3: 10.1.2.3/8 is an address within a range: the range is 10.0.0.0/8`, hint,
			`config.toml:6: egress.allow: element 4: "127.1" is not an address in the form 192.0.2.1`, hint,
			`config.toml:7: egress.deny: must be an array of strings, not a string`,
			`	hint: deny = ["…", "…"]`,
			`config.toml:8: egress.allow_private: "*.corp.example.com" is not the name of one host`, name,
			`config.toml:8: egress.allow_private: "10.0.0.1" is not the name of one host`, name,
			`config.toml:8: egress.allow_private: "*" is not the name of one host`, name,
			`config.toml:9: egress.alow: unknown key`,
			`	hint: did you mean "allow"?`,
		}},
		{name: "no table", text: "egress = \"deny\"\n" + minimal, want: []string{
			"config.toml:1: egress: must be a table, not a string",
			"	hint: below a line [egress] there can be default, allow, allow_private and deny",
		}},
	})
}

func TestEgressWarnsOfServedHosts(t *testing.T) {
	cfg, errText := load(t, minimal+"[egress]\ndeny = [\"gist.github.com\", \"*.github.com\"]\n", nil)
	if errText != "" {
		t.Fatal(errText)
	}
	const want = `egress.deny: "*.github.com" does not keep anybody from api.github.com: that is served, not tunnelled`
	if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], want) {
		t.Errorf("Warnings = %q, want %q", cfg.Warnings, want)
	}
}
