package cli

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"ghapp-proxy/github"
)

// placeholder is what tools get that demand a token. gh takes a ghs_ token for
// an installation's and says nothing about scopes.
const placeholder = "ghs_placeholder"

// placeholderUser is whom hub takes itself for: it demands a name as well.
const placeholderUser = "x-access-token"

// variable is one variable of a tool's environment.
type variable struct{ name, value string }

// lookup reads a variable of the environment that tools would have without us.
type lookup func(name string) (value string, ok bool)

// environment is what tools need to use a proxy and to trust it.
type environment struct {
	proxy  *url.URL          // with user and password if it asks for them
	open   *url.URL          // asks for none; nil if there is no such
	served []github.Instance // never excepted from the proxy
	trust  trust             // the files that tools read
	git    bool              // git is known to be where the tools are
}

// What tools read to find the proxy, and which: the README of each, and tests
// with the tools themselves.
var (
	// Go, curl, git and most others read HTTPS_PROXY, wget and dulwich the
	// lower case alone, Ruby HTTP_PROXY even for https.
	proxyEnv = []string{
		"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy",
		"npm_config_https_proxy", "npm_config_proxy", // or .npmrc counts more
		"PIP_PROXY", // or pip.conf does
	}
	// bundleEnv name a file of everything to trust.
	bundleEnv = []string{
		"SSL_CERT_FILE",      // OpenSSL and so Python, Ruby, PHP; Go
		"CURL_CA_BUNDLE",     // curl
		"GIT_SSL_CAINFO",     // git, which reads no other
		"REQUESTS_CA_BUNDLE", // Python's requests
		"PIP_CERT",           // pip
		"CARGO_HTTP_CAINFO",  // cargo
		"npm_config_cafile",  // npm
		"AWS_CA_BUNDLE",      // the AWS SDKs
		"BUNDLE_SSL_CA_CERT", // Bundler
		"COMPOSER_CAFILE",    // Composer
	}
	// extraEnv name a file of what to trust besides.
	extraEnv = []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"}
)

// variables are the ones to set for tools that would have those that has
// finds without us.
func (e *environment) variables(has lookup) []variable {
	var vars []variable
	set := func(value string, names ...string) {
		for _, name := range names {
			vars = append(vars, variable{name, value})
		}
	}
	unlessSet := func(value, name string) {
		own, _ := has(name)
		set(cmp.Or(own, value), name)
	}
	set(e.proxy.String(), proxyEnv...)
	set(e.proxy.Host, proxyMark)
	upper, _ := has("NO_PROXY")
	lower, _ := has("no_proxy")
	set(e.noProxy(cmp.Or(upper, lower)), "NO_PROXY")
	set(e.noProxy(cmp.Or(lower, upper)), "no_proxy")
	for _, name := range bundleEnv {
		set(e.trust.file(name, bundleFile), name)
	}
	if e.proxy.Scheme == "https" {
		// Others verify a proxy as they do servers.
		set(e.trust.path(bundleFile), "GIT_PROXY_SSL_CAINFO")
		set(e.trust.dir, "CURL_HOME") // see writeCurlrc
	}
	for _, name := range extraEnv {
		set(e.trust.file(name, caFile), name)
	}
	set(e.trust.path(wgetFile), "WGETRC") // wget reads no variable for this

	// git asks a proxy for its methods first, and a person for a password,
	// unless it is told not to.
	set("basic", "GIT_HTTP_PROXY_AUTHMETHOD")
	unlessSet("0", "GIT_TERMINAL_PROMPT")
	vars = append(vars, e.gitConfig(has)...)
	if e.git {
		for _, name := range gitInstead {
			unlessSet("true", name)
		}
	}

	vars = append(vars, e.nodeVariables(has)...)
	vars = append(vars, e.javaVariables(has)...)

	// gh refuses to start without any token, and hub without a user too.
	set(placeholder, "GH_TOKEN", "GITHUB_TOKEN")
	unlessSet(placeholderUser, "GITHUB_USER")
	if slices.ContainsFunc(e.served, func(i github.Instance) bool { return i != github.GitHubCom }) {
		set(placeholder, "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
	}
	if e.open != nil {
		set(e.open.String(), openProxyEnv) // for tools that are told a proxy by other means
	}
	return vars
}

// appended is own with more behind it, unless it is there already, as after a
// second `env` in the same shell.
func appended(own, more string) string {
	switch {
	case own == "":
		return more
	case own == more, strings.HasSuffix(own, " "+more):
		return own
	}
	return own + " " + more
}
