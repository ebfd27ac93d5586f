package github_test

import (
	"slices"
	"strings"
	"testing"

	"ghapp-proxy/github"
)

func TestParseInstance(t *testing.T) {
	for in, want := range map[string]github.Instance{
		"github.com": "github.com", "GitHub.com.": "github.com", "api.github.com": "github.com",
		"ghe.example.com": "ghe.example.com", "octo.ghe.com": "octo.ghe.com", "API.octo.ghe.com": "octo.ghe.com",
		"api.example.com": "api.example.com", // a GHES may be called so
	} {
		if got, err := github.ParseInstance(in); err != nil || got != want {
			t.Errorf("ParseInstance(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                        "not a host name",
		"localhost":               "not a host name",
		"https://github.com":      "leave out the scheme",
		"github.com/acme":         "leave out the scheme",
		"github.com:443":          "has a port",
		"192.0.2.7":               "is an address",
		"[2001:db8::1]":           "not a host name",
		"-a.example.com":          "not a host name",
		"a..example.com":          "not a host name",
		"ex ample.com":            "not a host name",
		"exämple.com":             "not a host name",
		strings.Repeat("a.", 130): "not a host name",
	} {
		if got, err := github.ParseInstance(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseInstance(%q) = %q, %v, want an error with %q", in, got, err, want)
		}
	}
}

func TestInstances(t *testing.T) {
	for instance, want := range map[github.Instance]struct {
		api   string
		hosts string
	}{
		"":                {"https://api.github.com", "github.com api.github.com uploads.github.com raw.githubusercontent.com codeload.github.com"},
		"octo.ghe.com":    {"https://api.octo.ghe.com", "octo.ghe.com api.octo.ghe.com uploads.octo.ghe.com"},
		"ghe.example.com": {"https://ghe.example.com/api/v3", "ghe.example.com"},
	} {
		var names []string
		for _, host := range instance.Hosts() {
			names = append(names, host.Name)
		}
		if got := instance.APIURL().String(); got != want.api || strings.Join(names, " ") != want.hosts {
			t.Errorf("%q has its API at %s and the hosts %v, want %s and %s", instance, got, names, want.api, want.hosts)
		}
	}
}

func TestSplitHost(t *testing.T) {
	for in, want := range map[string][2]string{
		"api.github.com":         {"api.github.com", ""},
		"API.GitHub.COM.:443":    {"api.github.com", "443"},
		"api.github.com:":        {"api.github.com", ""},
		"[::1]:443":              {"[::1]", "443"},
		"[::1]":                  {"[::1]", ""},
		"::1":                    {"::1", ""},
		"a@api.github.com":       {"a@api.github.com", ""},
		"api.github.com..":       {"api.github.com.", ""},
		"api.github.com/x":       {"api.github.com/x", ""},
		"":                       {"", ""},
		"api.github.com:443:443": {"api.github.com:443:443", ""},
	} {
		if name, port := github.SplitHost(in); name != want[0] || port != want[1] {
			t.Errorf("SplitHost(%q) = %q, %q, want %q", in, name, port, want)
		}
	}
}

// FuzzSplitHost: what is taken for a served host is nothing but a spelling of
// it, in another case, with a trailing dot or a port.
func FuzzSplitHost(f *testing.F) {
	for _, seed := range []string{"api.github.com", "API.github.com.:443", "github.com@evil", "github.com:443.evil", "[github.com]:1", "github.com\x00"} {
		f.Add(seed)
	}
	served := func(name string) bool {
		return slices.ContainsFunc(github.GitHubCom.Hosts(), func(h github.Host) bool { return h.Name == name })
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, port := github.SplitHost(s)
		if !served(name) {
			return
		}
		rest := s[len(name):]
		rest = strings.TrimPrefix(rest, ".")
		if !strings.EqualFold(s[:len(name)], name) || rest != "" && rest != ":"+port {
			t.Errorf("SplitHost(%q) = %q, %q", s, name, port)
		}
	})
}
