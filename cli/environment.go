package cli

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"ghapp-proxy/rules"
)

// placeholder is what tools get that demand a token. gh takes a ghs_ token for
// an installation's and says nothing about scopes.
const placeholder = "ghs_placeholder"

// variable is one variable of a tool's environment.
type variable struct{ name, value string }

// environment is what tools need to use a proxy and to trust it.
type environment struct {
	proxy  *url.URL
	bundle string           // file with the system's roots and ours
	served []rules.Instance // never excepted from the proxy
}

// variables are the ones to set; lookup reads those that exist.
func (e *environment) variables(lookup func(string) (string, bool)) []variable {
	var vars []variable
	set := func(value string, names ...string) {
		for _, name := range names {
			vars = append(vars, variable{name, value})
		}
	}
	// Go and curl read HTTPS_PROXY, wget https_proxy, Ruby HTTP_PROXY.
	set(e.proxy.String(), "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if value, ok := lookup(name); ok {
			set(e.sanitizeNoProxy(value), name)
		}
	}
	// Go, OpenSSL; curl; git; Python's requests.
	set(e.bundle, "SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE")
	// git asks a proxy for its methods first, and a person for a password,
	// unless it is told not to.
	set("basic", "GIT_HTTP_PROXY_AUTHMETHOD")
	set("0", "GIT_TERMINAL_PROMPT")
	// gh refuses to start without any token.
	set(placeholder, "GH_TOKEN", "GITHUB_TOKEN")
	if slices.ContainsFunc(e.served, func(i rules.Instance) bool { return i != rules.GitHubCom }) {
		set(placeholder, "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
	}
	return vars
}

// sanitizeNoProxy drops the entries of NO_PROXY that would take requests for a
// served host past the proxy. Clients disagree on what an entry matches, so
// everything that any of them could mean is dropped.
func (e *environment) sanitizeNoProxy(value string) string {
	var kept []string
	for _, entry := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		if !e.excepts(entry) {
			kept = append(kept, entry)
		}
	}
	return strings.Join(kept, ",")
}

func (e *environment) excepts(entry string) bool {
	name, _ := rules.SplitHost(entry)
	name = strings.TrimLeft(name, "*.")
	for _, instance := range e.served {
		for _, host := range instance.Hosts() {
			if name == "" || host.Name == name || strings.HasSuffix(host.Name, "."+name) {
				return true
			}
		}
	}
	return false
}

// tokenEnv are variables that tools read GitHub's tokens from. Tokens made
// before 2021 have no prefix to know them by.
var tokenEnv = []string{
	"GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GITHUB_API_TOKEN", "GITHUB_OAUTH_TOKEN",
	"GITHUB_PAT", "GH_PAT", "HOMEBREW_GITHUB_API_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
}

// secretText matches what a child must not be given: GitHub's tokens (in both
// formats of ghs_) and private keys.
var secretText = regexp.MustCompile(`(^|[^0-9A-Za-z])(gh[opurs]_[0-9A-Za-z._-]{36,}|github_pat_[0-9A-Za-z_]{22,})|-----BEGIN [A-Z ]*PRIVATE KEY`)

// base64Text matches what may be base64 of one.
var base64Text = regexp.MustCompile(`[0-9A-Za-z+/_-]{24,}`)

// holdsSecret reports whether a value contains a secret, plainly or in base64.
func holdsSecret(value string) bool {
	if secretText.MatchString(value) {
		return true
	}
	for _, encoded := range base64Text.FindAllString(value, -1) {
		encoded = strings.NewReplacer("-", "+", "_", "/").Replace(encoded)
		plain, err := base64.RawStdEncoding.DecodeString(encoded[:len(encoded)-len(encoded)%4])
		if err == nil && secretText.Match(plain) {
			return true
		}
	}
	return false
}

// childEnv is the environment for a child: inherited, without every variable
// that a secret was or could be read from, with vars. It also returns the
// names of the variables that were withheld.
func childEnv(inherited []string, secretEnv []string, vars []variable) (env, withheld []string) {
	for _, entry := range inherited {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case slices.ContainsFunc(vars, func(v variable) bool { return v.name == name }):
		case slices.Contains(secretEnv, name), slices.Contains(tokenEnv, name), holdsSecret(value):
			withheld = append(withheld, name)
			if strings.HasPrefix(name, "GIT_CONFIG_VALUE_") {
				env = append(env, name+"=") // git counts them
			}
		default:
			env = append(env, entry)
		}
	}
	for _, v := range vars {
		env = append(env, v.name+"="+v.value)
	}
	return env, withheld
}

// writeFileAtomic replaces the file at path, so that a reader sees the old
// text or the new.
func writeFileAtomic(path string, text []byte, mode os.FileMode) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already if all went well
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Chmod(mode)
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
