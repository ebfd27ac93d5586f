package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxAPIBody bounds the bodies of API requests. GitHub's own bound is not
// published; contents of 100 MB in base64 are the largest sensible request.
const maxAPIBody = 150 << 20

// msgNotAccessible is what an installation token without the permission hears:
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#resource-not-accessible
const msgNotAccessible = "Resource not accessible by integration"

// serverVersion is the version of Enterprise Server that the fake claims to be.
const serverVersion = "3.19"

// apiVersions are the values of X-GitHub-Api-Version that are accepted:
// https://docs.github.com/en/rest/about-the-rest-api/api-versions.
var apiVersions = []string{"", "2022-11-28", "2026-03-10"}

// serveAPI answers at the API and upload hosts.
func (c *call) serveAPI() {
	if c.r.UserAgent() == "" {
		c.noUserAgent()
		return
	}
	rt, refused := c.find()
	if refused != nil {
		c.send(*refused)
		return
	}
	c.route = rt
	var rep reply
	if rt.stream == nil {
		body, err := io.ReadAll(io.LimitReader(c.r.Body, maxAPIBody))
		if err != nil {
			panic(http.ErrAbortHandler) // the client is gone
		}
		c.body = body
	}
	limited, leave := c.arrive()
	if limited.status != 0 {
		leave()
		c.send(limited)
		return
	}
	if rt.stream != nil {
		if rep = c.lockedCheck(); rep.status == 0 {
			rep = rt.stream(c)
		}
	} else {
		rep = c.lockedHandle()
	}
	leave()
	c.send(rep)
}

// noUserAgent is the answer to a request without User-Agent:
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#user-agent-required
func (c *call) noUserAgent() {
	c.w.Header().Set("Content-Type", "text/html")
	c.w.WriteHeader(http.StatusForbidden)
	_, _ = io.WriteString(c.w, "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent header"+
		" (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required)."+
		" Check https://developer.github.com for other possible causes.\r\n")
}

func (c *call) lockedCheck() reply {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.check()
}

func (c *call) lockedHandle() reply {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if rep := c.check(); rep.status != 0 {
		return rep
	}
	return c.route.handle(c)
}

// find picks the route. Paths that name a repository, organization or user by id
// are answered like those that name it by login, as GitHub does without documenting it.
func (c *call) find() (*route, *reply) {
	path := c.path
	if named, ok := c.byName(path); ok {
		path = named
	}
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range c.s.routes {
		rt := &c.s.routes[i]
		if rt.method != method || rt.onUploads() != (c.service == serviceUploads) {
			continue
		}
		if params, ok := rt.match(path); ok {
			c.params = params
			return rt, nil
		}
	}
	rep := notFound()
	return nil, &rep
}

// onUploads reports whether the route lives on the upload host.
func (rt *route) onUploads() bool {
	return rt.method == http.MethodPost && strings.HasSuffix(rt.pattern, "/releases/{release_id}/assets")
}

