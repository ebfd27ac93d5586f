package cli

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"ghapp-proxy/auth"
	"ghapp-proxy/config"
)

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

// madeUpKey returns what reports whether a value is a private key that a program
// can be given, because it is none of the Apps': with exchange, programs need one
// that was made up for them. nil if there is no such key, or if it cannot be told.
func madeUpKey(cfg *config.Config) func(value string) bool {
	if cfg.Exchange != config.ExchangePlaceholder {
		return nil
	}
	var known []string
	for _, app := range cfg.Apps {
		for _, signer := range app.Signers {
			name := signer.String()
			if !strings.HasPrefix(name, "SHA256:") {
				return nil // a signer_command does not say what its key is
			}
			known = append(known, name)
		}
	}
	return func(value string) bool {
		key, err := auth.ParseKey([]byte(value))
		if err != nil || strings.Count(value, "-----BEGIN") != 1 { // ParseKey looks at the first
			return false
		}
		fingerprint := auth.NewKey(key).String()
		return !slices.ContainsFunc(known, func(name string) bool { return strings.HasPrefix(name, fingerprint) })
	}
}

// withhold is inherited without every variable that a secret was or could be
// read from, but for what madeUp, if it is not nil, reports to be none. It also
// returns their names.
func withhold(inherited []string, secretEnv []string, madeUp func(value string) bool) (env, withheld []string) {
	for _, entry := range inherited {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case madeUp != nil && strings.Contains(name, "KEY") && madeUp(value):
			env = append(env, entry)
		case slices.Contains(secretEnv, name), slices.Contains(tokenEnv, name), holdsSecret(value):
			withheld = append(withheld, name)
			if strings.HasPrefix(name, "GIT_CONFIG_VALUE_") {
				env = append(env, name+"=") // git counts them
			}
		default:
			env = append(env, entry)
		}
	}
	return env, withheld
}

// extended are the variables that take in what the inherited value says, or
// what the file says that it names.
var extended = slices.Concat(bundleEnv, extraEnv, []string{
	"NO_PROXY", "no_proxy", "GIT_CONFIG_COUNT", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "WGETRC",
})

// override is env with vars. It also returns the names of those that had
// another value, which is lost.
func override(env []string, vars []variable) (merged, overridden []string) {
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		i := slices.IndexFunc(vars, func(v variable) bool { return v.name == name })
		switch {
		case i < 0:
			merged = append(merged, entry)
		case value != vars[i].value && !slices.Contains(extended, name):
			overridden = append(overridden, name)
		}
	}
	for _, v := range vars {
		merged = append(merged, v.name+"="+v.value)
	}
	return merged, overridden
}

// lookupIn looks variables up in env, where the last of two counts.
func lookupIn(env []string) lookup {
	values := make(map[string]string, len(env))
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}
