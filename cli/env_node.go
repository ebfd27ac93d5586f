package cli

import (
	_ "embed"
	"strings"
)

// nodeShim makes versions of Node use the proxy that cannot do it themselves.
//
//go:embed node-proxy.cjs
var nodeShim []byte

// nodeVariables make Node use the proxy that HTTPS_PROXY names.
func (e *environment) nodeVariables(has lookup) []variable {
	own, _ := has("NODE_OPTIONS")
	// nodejs.org, "Command-line API", NODE_OPTIONS: double quotes and
	// backslashes are all that is special.
	shim := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(e.trust.path(shimFile))
	return []variable{
		{"NODE_USE_ENV_PROXY", "1"}, // from 22.21 and 24.5 on
		{"NODE_OPTIONS", appended(own, `--require "`+shim+`"`)},
	}
}
