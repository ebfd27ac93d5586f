package rules

// api classifies a REST or GraphQL path by its structure. Operations that
// GitHub adds later fall to the same structure.
//
// Sources: docs.github.com "Endpoints available for GitHub App installation
// access tokens" and "Authenticating as a GitHub App".
func api(req Request, path segments) (Route, error) {
	leading := 2
	if path.is(0, "repos") || path.is(0, "networks") {
		leading = 3
	}
	if err := path.checkLeading(leading); err != nil {
		return Route{}, err
	}
	route := Route{Credential: Installation, Scheme: Bearer, Form: JSON, Operation: "api"}
	nameOwner(&route, &path)
	switch {
	case path.is(0, "graphql"):
		route.Operation = "graphql"
	case isJWT(&path):
		route.Credential, route.Operation = JWT, "app"
		if path.is(0, "app") && path.is(1, "installations") {
			route.InstallationID = number(&path, 2)
		}
	case isClientSecret(&path):
		route.Credential, route.Scheme, route.Operation = ClientSecret, Basic, "applications"
		route.ClientID = unescape(path.at[1])
	case path.is(0, "app-manifests"), path.is(0, "credentials") && path.is(1, "revoke"):
		route.Credential, route.Operation = None, "unauthenticated"
	}
	if op := guarded(req.Method, &path); op != nil {
		route.Operation, route.Refused = op.name, op.why
	}
	return route, nil
}

// nameOwner fills in whom the path names.
func nameOwner(route *Route, path *segments) {
	switch {
	case path.is(0, "repos"), path.is(0, "networks"):
		route.setRepository(path.at[1], path.at[2])
	case path.is(0, "orgs"), path.is(0, "users"):
		route.Owner = login(path.at[1])
	case path.is(0, "enterprises"):
		route.Owner, route.Enterprise = login(path.at[1]), true
	case path.is(0, "repositories"):
		route.RepositoryID = number(path, 1)
	}
}

// setRepository names the owner and the repository, as they stand in a path.
func (route *Route) setRepository(owner, repo string) {
	if route.Owner = login(owner); route.Owner != "" {
		route.Repo = repository(repo)
	}
}

// isJWT reports whether the path is authenticated as the App: all of /app,
// where an installation is looked up, and the Marketplace.
func isJWT(path *segments) bool {
	switch {
	case path.is(0, "app"), path.is(0, "marketplace_listing"):
		return true
	case path.is(0, "repos"):
		return path.n == 4 && path.is(3, "installation")
	case path.is(0, "orgs"), path.is(0, "users"), path.is(0, "enterprises"), path.is(0, "repositories"):
		return path.n == 3 && path.is(2, "installation")
	}
	return false
}

// isClientSecret reports whether the path is one of
// /applications/{client_id}/token, …/token/scoped and …/grant.
func isClientSecret(path *segments) bool {
	if !path.is(0, "applications") {
		return false
	}
	return path.is(2, "token") && (path.n == 3 || path.n == 4 && path.is(3, "scoped")) ||
		path.is(2, "grant") && path.n == 3
}

// uploads classifies a path of the uploads service.
func uploads(path segments) (Route, error) {
	if err := path.checkLeading(3); err != nil {
		return Route{}, err
	}
	route := Route{Operation: "uploads", Scheme: Bearer, Form: JSON}
	if path.is(0, "repos") && path.n > 3 {
		route.Credential = Installation
		route.setRepository(path.at[1], path.at[2])
	}
	return route, nil
}

// login returns the account that a path segment names, "" if it cannot be one.
func login(segment string) string {
	name := unescape(segment)
	if len(name) > 100 {
		return ""
	}
	for _, c := range []byte(name) {
		if !isNameByte(c) || c == '.' {
			return ""
		}
	}
	return name
}

// repository returns the repository that a path segment names, "" if it cannot
// be one.
func repository(segment string) string {
	name := unescape(segment)
	if len(name) > 200 {
		return ""
	}
	for _, c := range []byte(name) {
		if !isNameByte(c) {
			return ""
		}
	}
	return name
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// number returns segment i if it is a decimal number that fits an int64, else 0.
func number(path *segments, i int) int64 {
	s := path.at[i]
	if s == "" || len(s) > 18 {
		return 0
	}
	var n int64
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
