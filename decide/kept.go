package decide

import (
	"net/http"
	"strings"

	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// MayBeKept reports whether the answer to a request, where no field of it or of the answer forbids that, may be kept and
// shared: it reads from the REST API, and hands out no credential.
func MayBeKept(method string, host github.Host, path string, route *rules.Route) bool {
	if method != http.MethodGet || route.HandsOut || route.Exchange {
		return false
	}
	switch host.Service {
	case github.API:
		return path != "/graphql"
	case github.GHES:
		return strings.HasPrefix(path, "/api/v3/")
	}
	return false
}