// byName turns /repositories/1/issues into /repos/acme/widgets/issues, and so on.
func (c *call) byName(path string) (string, bool) {
	parts := strings.SplitN(path, "/", 4)
	if len(parts) < 3 {
		return "", false
	}
	var id int64
	if _, err := fmt.Sscanf(parts[2], "%d", &id); err != nil {
		return "", false
	}
	rest := ""
	if len(parts) == 4 {
		rest = "/" + parts[3]
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	w := &c.s.world
	switch parts[1] {
	case "repositories":
		if r := w.repos[id]; r != nil {
			return "/repos/" + url.PathEscape(r.owner.Login) + "/" + url.PathEscape(r.name) + rest, true
		}
	case "organizations":
		if a := w.accountByID(id); a != nil && a.Type == TypeOrganization {
			return "/orgs/" + url.PathEscape(a.Login) + rest, true
		}
	case "user":
		if a := w.accountByID(id); a != nil && a.Type == TypeUser {
			return "/users/" + url.PathEscape(a.Login) + rest, true
		}
	}
	return "", false
}

// check decides whether the route may be called. A reply of status 0 means yes.
func (c *call) check() reply {
	version := c.r.Header.Get("X-GitHub-Api-Version")
	if !slices.Contains(apiVersions, version) {
		return problemDocs(http.StatusBadRequest, fmt.Sprintf("%q is not a supported version.", version),
			"https://docs.github.com/rest/about-the-rest-api/api-versions")
	}
	c.access.s = c.s
	switch c.route.role {
	case asApp:
		return c.checkJWT()
	case asClient:
		return c.checkClient()
	}
	if c.cred.kind != CredentialNone {
		if c.cred.token == nil || !c.s.valid(c.cred.token) {
			return badCredentials()
		}
		c.access.token = c.cred.token
	}
	if limited := c.s.countRequest(c); limited.status != 0 {
		return limited
	}
	return c.checkRole()
}

func badCredentials() reply { return problem(http.StatusUnauthorized, "Bad credentials") }

func requiresAuthentication() reply {
	return problem(http.StatusUnauthorized, "Requires authentication")
}

func (c *call) checkJWT() reply {
	// Only Bearer takes a JWT:
	// https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
	if c.cred.kind != CredentialJWT || c.cred.scheme != "bearer" {
		return problem(http.StatusUnauthorized, msgJWTDecode)
	}
	app, refused := c.s.verifyJWT(c.cred.secret, c.s.clock())
	if refused != nil {
		return problem(refused.status, refused.message)
	}
	c.cred.app = app
	return reply{}
}

func (c *call) checkClient() reply {
	if c.cred.kind != CredentialBasicClient || c.cred.secret != c.cred.app.ClientSecret {
		return badCredentials()
	}
	if c.cred.app.ClientID != c.param("client_id") {
		return notFound()
	}
	return reply{}
}

func (c *call) checkRole() reply {
	anonymous := c.access.token == nil
	switch {
	case c.route.role == asUser && !anonymous:
		return problem(http.StatusForbidden, msgNotAccessible)
	case c.route.role != asAnyone && anonymous:
		return requiresAuthentication()
	case strings.HasPrefix(c.route.pattern, "/repos/{owner}/{repo}"):
		return c.checkRepo()
	case c.route.method != http.MethodGet && anonymous && c.route.role == asAnyone:
		return requiresAuthentication()
	}
	return reply{}
}

// checkRepo finds the repository and checks the permission.
func (c *call) checkRepo() reply {
	w := &c.s.world
	c.repo = w.repo(c.param("owner"), c.param("repo"))
	if c.repo == nil {
		if moved := w.renamed(c.param("owner"), c.param("repo")); moved != nil && c.access.canSee(moved) {
			return c.movedTo(moved)
		}
		return notFound()
	}
	if !c.access.canSee(c.repo) {
		return notFound()
	}
	reading := c.route.method == http.MethodGet
	switch {
	case reading && !c.repo.private && !strings.Contains(c.route.accepts, "=write"):
		return reply{} // anybody may
	case c.access.token == nil:
		return requiresAuthentication()
	case !c.access.allows(c.repo, c.route.accepts):
		return problem(http.StatusForbidden, msgNotAccessible).
			with("X-Accepted-GitHub-Permissions", c.route.accepts)
	}
	return reply{}
}

// movedTo is the redirect from a former name:
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
func (c *call) movedTo(r *repository) reply {
	parts := strings.SplitN(c.path, "/", 5) // "", repos, owner, repo, rest
	to := fmt.Sprintf("%s/repositories/%d", c.base(), r.id)
	if len(parts) == 5 {
		to += "/" + parts[4]
	}
	if c.r.URL.RawQuery != "" {
		to += "?" + c.r.URL.RawQuery
	}
	status, message := http.StatusMovedPermanently, "Moved Permanently"
	if c.route.method != http.MethodGet {
		status, message = http.StatusTemporaryRedirect, "Temporary Redirect"
	}
	return reply{status: status, value: obj{
		"message": message, "url": to,
		"documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
	}}.with("Location", to)
}

// base is the base URL of the service that was asked.
func (c *call) base() string {
	if c.service == serviceUploads {
		return c.in.uploads
	}
	return c.in.api
}

// send writes the reply: headers, ETag, body.
func (c *call) send(rep reply) {
	h := c.w.Header()
	for _, name := range slices.Sorted(maps.Keys(rep.header)) {
		h.Set(name, rep.header[name])
	}
	h.Set("X-GitHub-Media-Type", mediaType(c.r.Header.Get("Accept")))
	if version := c.r.Header.Get("X-GitHub-Api-Version"); version != "" && slices.Contains(apiVersions, version) {
		h.Set("X-GitHub-Api-Version-Selected", version)
	} else {
		h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
	}
	if c.in != nil && c.in.server {
		h.Set("X-GitHub-Enterprise-Version", serverVersion+".0")
	}
	c.s.rateHeaders(c, h)
	if rep.raw != nil {
		c.w.WriteHeader(rep.status)
		_, _ = io.Copy(c.w, rep.raw)
		return
	}
	if rep.value == nil {
		c.w.WriteHeader(rep.status)
		return
	}
	body, err := encode(rep.value)
	if err != nil {
		panic(err) // values are maps of what JSON has
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	if rep.status == http.StatusOK && c.route != nil && c.route.method == http.MethodGet && c.notModified(h, body) {
		return
	}
	c.writeBody(rep.status, body)
}

func encode(v any) ([]byte, error) {
	if text, ok := v.(string); ok {
		return []byte(text), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// mediaType describes Accept as X-GitHub-Media-Type does.
func mediaType(accept string) string {
	for _, p := range []string{"application/vnd.github.", "application/"} {
		if rest, ok := strings.CutPrefix(accept, p); ok {
			rest, _, _ = strings.Cut(rest, ";")
			rest, _, _ = strings.Cut(rest, ",")
			name, format, found := strings.Cut(rest, "+")
			if found {
				return "github." + name + "; format=" + format
			}
			return "github.v3; format=" + name
		}
	}
	return "github.v3; format=json"
}
